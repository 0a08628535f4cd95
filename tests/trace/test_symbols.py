"""Names for addresses, from each kind of file that has them."""
import pathlib
import struct
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gen_ram  # noqa: E402
from case import Case, guest  # noqa: E402


class Symbols(Case):
    def test_symbols(self):
        cpu = guest()
        cpu.trap(6, rip=0xffffffff81000010)
        system_map = self.path("System.map")
        with open(system_map, "w", encoding="ascii") as f:
            f.write("ffffffff81000000 T startup\nffffffff81000020 t later\n")
        self.assertIn("<startup+0x10>", self.good("--symbols", system_map, self.trace(cpu)))
        source, elf = self.path("x.S"), self.path("x.elf")
        with open(source, "w", encoding="ascii") as f:
            f.write(".globl _start, there\n_start: .skip 16\n"
                    ".type there, @function\nthere: nop\n.size there, 1\n")
        subprocess.run(["gcc", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0xffffffff81000000",
                        source, "-o", elf], check=True)
        self.assertIn("<there>", self.good("--symbols", elf, self.trace(cpu)))

    def test_symbols_of_a_stripped_kernel(self):
        text = 0xffffffff81000000
        symbols = [(8 * i, "A", f"percpu_{i}") for i in range(300)]
        symbols += [(text + 16 * i, "T", f"do_{i}_sys_" + "long" * (i % 40)) for i in range(700)]
        cpu = guest()
        cpu.trap(6, rip=text)
        cpu.trap(6, rip=text + 16 * 639 + 3)
        for late in False, True:
            with self.subTest(late=late):
                kernel = self.path("vmlinux")
                with open(kernel, "wb") as f:
                    f.write(gen_ram.elf(bytes(4096) + b"0\0001\0002\0" * 5 + bytes(1010) +
                                    gen_ram.kallsyms(symbols, late) + bytes(99)))
                lines = self.good("--symbols", kernel, self.trace(cpu))
                self.assertIn("<do_0_sys_>", lines)
                self.assertIn("<do_639_sys_" + "long" * 39 + "+0x3>", lines)
                with open(kernel, "r+b") as f:          # a name more than there is
                    data = f.read().replace(struct.pack("<Q", len(symbols)),
                                            struct.pack("<Q", len(symbols) + 1))
                    f.seek(0)
                    f.write(data)
                self.assertIn("no symbols", self.run_it("--symbols", kernel, self.trace(cpu))[2])

    def test_saved_kallsyms(self):
        cpu = guest()
        cpu.trap(6, rip=0xffffffffc0000010)
        path = self.path("kallsyms")
        with open(path, "w", encoding="ascii") as f:
            f.write("0000000000000000 A fixed_percpu_data\nffffffffc0000000 t init\t[module]\n")
        self.assertIn("<init+0x10>", self.good("--symbols", path, self.trace(cpu)))

    def test_symbol_files_without_symbols(self):
        for text in ("ffffffffffffffff B The real System.map is in the linux-image-<version>-dbg "
                     "package\n",
                     "0000000000000000 T startup_64\n", "", "MZ and so on"):
            with self.subTest(text):
                path = self.path("System.map")
                with open(path, "w", encoding="ascii") as f:
                    f.write(text)
                status, out, complaints = self.run_it("--symbols", path, self.trace(guest()))
                self.assertEqual(status, 2 if text.startswith("MZ") else 0)
                self.assertRegex(complaints,
                                 "unpack-kernel" if text.startswith("MZ")
                                 else "vmlinux.*/proc/kallsyms")
                self.assertNotIn("The", out)

    def test_no_symbols(self):
        status, _, complaints = self.run_it("--symbols", self.path("none"), self.trace(guest()))
        self.assertNotEqual(status, 0)
        self.assertIn("none", complaints)


if __name__ == "__main__":
    unittest.main()
