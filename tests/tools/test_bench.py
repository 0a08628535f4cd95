"""Tests of tools/bench: what is read of a boot, what is missing, and the table."""

import os
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
import bench_boot  # noqa: E402
import bench_counts  # noqa: E402
import bench_compare  # noqa: E402
import bench_svg  # noqa: E402
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
        seen = read("linux", "# row null int 0x80: 366 of 1\r", "costs: all rows measured\r")
        self.assertEqual(seen.rows, {"null int 0x80": 366})
        self.assertEqual(list(seen.faults()), [])

    def test_the_boot(self):
        seen = read("boot", "(XEN) Guests start 2.756 ms after the boot loader\r")
        self.assertEqual(seen.rows, {"Guests start": 2756000})
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
        lines = [line.split() for line in bench_table.table(RESULTS, {})]
        self.assertIn(["fork", "100", "250", "2.50"], lines)
        self.assertIn(["empty", "64"], lines)
        self.assertIn(["pipe", "-", "3", "-"], lines)

    def test_floor_and_events(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("1 0 0 0 0 0 0 0 0 0 0 1 1\n"
                       "101 60 90 2 4 0 0 1 7 4 2 11 21\n1 3 0 1 0 0 0 0 0 0 0 1 1\n")
            file.flush()
            seen = bench_counts.rows_of(file.name, {"fork": 2, "pipe": 1})
        lines = [line.split() for line in bench_table.table(RESULTS, {"paragon": {"linux": seen}})]
        self.assertIn(["fork", "100", "80", "250", "2.50", "3.12"], lines)
        self.assertIn(["fork", "1", "2", "1", "0", "0.5", "3.5", "5", "10"], lines)

    def test_picture(self):
        picture = "".join(bench_svg.picture(RESULTS))
        self.assertEqual(xml.etree.ElementTree.fromstring(picture).tag.split("}")[1], "svg")
        self.assertIn(">2.5<", picture)     # fork, times the bare machine's
        self.assertIn(">64<", picture)


def paragon(**linux):
    return {"paragon": {"linux": linux}}


class Comparing(unittest.TestCase):
    def test_differences(self):
        lines = [line.split() for line in
                 bench_compare.differences(paragon(fork=100, pipe=7, old=1),
                                           {**paragon(fork=90, pipe=7, more=2), "xen": {}})]
        self.assertEqual(lines, [["paragon", "linux", "fork", "100", "90", "-10.0", "%"],
                                 ["paragon", "linux", "old", "1", "-", "gone"],
                                 ["paragon", "linux", "more", "-", "2", "new"],
                                 ["3", "rows", "differ"]])

    def test_three_percent_more_is_no_growth(self):
        old = paragon(fork=100)
        self.assertEqual(list(bench_compare.grown(old, paragon(fork=103))), [])
        self.assertEqual(list(bench_compare.grown(old, paragon(fork=50))), [])
        self.assertEqual(list(bench_compare.grown(old, paragon(fork=104))),
                         ["linux: fork has grown from 100 to 104, +4.0 %"])

    def test_the_file_has_every_row(self):
        self.assertEqual(list(bench_compare.grown(paragon(fork=100), paragon(pipe=1))),
                         ["linux: fork is missing",
                          "linux: pipe is new, and its cost is not in the file"])


if __name__ == "__main__":
    unittest.main()
