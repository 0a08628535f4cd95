"""Tests of tools/symbols.awk: which names its table has, in which order, and that the assembler
accepts it."""

import os
import subprocess
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
NM = """\
0000000000000010 a absolute
ffff828000100000 T before_text
ffff828000200000 T _stext
ffff828000200000 T alias_of_stext
ffff828000200040 t .Llocal
ffff828000200040 t local
ffff828000200080 d data
ffff8280002000c0 W weak
ffff828000201000 T $mapping
ffff828000201000 T last
"""


class Symbols(unittest.TestCase):
    def table(self, nm):
        text = subprocess.run([os.path.join(ROOT, "tools", "symbols.awk")], input=nm,
                              capture_output=True, text=True, check=True).stdout
        with tempfile.NamedTemporaryFile(suffix=".o") as out:
            subprocess.run(["gcc", "-Wa,--fatal-warnings", "-c", "-x", "assembler", "-",
                            "-o", out.name], input=text, text=True, check=True)
            shown = subprocess.run(["objcopy", "-O", "binary", "-j", ".symtab_ro", out.name,
                                    "/dev/stdout"], capture_output=True, check=True).stdout
        return text, shown

    def test_text_symbols_once_for_each_address(self):
        text, shown = self.table(NM)
        names = ["_stext", "local", "weak", "last"]
        offsets = [0, 0x40, 0xc0, 0x1000]
        words = [int.from_bytes(shown[at:at + 4], "little") for at in range(0, 4 * 9, 4)]
        self.assertEqual(words[:5], [4, *offsets])
        strings = shown[4 * 9:]
        self.assertEqual([strings[at:].split(b"\0")[0].decode() for at in words[5:9]], names)
        self.assertIn(".global ksym_count, ksym_offsets, ksym_names, ksym_strings", text)

    def test_without_a_first_link_the_table_is_empty(self):
        self.assertEqual(self.table("")[1], bytes(4))


if __name__ == "__main__":
    unittest.main()
