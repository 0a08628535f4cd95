"""Wrong input to make and to the runner gives one clear line and no traceback, and nothing is built
or booted. And make help fits a screen."""

import os
import subprocess
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def run(*command):
    """Runs it as if make had not started this test."""
    clean = {name: value for name, value in os.environ.items()
             if "MAKE" not in name and name != "MFLAGS"}
    return subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True,
                          timeout=60, check=False)


class BadInput(unittest.TestCase):
    def refused(self, *command, why):
        done = run(*command)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(why, done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)

    def test_make_names_the_value_that_is_wrong(self):
        for word, why in {
            "GUEST=/no/such": "is KERNEL=/no/such",
            "GUEST=Makefile": "names a guest that comes with Paragon (linux, debian, grub)",
            "RAMDISK=Makefile": "RAMDISK=Makefile: is called INITRD=Makefile now",
            "KERNEL=/no/such": "KERNEL=/no/such: no such file",
            "KERNEL=tools": "KERNEL=tools: not a file",
            "KERNEL=Makefile INITRD=/no/such": "INITRD=/no/such: no such file",
            "KERNEL=Makefile GUEST=linux": "two kernels",
            "INITRD=Makefile": "INITRD= needs KERNEL=",
            "FIRMWARE=coreboot": "FIRMWARE=coreboot: must be bios or uefi",
            "BOOT=efi": "BOOT=efi needs FIRMWARE=uefi",
            "BOOT=floppy": "BOOT=floppy: must be grub, efi or esp",
            "ACCEL=xyz": "ACCEL=xyz: must be",
            "TRACE=everything": "TRACE=everything: must be words of",
            "CMDLINE=it's": "cannot hold a single quote",
            "RAW=maybe": "RAW=maybe: must be auto, on or off",
            "STORE=maybe": "STORE=maybe: must be yes or no",
            "GUEST=linux WAY=magic": "WAY=magic: must be pv, emulate, trap or translate",
            "WAY=emulate": "WAY=emulate needs GUEST= or KERNEL=",
            "DISK=/no/such GUEST=linux": "DISK=/no/such: no such file",
            "DISK=Makefile": "DISK= needs GUEST= or KERNEL=",
            "GUEST=debian WAY=emulate": "the kernels that it hosts have no disk",
            "NET=wifi": "NET=wifi: must be none, user or tap",
            "SSH_PORT=70000": "SSH_PORT=70000: must be a number of a port",
            "MEM=lots": "MEM=lots: must be a number",
            "MEM=": "MEM=: must be a number",
            "SMP=0": "SMP=0: must be a number of CPUs",
            "SMP=256": "SMP=256: must be a number of CPUs",
            "SMP=some": "SMP=some: must be a number of CPUs",
            "TIMEOUT=soon": "TIMEOUT=soon: must be a number of seconds",
            "TRACE=all,-everything": "must be words of",
            "ENTRY=nowhere": "ENTRY=nowhere: grub.cfg has no such entry, but guests one",
        }.items():
            with self.subTest(word):
                self.refused("make", "-s", "run", *word.split(), why=why)

    def test_correct_values_are_accepted(self):
        done = run("tools/settings.py", "ACCEL=tcg", "FIRMWARE=uefi", "BOOT=esp", "KERNEL=Makefile",
                   "INITRD=grub.cfg", "TRACE=all,-sched", "MEM=256", "SMP=4", "TIMEOUT=",
                   "ENTRY=own", "CMDLINE=root=/dev/xvda1 init=/bin/sh", "RAW=on", "STORE=no",
                   "GUEST=", "VIEW=-c", "WAY=trap")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "\n", ""))

    def test_runner_names_a_file_that_does_not_exist(self):
        self.refused("tools/paragon-run", "--iso", "/no/such.iso", why="/no/such.iso: no such file")
        self.refused("tools/paragon-run", "--esp", "/no/such", why="/no/such: no such file")
        self.refused("tools/paragon-run", "--kernel", "Makefile", "--module", "/no/such words",
                     why="/no/such: no such file")


class Help(unittest.TestCase):
    def test_it_fits_a_screen(self):
        shown = run("make", "-s", "help").stdout.splitlines()
        self.assertGreater(len(shown), 15)
        self.assertLess(len(shown), 24)
        self.assertLessEqual(max(map(len, shown)), 80)


if __name__ == "__main__":
    unittest.main()
