"""The test guest on a machine of its own: an ISO on which GRUB starts it, and the judgement of its
tests, whose lines have a domain in front only if it is the vmm's guest."""

import os
import re
import shutil
import subprocess

FINAL = re.compile(r"^guest-pv: (\d+) passed, (\d+) failed, (\d+) skipped$")


def make_iso(root, kernel, words):
    """root: a directory to be made, beside which the ISO is. Returns the ISO."""
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(os.path.join(root, "boot", "grub"))
    shutil.copy(kernel, os.path.join(root, "boot", "kernel"))
    with open(os.path.join(root, "boot", "grub", "grub.cfg"), "w", encoding="ascii") as config:
        config.write(f"multiboot2 /boot/kernel {words}\nboot\n")
    made = subprocess.run(["grub-mkrescue", "-o", root + ".iso", root], capture_output=True,
                          text=True, check=False)
    if made.returncode:
        raise RuntimeError(f"grub-mkrescue: {made.stderr}")
    return root + ".iso"


def passes(*wanted):
    """All tests pass, and each of these is among them."""

    def check(lines):
        lines = [re.sub(r"^\(d\d+\) ", "", line) for line in lines]
        final = [FINAL.match(line) for line in lines]
        final = [match for match in final if match]
        if len(final) != 1:
            yield f"{len(final)} final lines, there has to be one"
            return
        passed, failed, _ = map(int, final[0].groups())
        ok = [line.split()[2] for line in lines if re.match(r"^  ok \d+ \S+$", line)]
        yield from (line.strip() for line in lines if line.startswith("  not ok "))
        if failed:
            yield f"{failed} tests failed"
        if passed != len(ok):
            yield f"{passed} tests passed, {len(ok)} lines say so"
        yield from (f"{name} did not pass" for name in wanted if name not in ok)

    return check
