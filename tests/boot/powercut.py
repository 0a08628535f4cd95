"""A disk whose machine was stopped in the midst of writes: e2fsck can repair it, and each file that
the guest (tools/linux/disk) has named as written, after fsync, is there as it was. Called by
run.py.
"""

import hashlib
import re
import subprocess

LEAST = 20  # files
WRITTEN = re.compile(r"disk: (cut\d+) is written, ([0-9a-f]{64})")


def run(*argv):
    return subprocess.run(argv, capture_output=True, check=False)


def drop_journal(image):
    run("/sbin/tune2fs", "-O", "^has_journal", image).check_returncode()


def faults(image, lines):
    done = run("/sbin/e2fsck", "-fy", image)
    if done.returncode not in (0, 1):  # 1: what was wrong is mended
        yield f"e2fsck -fy ends with {done.returncode}: {done.stdout[-300:]}"
    written = [match.groups() for match in map(WRITTEN.search, lines) if match]
    if len(written) < LEAST:
        yield f"the guest wrote {len(written)} files only"
    for name, digest in written:
        there = run("/sbin/debugfs", "-R", f"cat /{name}", image).stdout
        if hashlib.sha256(there).hexdigest() != digest:
            yield f"{name} was written and is lost: {len(there)} bytes are there"
