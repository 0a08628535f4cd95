"""A KVM that gives up: a script in QEMU's place prints what QEMU prints, and hangs as QEMU does."""

import os
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


class GivesUp(unittest.TestCase):
    HANGS = """#!/bin/sh
echo '(XEN) Paragon 0.1'
echo 'KVM internal error. Suberror: 1' >&2
echo 'extra data[0]: 0x0000000000000001' >&2
exec sleep 600
"""

    def test_the_runner_fails_soon_with_the_reason_and_qemus_lines(self):
        with tempfile.TemporaryDirectory() as where:
            qemu = os.path.join(where, "qemu")
            with open(qemu, "w", encoding="utf-8") as script:
                script.write(self.HANGS)
            os.chmod(qemu, 0o755)
            start = time.monotonic()
            done = subprocess.run(["tools/paragon-run", "--kernel", qemu, "--accel", "kvm",
                                   "--timeout", "0"], cwd=ROOT, env={**os.environ, "QEMU": qemu},
                                  capture_output=True, text=True, timeout=60,
                                  stdin=subprocess.DEVNULL, check=False)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertLess(time.monotonic() - start, 20)
        self.assertIn("FAIL: KVM internal error. Suberror: 1: ", done.stdout)
        self.assertIn("ACCEL=tcg", done.stdout)
        self.assertIn("extra data[0]", done.stdout)


if __name__ == "__main__":
    unittest.main()
