"""Bad input to make and to the runner: one clear line, no traceback, nothing built or booted."""

import os
import subprocess
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


class BadInput(unittest.TestCase):
    def refused(self, *command, why):
        clean = {name: value for name, value in os.environ.items() if "MAKE" not in name and name != "MFLAGS"}
        done = subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(why, done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)

    def test_make(self):
        for word, why in {
            "GUEST=/no/such": "GUEST=/no/such: no such file",
            "RAMDISK=Makefile": "RAMDISK= needs GUEST=",
            "KERNEL=/no/such": "KERNEL=/no/such: no such file",
            "KERNEL=tools": "KERNEL=tools: not a file",
            "KERNEL=Makefile INITRD=/no/such": "INITRD=/no/such: no such file",
            "KERNEL=Makefile GUEST=linux": "two kernels",
            "INITRD=Makefile": "INITRD= needs GUEST= or KERNEL=",
            "FIRMWARE=coreboot": "FIRMWARE=coreboot: must be bios or uefi",
            "BOOT=efi": "BOOT=efi needs FIRMWARE=uefi",
            "BOOT=floppy": "BOOT=floppy: must be grub, efi or esp",
            "ACCEL=xyz": "ACCEL=xyz: must be",
            "TRACE=everything": "TRACE=everything: must be words of",
            "CMDLINE=it's": "cannot hold a single quote",
            "RAW=maybe": "RAW=maybe: must be auto, on or off",
            "STORE=maybe": "STORE=maybe: must be yes or no",
            "MEM=lots": "MEM=lots: must be a number",
            "ENTRY=nowhere": "ENTRY=nowhere: grub.cfg has no such entry",
        }.items():
            with self.subTest(word):
                self.refused("make", "-s", "run", *word.split(), why=why)

    def test_runner(self):
        self.refused("tools/paragon-run", "--iso", "/no/such.iso", why="/no/such.iso: no such file")
        self.refused("tools/paragon-run", "--esp", "/no/such", why="/no/such: no such file")
        self.refused("tools/paragon-run", "--kernel", "Makefile", "--module", "/no/such words",
                     why="/no/such: no such file")


if __name__ == "__main__":
    unittest.main()
