"""Tests of the checks of boot cases: each kind of fault is found."""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "boot"))
sys.path.insert(0, os.path.join(ROOT, "tools"))
import alike  # noqa: E402
import snapshots  # noqa: E402
import x86_selftests  # noqa: E402

PASSES = ["(d1) x86: ioperm_32 ended with 0, 19 checks passed", "(d1) x86: done"]


class Selftests(unittest.TestCase):
    def faults(self, lines, *tests, **how):
        return list(x86_selftests.faults(tests, **how)(lines))

    def test_a_pass_is_no_fault(self):
        self.assertEqual(self.faults(PASSES, "ioperm_32"), [])

    def test_a_failure_is_a_fault(self):
        lines = ["x86: ioperm_32 ended with 1, 3 checks passed",
                 "x86: ioperm_32: [FAIL]\toutb to 0x80 failed", "x86: done"]
        self.assertEqual(self.faults(lines, "ioperm_32"),
                         ["ioperm_32: [FAIL] outb to 0x80 failed", "ioperm_32: ended with 1"])

    def test_a_test_that_checks_nothing_or_does_not_run_or_end_is_a_fault(self):
        self.assertEqual(self.faults(["x86: iopl_64 ended with 0, 0 checks passed", "x86: done"],
                                     "iopl_64"),
                         ["iopl_64: no check passed"])
        self.assertEqual(self.faults(PASSES, "ioperm_32", "iopl_64"), ["iopl_64: did not run"])
        self.assertEqual(self.faults(PASSES[:1], "ioperm_32"),
                         ["the tests have not ended"])

    def test_a_known_failure_has_to_be_seen_and_only_where_it_is_known(self):
        lines = ["x86: iopl_32 ended with 137, 0 checks passed", "x86: iopl_32: RIP: e030:get_desc",
                 "x86: done"]
        self.assertEqual(self.faults(lines, "iopl_32"), [])
        self.assertEqual(len(self.faults(lines, "iopl_32", natively=True)), 3)
        lines[0] = "x86: iopl_32 ended with 0, 15 checks passed"
        self.assertEqual(self.faults(lines, "iopl_32"),
                         ["iopl_32: not seen: ended with 137",
                          "iopl_32: not seen: no check passed"])


class Replays(unittest.TestCase):
    TEXT = ["one\r", "two\r", "three\r"]

    def test_a_text_that_differs_in_a_line_is_a_fault(self):
        self.assertEqual(alike.unlike_text(self.TEXT, list(self.TEXT), "ended"), "")
        for other in (self.TEXT[:2], self.TEXT + ["four"], ["one\r", "2\r", "three\r"], []):
            self.assertIn("is not the recording's", alike.unlike_text(self.TEXT, other, "ended"))

    def test_a_text_from_a_snapshot_has_to_be_the_end_of_the_recording(self):
        self.assertEqual(alike.unlike_end(self.TEXT, ["wo\r", "three\r"], "ended"), "")
        self.assertIn("nothing", alike.unlike_end(self.TEXT, [], "ended"))
        self.assertIn("everything", alike.unlike_end(self.TEXT, list(self.TEXT), "ended"))
        self.assertIn("did not end as", alike.unlike_end(self.TEXT, ["two\r", "four\r"], "ended"))

    def test_traces_that_differ_in_a_byte_are_a_fault(self):
        trace = bytes(range(256)) * 4
        self.assertEqual(alike.unlike_traces(trace, bytes(trace)), "")
        self.assertIn("from byte 700 on",
                      alike.unlike_traces(trace, trace[:700] + b"\xff" + trace[701:]))
        self.assertIn("from byte 1000 on", alike.unlike_traces(trace, trace[:1000]))
        self.assertIn("from byte 1024 on", alike.unlike_traces(trace, trace + b"\0"))
        self.assertIn("no trace", alike.unlike_traces(b"", b""))

    def test_an_empty_image_has_no_snapshots(self):
        with tempfile.NamedTemporaryFile() as image:
            snapshots.empty_image(image.name)
            self.assertEqual(snapshots.names(image.name), {})


if __name__ == "__main__":
    unittest.main()
