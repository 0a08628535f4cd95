"""Tests of tools/xen-cfg, which makes xen.efi's configuration from GRUB's menu."""

import os
import re
import subprocess
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
OPTIONS = """\
set default='two'
set options='loglvl=all'
set cmdline='a=b c'
set words='mem=1G'
set ramdisk='{}'
"""
MENU = """\
# menuentry "In a comment" --id comment {
if [ "$grub_platform" = pc ]; then
    serial --unit=0
fi
menuentry "One" --id one {
    multiboot2 /boot/paragon console=com1   $options
    module2 /boot/kernel name=x ${words} -- $cmdline $nothing
    module2 /boot/notes
}
menuentry 'Two' --id=two {
    multiboot2 /boot/paragon
    module2 /boot/kernel
    if [ -n "$ramdisk" ]; then
        module2 --nounzip $ramdisk
    else
        module2 /boot/notes none
    fi
    module2 /boot/kernel a
}
menuentry "No hypervisor" --id none { reboot }
menuentry "Nor here" --id neither {
    chainloader /x
}
"""


class XenCfg(unittest.TestCase):
    def run_on(self, menu, ramdisk="", options=OPTIONS):
        with tempfile.TemporaryDirectory() as boot:
            os.mkdir(os.path.join(boot, "grub"))
            for name, content in {"grub/options.cfg": options.format(ramdisk).encode(),
                                  "menu": menu.encode(), "kernel": b"\x7fELF...",
                                  "notes": b"no kernel", "rd": b""}.items():
                with open(os.path.join(boot, name), "wb") as out:
                    out.write(content)
            return subprocess.run([os.path.join(ROOT, "tools", "xen-cfg"),
                                   os.path.join(boot, "menu"), boot],
                                  capture_output=True, text=True, timeout=20, check=False)

    def lines(self, *args):
        done = self.run_on(*args)
        self.assertEqual(done.stderr, "")
        return [line for line in done.stdout.splitlines() if line and not line.startswith("#")]

    def test_each_entry_with_an_id_is_a_section(self):
        one = ["[one]", "options=console=com1 loglvl=all", "kernel=kernel name=x mem=1G -- a=b c",
               "ramdisk=notes"]
        two = ["[two]", "options=", "kernel=kernel", "ramdisk=rd", "kernel=kernel a"]
        self.assertEqual(self.lines(MENU, "/boot/rd"), ["[global]", "default=two"] + one + two)

    def test_without_a_ramdisk_the_else_branch_is_read(self):
        self.assertIn("ramdisk=notes none", self.lines(MENU))
        self.assertNotIn("ramdisk=rd", self.lines(MENU))

    def test_a_condition_that_it_cannot_read_is_refused_with_its_line(self):
        done = self.run_on('menuentry "x" --id x {\nmultiboot2 /boot/paragon\n'
                           'if [ a = b ]; then\nfi\n}\n')
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^\S*menu:3: cannot read this condition: .*\n$")

    def test_the_menu_of_the_tree_has_a_section_for_each_entry(self):
        with open(os.path.join(ROOT, "grub.cfg"), encoding="utf-8") as menu:
            text = menu.read()
        ids = re.findall(r'^menuentry .*--id (\w+)', text, re.M)
        self.assertEqual([line for line in self.lines(text)[2:] if line.startswith("[")],
                         [f"[{i}]" for i in ids])
        self.assertEqual(re.search(r"for section in (.*);", text)[1].split(), ids)

    def test_a_users_kernel_has_the_store_beside_it_unless_that_is_off(self):
        with open(os.path.join(ROOT, "grub.cfg"), encoding="utf-8") as menu:
            text = menu.read()
        for store, kernels in {"yes": ["store", "guest"], "": ["guest"]}.items():
            lines = self.lines(text, "/boot/rd", OPTIONS + f"set store='{store}'\n")
            own = lines[lines.index("[own]"):lines.index("[debian]")]
            self.assertEqual([line.split()[0] for line in own[2:]],
                             [f"kernel={k}" for k in kernels] + ["ramdisk=rd"])


if __name__ == "__main__":
    unittest.main()
