"""Tests of tests/lint/lines.py: a line that is too long is found, in every kind of file but those
that are exempt."""

import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SPEC = importlib.util.spec_from_file_location("lines", os.path.join(ROOT, "tests/lint/lines.py"))
lines = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(lines)


class Lines(unittest.TestCase):
    def found(self, files, git):
        """The faults in a tree of these files, {path: text}, but for patterns without a file."""
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as out:
                    out.write(text)
            if git:
                subprocess.run(["git", "init", "-q", root], check=True)
                subprocess.run(["git", "-C", root, "add", "."], check=True)
                with open(os.path.join(root, "untracked.c"), "w", encoding="utf-8") as out:
                    out.write("x" * 200)
            return [fault for fault in lines.faults(root) if "no file is called" not in fault]

    def test_a_line_of_101_columns_is_found_and_one_of_100_is_not(self):
        for git in (False, True):
            self.assertEqual(self.found({"xen/a.c": "x" * 100 + "\n" + "y" * 101 + "\n"}, git),
                             ["xen/a.c:2: 101 columns, more than 100"])

    def test_columns_are_characters(self):
        self.assertEqual(self.found({"xen/a.c": "é" * 100 + "\n"}, False), [])

    def test_exempt_files_and_what_is_built_may_have_longer_lines(self):
        long = "z" * 200 + "\n"
        self.assertEqual(self.found({"docs/a.md": long, "build/a.c": long}, False), [])

    def test_a_pattern_without_a_file_is_a_fault(self):
        with tempfile.TemporaryDirectory() as root:
            self.assertIn("tests/lint/lines.py: no file is called *.svg", list(lines.faults(root)))


if __name__ == "__main__":
    unittest.main()
