"""Tests of tools/oracle-compare: a test that passes on both sides is accepted, every other needs an
exception with a reason."""

import importlib.machinery
import importlib.util
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools",
                    "oracle-compare")
LOADER = importlib.machinery.SourceFileLoader("oracle_compare", TOOL)
oracle = importlib.util.module_from_spec(importlib.util.spec_from_loader("oracle_compare", LOADER))
LOADER.exec_module(oracle)


def side(**verdicts):
    return {name: oracle.ktap.Test(name, verdict) for name, verdict in verdicts.items()}


class Compare(unittest.TestCase):
    def wrong(self, xen, paragon, listed=()):
        return oracle.compare(xen, paragon, {key: "because" for key in listed})[1]

    def test_same(self):
        self.assertEqual(self.wrong(side(a="pass"), side(a="pass")), 0)

    def test_only_one_passes(self):
        for verdict in ("fail", "skip"):
            self.assertEqual(self.wrong(side(a="pass"), side(a=verdict)), 1)
        self.assertEqual(self.wrong(side(a="fail"), side(a="pass")), 1)

    def test_missing(self):
        self.assertEqual(self.wrong(side(), side(a="pass")), 1)
        self.assertEqual(self.wrong(side(a="pass"), side()), 1)

    def test_both_fail(self):
        self.assertEqual(self.wrong(side(a="fail"), side(a="fail")), 2)

    def test_skipped_by_xen(self):
        self.assertEqual(self.wrong(side(a="skip"), side(a="pass")), 0)
        self.assertEqual(self.wrong(side(a="skip"), side(a="fail")), 1)

    def test_listed(self):
        self.assertEqual(self.wrong(side(a="fail"), side(a="pass"), [("a", "xen")]), 0)
        self.assertEqual(self.wrong(side(a="fail"), side(a="pass"), [("a", "paragon")]), 2)

    def test_the_reason_of_an_exception_continues_in_an_indented_line(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("# why\na/one  xen  because\n    of this\n\nb/two  paragon  for that\n")
            file.flush()
            self.assertEqual(oracle.read_exceptions(file.name),
                             {("a/one", "xen"): "because of this",
                              ("b/two", "paragon"): "for that"})

    def test_an_exception_without_a_reason_is_refused_with_its_line(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("a/one  xen  because\nb/two  xen\n")
            file.flush()
            with self.assertRaisesRegex(SystemExit, ":2: expected"):
                oracle.read_exceptions(file.name)

    def test_stale(self):
        self.assertEqual(self.wrong(side(a="pass"), side(a="pass"), [("a", "xen")]), 1)


if __name__ == "__main__":
    unittest.main()
