"""Tests of tools/bench: what is read of a boot, what is missing, and the table."""

import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
import bench_boot  # noqa: E402
import bench_table  # noqa: E402


def read(kind, *lines):
    reader = bench_boot.Reader(kind)
    for line in lines:
        reader.feed(line)
    return reader


class Reading(unittest.TestCase):
    def test_rows_of_the_test_guest(self):
        seen = read("micro", "(d1)   # bench: mmu_update of 128, each 163\r", "# row other: 1",
                    "(d1) guest-pv: 7 passed, 0 failed, 0 skipped")
        self.assertEqual(seen.rows, {"mmu_update of 128, each": 163})
        self.assertEqual(list(seen.faults()), [])

    def test_rows_of_linux(self):
        seen = read("linux", "# row null int 0x80: 366\r", "costs: all rows measured\r")
        self.assertEqual(seen.rows, {"null int 0x80": 366})
        self.assertEqual(list(seen.faults()), [])

    def test_what_fails(self):
        seen = read("micro", "(d1)   not ok 1 calls", "guest-pv: 6 passed, 1 failed, 0 skipped")
        self.assertEqual(list(seen.faults()), ["not ok 1 calls"])
        seen = read("linux", "# costs: fork fails: Cannot allocate memory")
        self.assertEqual(list(seen.faults()), ["# costs: fork fails: Cannot allocate memory",
                                               "did not come to its end"])


RESULTS = {"bare": {"linux": {"fork": 100}},
           "paragon": {"micro": {"empty": 64}, "linux": {"fork": 250, "pipe": 3}}}


class Table(unittest.TestCase):
    def test_a_row_that_a_column_lacks_is_missing(self):
        self.assertEqual(list(bench_table.missing(RESULTS)), ["bare, linux: pipe is missing"])

    def test_costs_and_ratios(self):
        lines = [line.split() for line in bench_table.table(RESULTS)]
        self.assertIn(["fork", "100", "250", "2.50"], lines)
        self.assertIn(["empty", "-", "64", "-"], lines)
        self.assertIn(["pipe", "-", "3", "-"], lines)


if __name__ == "__main__":
    unittest.main()
