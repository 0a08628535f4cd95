"""Tests of tools/ways: what is read of a column, what is wrong with it, table and picture."""

import importlib.machinery
import importlib.util
import os
import sys
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "ways")
LOADER = importlib.machinery.SourceFileLoader("ways", TOOL)
ways = importlib.util.module_from_spec(importlib.util.spec_from_loader("ways", LOADER))
LOADER.exec_module(ways)

TEXT = """KTAP version 1
(d1)   # Subtest: sensitive
(d1)   # saw: a tick
(d1)   ok 1 first
(d1)   # file.c:1: expected 1, got 2
(d1)   not ok 2 second
(d1)   ok 3 third # SKIP none here
(d1)   # Subtest: rows
(d1)   ok 1 fourth
(d1)   # row compute, kernel: 17.5
(d1)   # row in: 1200.0
(d1) not ok 1 suite
(d1) guest-pv: 1 passed, 1 failed, 1 skipped\r
(d1) vmm: 4711 instructions in 0.1 s, 1 of them by the core alone
"""


def read(text):
    reader = ways.Reader()
    for line in text.splitlines(True):
        reader.feed(line)
    return reader.seen


def column(ended=True, rows=(), **verdicts):
    return {"rows": dict(rows), "verdicts": verdicts, "sensitive": verdicts, "saw": {},
            "ended": ended}


class Reading(unittest.TestCase):
    def test_all(self):
        self.assertEqual(
            read(TEXT), {
                "rows": {"compute, kernel": 17.5, "in": 1200.0},
                "verdicts": {"first": "ok", "second": "not ok", "third": "skipped", "fourth": "ok"},
                "sensitive": {"first": "ok", "second": "not ok", "third": "skipped"},
                "saw": {"first": "a tick"}, "ended": True, "instructions": 4711
            })

    def test_cut(self):
        self.assertFalse(read(TEXT[:200])["ended"])


class Faults(unittest.TestCase):
    def test_none(self):
        self.assertEqual(list(ways.faults("bare", column(one="ok", two="skipped"))), [])

    def test_failed(self):
        self.assertEqual(list(ways.faults("bare", column(one="not ok"))), ["one failed"])

    def test_end(self):
        self.assertEqual(len(list(ways.faults("bare", column(ended=False)))), 1)

    def test_has_to_fail(self):
        wanted = dict.fromkeys(ways.HAS_TO_FAIL["trap"], "not ok")
        self.assertEqual(list(ways.faults("trap", column(**wanted))), [])
        wanted["pushf_reads_if"] = "ok"
        self.assertEqual(list(ways.faults("trap", column(**wanted))),
                         ["pushf_reads_if passed, which cannot be"])

    def test_missing(self):
        results = {"bare": column(one="ok", two="skipped"), "pv": column(two="ok")}
        self.assertEqual(list(ways.faults("bare", results["bare"], results)), [])
        self.assertEqual(list(ways.faults("pv", results["pv"], results)), ["one is missing"])

    def test_limit(self):
        good = {"compute, kernel": 20.0, "compute, user": 3.0}
        self.assertEqual(list(ways.faults("emulate", column(rows=good))), [])
        dear = {"compute, kernel": 20.1, "compute, user": 3.0}
        self.assertEqual(len(list(ways.faults("emulate", column(rows=dear)))), 1)
        self.assertEqual(len(list(ways.faults("emulate", column()))), 2)


def linux(begins=100, first=350, output=("gave: 1", "gave: 2"), end="12 passed, 0 failed"):
    return (f"(d1) vmm: the guest begins at TSC {begins}\n(d1) # the first program begins at TSC "
            f"{first}\n(d1) # row Linux, fork: 7.5\n" +
            "".join(f"(d1) # {line}\n" for line in output) + f"(d1) linux: {end}, 0 skipped\n")


def read_linux(text, way="emulate", begins=None):
    reader = ways.ways_linux.Reader(way, begins)
    for line in text.splitlines(True):
        reader.feed(line)
    return reader.seen


class Linux(unittest.TestCase):
    def results(self, **columns):
        return {name: {"linux": seen, "rows": seen["rows"]} for name, seen in columns.items()}

    def faults(self, name, **columns):
        return list(ways.ways_linux.faults(name, self.results(**columns)))

    def test_reading(self):
        seen = read_linux(linux())
        self.assertEqual(seen["rows"], {ways.ways_linux.BOOT: 250.0, "Linux, fork": 7.5})
        self.assertEqual(seen["output"], ["# gave: 1", "# gave: 2",
                                          "linux: 12 passed, 0 failed, 0 skipped"])

    def test_bare_begins_as_the_test_guest(self):
        text = linux().split("\n", 1)[1]
        self.assertEqual(read_linux(text, "bare", 50)["rows"][ways.ways_linux.BOOT], 300.0)
        self.assertNotIn(ways.ways_linux.BOOT, read_linux(text, "bare")["rows"])

    def test_same(self):
        self.assertEqual(self.faults("pv", bare=read_linux(linux()), pv=read_linux(linux())), [])

    def test_unlike(self):
        bare = read_linux(linux())
        for output, nr in ((("gave: 1", "gave: 3"), 1), (("gave: 1",), 2), ((), 3)):
            self.assertEqual(
                len(self.faults("pv", bare=bare, pv=read_linux(linux(output=output)))), nr)

    def test_outputs_of_boot_tests(self):
        lines = ["(d1) # gave: 1", "(d1) something else", "(d1)   ok 1 pipes", "# gave: 2\r"]
        output = ways.ways_linux.output_of(lines)
        self.assertEqual(output, ["# gave: 1", "  ok 1 pipes", "# gave: 2"])
        self.assertEqual(list(ways.ways_linux.unlike(output, list(output), "bare")), [])
        self.assertEqual(list(ways.ways_linux.unlike(output[:2] + ["# gave: 3"], output, "bare")),
                         ['Linux printed "# gave: 3", and in bare "# gave: 2"'])

    def test_not_passed(self):
        failed = read_linux(linux(end="11 passed, 1 failed"))
        self.assertEqual(self.faults("pv", pv=failed), ["Linux did not pass its session"])
        self.assertEqual(self.faults("pv", pv=read_linux("")),
                         ["Linux did not pass its session", "Linux did not say when it started"])

    def test_death(self):
        words = ("[ 0.1] Interrupts were enabled *very* early, fixing it\n"
                 "[ 0.2] kernel BUG at kernel/irq_work.c:235!\n"
                 "[ 0.3] Kernel panic - not syncing: Fatal exception in interrupt\n")
        self.assertEqual(self.faults("trap", trap=read_linux(words)), [])
        self.assertEqual(len(self.faults("trap", trap=read_linux(words[:60]))), 2)
        self.assertEqual(len(self.faults("trap", trap=read_linux(words + linux()))), 1)
        self.assertEqual(len(self.faults("pv", pv=read_linux(words + linux()))), 3)


class Compared(unittest.TestCase):
    def faults(self, one, other):
        results = {}
        for way, hashes in zip(ways.ways_compare.WAYS, (one, other)):
            reader = ways.ways_compare.Reader()
            for nr, memory in hashes:
                reader.feed(f"(d1) vmm: compare: exception {nr}: registers ab, memory {memory}\r\n")
            results[way] = reader.seen
        return list(ways.ways_compare.faults(results))

    def test_same(self):
        self.assertEqual(self.faults([(500, "1"), (5000, "2")], [(500, "1"), (5000, "2")]), [])

    def test_unlike(self):
        self.assertEqual(self.faults([(500, "1"), (5000, "2")], [(500, "3"), (5000, "4")]),
                         ["emulate: exception 500: registers ab, memory 1; "
                          "translate: exception 500: registers ab, memory 3"])
        self.assertEqual(len(self.faults([(5000, "1")], [(5000, "1"), (5001, "1")])), 1)

    def test_too_few(self):
        self.assertEqual(len(self.faults([(500, "1")], [(500, "1")])), 1)
        self.assertEqual(len(self.faults([], [])), 1)


class Showing(unittest.TestCase):
    RESULTS = {"bare": column(rows={"in": 1.0, "pushf+cli+popf": 3.0}),
               "trap": column(rows={"in": 2434.0, "pushf+cli+popf": 1.0}),
               "pv": column(rows={"hypercall": 69.0})}

    def test_table(self):
        head, *rows = (line.split() for line in ways.table(self.RESULTS))
        self.assertEqual(head, ["bare", "trap", "pv"])
        self.assertEqual(rows, [["in", "1.0", "2,434", "-"],
                                ["pushf+cli+popf", "3.0", "wrong", "-"],
                                ["hypercall", "-", "-", "69.0"]])

    def test_verdicts(self):
        results = {"bare": column(one="ok", two="skipped"), "trap": column(one="not ok")}
        self.assertEqual([line.split() for line in ways.verdicts(results)],
                         [["bare", "trap"], ["one", "ok", "wrong"], ["two", "skipped", "missing"]])

    def test_picture(self):
        text = "\n".join(ways.picture(self.RESULTS))
        shapes = [shape.tag.partition("}")[2] for shape in xml.etree.ElementTree.fromstring(text)]
        # the ground, trap's place in the legend, and the bar of its row that is not wrong
        self.assertEqual(shapes.count("rect"), 3)
        self.assertIn(">2,434<", text)


if __name__ == "__main__":
    unittest.main()
