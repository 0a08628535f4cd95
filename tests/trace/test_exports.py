#!/usr/bin/env python3
"""The exports of pvtrace, read by other programs, must all tell the same as `pvtrace -c`. They are
compared over a synthetic trace, and over real ones:

    PVTRACE=build/pvtrace python3 tests/trace/test_exports.py [unittest's options] [TRACE ...]

TRACES=file[:file] in the environment does the same for `python3 -m unittest`."""
import collections
import csv
import io
import os
import pathlib
import re
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gen  # noqa: E402
from export import (COLUMNS, CTF_NAMES, KINDS, Export, ctf_field, nanoseconds,  # noqa: E402
                    run, synthetic)
from export_json import Json  # noqa: E402

TRACES = [t for t in os.environ.get("TRACES", "").split(":") if t]


class Base(Json):
    """The tests; a class for each trace adds `make`, which says where it is."""

    @classmethod
    def setUpClass(cls):
        cls.where = tempfile.TemporaryDirectory()
        cls.export = Export(cls.make(cls.where.name), cls.where.name)

    @classmethod
    def tearDownClass(cls):
        cls.where.cleanup()

    def test_status(self):
        self.assertEqual(self.export.errors, [])

    # --- CSV --------------------------------------------------------------------------------------
    def test_csv_is_a_table(self):
        text = self.export.csv.decode()
        self.assertTrue(text.startswith(",".join(COLUMNS) + "\n"))
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        self.assertEqual({len(row) for row in rows}, {len(COLUMNS)})
        self.assertEqual(len(rows), text.count("\n"), "one line of the file for each row")
        self.assertGreater(len(rows), 1)

    def test_csv_columns(self):
        shapes = {"time": r"-?\d+\.\d{9}", "cpu": r"\d+", "domain": r"\d*", "vcpu": r"\d*",
                  "name": r".+",
                  "depth": r"\d*", "result": r"(-?\d+)?", "errno": r"(E[A-Z0-9]+)?",
                  "ticks": r"\d*"}
        for row in self.export.rows:
            self.assertIn(row["kind"], KINDS)
            for column, shape in shapes.items():
                if (row["kind"], column) != ("classes", "name"):
                    self.assertRegex(row[column], rf"\A(?:{shape})\Z", row)
        for row in self.export.calls:
            self.assertRegex(row["depth"], r"\A\d\Z")
            self.assertEqual(row["errno"] != "", row["errno"] != "" and int(row["result"]) < 0, row)

    # --- CTF --------------------------------------------------------------------------------------
    def test_babeltrace_has_no_complaints(self):
        self.assertEqual(self.export.babeltrace_status, 0, self.export.babeltrace_errors)
        complaints = [line for line in self.export.babeltrace_errors.splitlines() if line]
        lost = self.export.lost()
        if lost:                            # it says so itself, and how many
            told = [int(n) for line in complaints
                    for n in re.findall(r"discarded (\d+) events?", line)]
            self.assertEqual(sum(told), lost, complaints)
            complaints = [line for line in complaints if "discarded" not in line]
        self.assertEqual(complaints, [])

    def test_ctf_counts(self):
        counts = collections.Counter(row["kind"] for row in self.export.rows)
        for kind, name in CTF_NAMES.items():
            self.assertEqual(self.export.ctf_counts[name], counts[kind], name)
        self.assertEqual(self.export.ctf_counts["trap"] + self.export.ctf_counts["page_fault"],
                         counts["trap"])
        self.assertEqual(self.export.ctf_counts["hypercall_exit"], counts["hypercall"])
        self.assertLessEqual(self.export.ctf_counts["hypercall_entry"], counts["hypercall"])
        self.assertLessEqual(set(self.export.ctf_counts), set(CTF_NAMES.values()) | {
            "hypercall_entry", "hypercall_exit", "trap", "page_fault"})

    def test_ctf_calls_are_the_lines_of_csv(self):
        ours = collections.Counter((row["domain"], row["vcpu"], row["name"], row["operation"],
                                    row["depth"], row["errno"],
                                    row["ticks"] or "0", row["result"] or "0")
                                   for row in self.export.calls)
        fields = ("domid", "vcpu", "name", "operation", "depth", "error", "ticks", "result")
        theirs = collections.Counter()
        for _, name, _, text in self.export.ctf_events:
            if name == "hypercall_exit":
                call = [ctf_field(text, field).replace("-", "", 1)
                        if field in ("operation", "error")
                        else ctf_field(text, field) for field in fields]
                theirs[tuple(["", ""] + call[2:] if int(call[0]) >= gen.IDLE else call)] += 1
        self.assertEqual(theirs, ours)

    def test_ctf_times_are_those_of_csv(self):
        """Times may differ by one nanosecond: babeltrace2 rounds the clock's offset and the time
        separately."""
        ours = sorted((row["kind"], nanoseconds(row["time"])) for row in self.export.rows
                      if row["kind"] != "hypercall")
        kinds = {name: kind for kind, name in CTF_NAMES.items()} | {"trap": "trap",
                                                                    "page_fault": "trap"}
        theirs = sorted((kinds[name], nanoseconds(time)) for time, name, _,
                        _ in self.export.ctf_events
                        if not name.startswith("hypercall"))
        self.assertEqual([kind for kind, _ in theirs], [kind for kind, _ in ours])
        self.assertEqual([(a, b) for a, b in zip(ours, theirs) if abs(a[1] - b[1]) > 1], [])

    # --- and the summary --------------------------------------------------------------------------
    def test_summary_counts_the_same(self):
        done = run("-c", self.export.trace)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        table = done.stdout.decode().split("total\n")[0]         # all guests, or the only one
        row = re.compile(r" *[\d.]+(?: +\S+){3} +(\d+) {1,9}(?:\d+)? *(\S+)$")
        theirs = {match[2]: int(match[1]) for match in map(row.match, table.splitlines()) if match}
        ours = collections.Counter(row["name"] for row in self.export.calls)
        operations = collections.Counter(row["operation"] for row in self.export.calls
                                         if row["operation"])
        self.assertEqual({name: theirs.get(name) for name in ours}, dict(ours), table)
        for name, count in operations.items():
            if not name.startswith("MMUEXT"):   # the table counts what all elements of a list ask
                self.assertEqual(theirs.get(name), count, f"{name}\n{table}")


class Everything(Base, unittest.TestCase):
    @staticmethod
    def make(where):
        path = pathlib.Path(where) / "each.trace"
        path.write_bytes(synthetic()[0])
        return path

    def handlers(self):
        return {(e["cat"], e["name"]): e for e in self.export.events
                if e.get("cat") in ("trap", "upcall")
                and e["pid"] == 3}

    def test_there_are_arrows(self):
        self.assertGreater(sum(e["ph"] == "s" for e in self.export.events), 0)

    def test_handlers_end_at_their_iret(self):
        found = self.handlers()
        fault, upcall, trap = found["trap", "#PF"], found["upcall", "upcall"], found["trap", "#GP"]
        self.assertEqual((fault["ph"], upcall["ph"], trap["ph"]), ("X", "X", "i"))
        self.assertEqual(fault["args"]["until"], "returned to where it was")
        self.assertEqual(upcall["args"]["until"], "returned to user mode")
        self.assertGreater(upcall["ts"] + upcall["dur"], fault["ts"] + fault["dur"])

    def test_any_bytes_in_names(self):
        names = [e["args"]["name"] for e in self.export.events if e["ph"] == "M"
                 and e["name"] == "process_name"]
        self.assertTrue(any(name.startswith('domain 3: a"b\\c,') for name in names), names)


class Workload(Base, unittest.TestCase):
    @staticmethod
    def make(where):
        path = pathlib.Path(where) / "work.trace"
        path.write_bytes(synthetic()[1])
        return path


def load_tests(loader, suite, _pattern):
    for trace in TRACES:
        real = type("Given", (Base, unittest.TestCase),
                    {"make": staticmethod(lambda where, trace=trace: trace)})
        suite.addTests(loader.loadTestsFromTestCase(real))
    return suite


if __name__ == "__main__":
    TRACES += [word for word in sys.argv[1:] if os.path.isfile(word)]
    unittest.main(argv=[word for word in sys.argv if word == sys.argv[0]
                        or not os.path.isfile(word)])
