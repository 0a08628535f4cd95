#!/usr/bin/env python3
"""The exports of pvtrace, read by other programs: babeltrace2 reads the CTF directory, Python's own json and csv modules
the rest, and all three must tell the same as `pvtrace -c`. Over a synthetic trace, and over real ones:

    PVTRACE=build/pvtrace python3 tests/trace/test_exports.py [unittest's options] [TRACE ...]

TRACES=file[:file] in the environment does the same for `python3 -m unittest`."""
import collections
import csv
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gen  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PVTRACE = os.environ.get("PVTRACE", str(ROOT / "build" / "pvtrace"))
TRACES = [t for t in os.environ.get("TRACES", "").split(":") if t]
COLUMNS = "time,cpu,domain,vcpu,kind,name,operation,depth,result,errno,ticks,details".split(",")
KINDS = {"hypercall", "trap", "ptwr", "emulated", "send", "upcall", "runstate", "sched", "domain", "mem", "lost",
         "counter", "classes", "other"}
# What CTF calls the other kinds of lines; hypercalls and traps are compared apart.
CTF_NAMES = {kind: kind for kind in KINDS - {"hypercall", "trap", "send"}} | {"send": "evtchn_send"}


def run(*words, stdin=None):
    return subprocess.run([PVTRACE, *words], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)


def synthetic():
    """Everything once, a workload, and what is hard on exports: names of any bytes, losses, a guest that handles traps."""
    every = gen.one_of_each()
    work = gen.Cpu(number=1)
    work.domain(3, 0, b'a"b\\c,\n\xff\xc3\xa9\x01')
    work.runs((3, 0))
    work.begin("event_channel_op", 4, 0x9000)
    work.copy(0x9000, (5).to_bytes(4, "little"))
    work.send(0, 5, (3, 1), 7)
    work.result("event_channel_op", 0, 3 * work.step)
    work.switch((3, 1), old=gen.BLOCKED)
    work.upcall()
    work.page_fault(0xdead000, 6, rip=0xffffffff81000777)
    work.call("set_timer_op", 12345)
    work.call("iret", reads=[(0x7000, frame(0xffffffff81000777, 0xe030))])
    work.call("iret", reads=[(0x7000, frame(0x401000, 0xe033))])
    work.trap(13, code=0)                   # the guest never returns from it by hypercall
    work.begin("sched_op", 2, 0)            # shutdown: no result
    work.lost(17)
    work.begin("xen_version", 0, 0)
    work.result("xen_version", 0x40011, work.step)
    workload, _ = gen.workload(400, cut_every=40)
    return every.window() + work.window(), workload


def frame(rip, cs):
    return b"".join(n.to_bytes(8, "little") for n in (1, 2, 3, 0, rip, cs, 0x202, 0x7f00, 0xe02b))


class Export:
    """One trace in all three forms."""

    def __init__(self, trace, where):
        self.trace, self.ctf = str(trace), os.path.join(where, "ctf")
        shutil.rmtree(self.ctf, ignore_errors=True)
        self.errors = []
        self.csv = self.run("--csv", self.trace)
        self.json = self.run("--json", self.trace)
        self.run("--ctf", self.ctf, self.trace)
        self.rows = [dict(zip(COLUMNS, row)) for row in
                     list(csv.reader(io.StringIO(self.csv.decode(), newline=""), strict=True))[1:]]
        self.calls = [row for row in self.rows if row["kind"] == "hypercall"]
        self.document = json.loads(self.json)
        self.events = self.document["traceEvents"]
        self.read_ctf()

    def run(self, *words):
        done = run(*words)
        if done.returncode != 0:
            self.errors.append(f"pvtrace {' '.join(words)}: status {done.returncode}: {done.stderr.decode()}")
        return done.stdout

    def read_ctf(self):
        done = subprocess.run(["babeltrace2", "--clock-seconds", self.ctf], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=300)
        self.babeltrace_status, self.babeltrace_errors = done.returncode, done.stderr.decode()
        line = re.compile(r"\[(-?\d+\.\d{9})\] \([^)]*\) (?:\S+ )?(\w+): \{ cpu_id = (\d+) \}, \{ (.*) \}$")
        self.ctf_events = []
        for text in done.stdout.decode().splitlines():
            match = line.match(text)
            if match is None:
                raise AssertionError(f"babeltrace2 printed {text!r}")
            self.ctf_events.append(match.groups())
        self.ctf_counts = collections.Counter(name for _, name, _, _ in self.ctf_events)

    def lost(self):
        return sum(int(re.search(r"records = (\d+)", e[3])[1]) for e in self.ctf_events if e[1] == "lost")


def ctf_field(text, name):
    match = re.search(rf'\b{name} = (?:"([^"]*)"|\( "(\w+)" : container = \d+ \)|(\S+?))(?:,|$| \}})', text)
    return next(group for group in match.groups() if group is not None) if match else None


def nanoseconds(text):
    return int(text.replace(".", ""))       # nine decimals, always


class Base:
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

    # --- CSV ---------------------------------------------------------------------------------------------------------
    def test_csv_is_a_table(self):
        text = self.export.csv.decode()
        self.assertTrue(text.startswith(",".join(COLUMNS) + "\n"))
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        self.assertEqual({len(row) for row in rows}, {len(COLUMNS)})
        self.assertEqual(len(rows), text.count("\n"), "one line of the file for each row")
        self.assertGreater(len(rows), 1)

    def test_csv_columns(self):
        shapes = {"time": r"-?\d+\.\d{9}", "cpu": r"\d+", "domain": r"\d*", "vcpu": r"\d*", "name": r".+",
                  "depth": r"\d*", "result": r"(-?\d+)?", "errno": r"(E[A-Z0-9]+)?", "ticks": r"\d*"}
        for row in self.export.rows:
            self.assertIn(row["kind"], KINDS)
            for column, shape in shapes.items():
                if (row["kind"], column) != ("classes", "name"):
                    self.assertRegex(row[column], rf"\A(?:{shape})\Z", row)
        for row in self.export.calls:
            self.assertRegex(row["depth"], r"\A\d\Z")
            self.assertEqual(row["errno"] != "", row["errno"] != "" and int(row["result"]) < 0, row)

    # --- CTF ---------------------------------------------------------------------------------------------------------
    def test_babeltrace_has_no_complaints(self):
        self.assertEqual(self.export.babeltrace_status, 0, self.export.babeltrace_errors)
        complaints = [line for line in self.export.babeltrace_errors.splitlines() if line]
        lost = self.export.lost()
        if lost:                            # it says so itself, and how many
            told = [int(n) for line in complaints for n in re.findall(r"discarded (\d+) events?", line)]
            self.assertEqual(sum(told), lost, complaints)
            complaints = [line for line in complaints if "discarded" not in line]
        self.assertEqual(complaints, [])

    def test_ctf_counts(self):
        counts = collections.Counter(row["kind"] for row in self.export.rows)
        for kind, name in CTF_NAMES.items():
            self.assertEqual(self.export.ctf_counts[name], counts[kind], name)
        self.assertEqual(self.export.ctf_counts["trap"] + self.export.ctf_counts["page_fault"], counts["trap"])
        self.assertEqual(self.export.ctf_counts["hypercall_exit"], counts["hypercall"])
        self.assertLessEqual(self.export.ctf_counts["hypercall_entry"], counts["hypercall"])
        self.assertLessEqual(set(self.export.ctf_counts), set(CTF_NAMES.values()) | {
            "hypercall_entry", "hypercall_exit", "trap", "page_fault"})

    def test_ctf_calls_are_the_lines_of_csv(self):
        ours = collections.Counter((row["domain"], row["vcpu"], row["name"], row["operation"], row["depth"], row["errno"],
                                    row["ticks"] or "0", row["result"] or "0") for row in self.export.calls)
        fields = ("domid", "vcpu", "name", "operation", "depth", "error", "ticks", "result")
        theirs = collections.Counter()
        for _, name, _, text in self.export.ctf_events:
            if name == "hypercall_exit":
                call = [ctf_field(text, field).replace("-", "", 1) if field in ("operation", "error")
                        else ctf_field(text, field) for field in fields]
                theirs[tuple(["", ""] + call[2:] if int(call[0]) >= gen.IDLE else call)] += 1
        self.assertEqual(theirs, ours)

    def test_ctf_times_are_those_of_csv(self):
        """But for one nanosecond: babeltrace2 rounds the clock's offset and the time apart from each other."""
        ours = sorted((row["kind"], nanoseconds(row["time"])) for row in self.export.rows if row["kind"] != "hypercall")
        kinds = {name: kind for kind, name in CTF_NAMES.items()} | {"trap": "trap", "page_fault": "trap"}
        theirs = sorted((kinds[name], nanoseconds(time)) for time, name, _, _ in self.export.ctf_events
                        if not name.startswith("hypercall"))
        self.assertEqual([kind for kind, _ in theirs], [kind for kind, _ in ours])
        self.assertEqual([(a, b) for a, b in zip(ours, theirs) if abs(a[1] - b[1]) > 1], [])

    # --- JSON --------------------------------------------------------------------------------------------------------
    def test_json_structure(self):
        named = {(e["pid"], e["tid"]) for e in self.export.events if e["ph"] == "M" and e["name"] == "thread_name"}
        processes = {e["pid"] for e in self.export.events if e["ph"] == "M" and e["name"] == "process_name"}
        for event in self.export.events:
            self.assertIn(event["ph"], "XiMsf")
            self.assertIn(event["pid"], processes)
            if event["ph"] == "M":
                continue
            self.assertIn((event["pid"], event["tid"]), named, event)
            self.assertTrue(event["name"] and event["cat"])
            if event["ph"] == "X":
                self.assertGreaterEqual(event["dur"], 0)
            if event["ph"] == "i":
                self.assertIn(event["s"], "tpg")
        self.assertEqual(set(re.findall(rb'"(?:ts|dur)":([^,}]*)', self.export.json)) -
                         set(re.findall(rb'"(?:ts|dur)":(-?\d+\.\d{3})[,}]', self.export.json)), set())
        other = self.export.document["otherData"]
        self.assertGreater(other["tsc_hz"], 0)
        self.assertEqual(other["records_lost"], self.export.lost())

    def test_json_calls(self):
        ours = collections.Counter(row["operation"] or row["name"] for row in self.export.calls)
        theirs = collections.Counter(e["name"] for e in self.export.events if e.get("cat") == "hypercall")
        self.assertEqual(theirs, ours)
        results = collections.Counter(int(row["result"]) for row in self.export.calls if row["result"])
        self.assertEqual(collections.Counter(int(e["args"]["result"]) for e in self.export.events
                                             if e.get("cat") == "hypercall" and "result" in e["args"]), results)

    def test_json_nothing_missing(self):
        counts = collections.Counter(row["kind"] for row in self.export.rows)
        theirs = collections.Counter(e["cat"] for e in self.export.events if e["ph"] in "Xi")
        for kind in ("trap", "upcall", "ptwr", "emulated", "send", "domain", "mem", "lost", "counter", "classes", "other"):
            self.assertEqual(theirs[kind], counts[kind], kind)

    def slices(self):
        """Slices of each track in order, times in whole nanoseconds: (from, to, event)."""
        tracks = collections.defaultdict(list)
        for e in self.export.events:
            if e["ph"] == "X":
                start, took = round(e["ts"] * 1000), round(e["dur"] * 1000)
                tracks[e["pid"], e["tid"]].append((start, start + took, e))
        for track in tracks.values():
            track.sort(key=lambda s: (s[0], -s[1]))
        return tracks

    def test_json_slices_nest(self):
        for track, slices in self.slices().items():
            open_ends = []
            for start, end, event in slices:
                while open_ends and open_ends[-1] <= start:
                    open_ends.pop()
                self.assertTrue(not open_ends or end <= open_ends[-1], (track, event))
                open_ends.append(end)

    def test_json_members_are_inside_their_multicall(self):
        members = sum(row["depth"] != "0" for row in self.export.calls)
        inside = 0
        for slices in self.slices().values():
            outer = None
            for start, end, event in slices:
                if event["cat"] == "hypercall" and outer is not None and start < outer:
                    self.assertLessEqual(end, outer)    # a refused multicall among the members, too
                    inside += 1
                elif event["cat"] == "hypercall" and event["name"] == "multicall":
                    outer = end
        self.assertEqual(inside, members)

    def test_json_arrows(self):
        tracks = self.slices()
        ends = {e["id"]: e for e in self.export.events if e["ph"] == "f"}
        starts = {e["id"]: e for e in self.export.events if e["ph"] == "s"}
        self.assertEqual(set(starts), set(ends))
        for arrow, categories in [(e, {"hypercall"}) for e in starts.values()] + [(e, {"upcall"}) for e in ends.values()]:
            at = round(arrow["ts"] * 1000)
            self.assertTrue(any(start <= at <= end and e["cat"] in categories
                                for start, end, e in tracks[arrow["pid"], arrow["tid"]]), arrow)
            if arrow["ph"] == "s":
                self.assertLessEqual(arrow["ts"], ends[arrow["id"]]["ts"])

    # --- and the summary ---------------------------------------------------------------------------------------------
    def test_summary_counts_the_same(self):
        done = run("-c", self.export.trace)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        table = done.stdout.decode().split("total\n")[0]         # all guests, or the only one
        row = re.compile(r" *[\d.]+(?: +\S+){3} +(\d+) {1,9}(?:\d+)? *(\S+)$")
        theirs = {match[2]: int(match[1]) for match in map(row.match, table.splitlines()) if match}
        ours = collections.Counter(row["name"] for row in self.export.calls)
        operations = collections.Counter(row["operation"] for row in self.export.calls if row["operation"])
        self.assertEqual({name: theirs.get(name) for name in ours}, dict(ours), table)
        for name, count in operations.items():
            if not name.startswith("MMUEXT"):                   # there it counts by what all elements ask
                self.assertEqual(theirs.get(name), count, f"{name}\n{table}")


class Everything(Base, unittest.TestCase):
    @staticmethod
    def make(where):
        path = pathlib.Path(where) / "each.trace"
        path.write_bytes(synthetic()[0])
        return path

    def handlers(self):
        return {(e["cat"], e["name"]): e for e in self.export.events if e.get("cat") in ("trap", "upcall")
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
        names = [e["args"]["name"] for e in self.export.events if e["ph"] == "M" and e["name"] == "process_name"]
        self.assertTrue(any(name.startswith('domain 3: a"b\\c,') for name in names), names)


class Workload(Base, unittest.TestCase):
    @staticmethod
    def make(where):
        path = pathlib.Path(where) / "work.trace"
        path.write_bytes(synthetic()[1])
        return path


class Directory(unittest.TestCase):
    """--ctf into what is already there."""

    def setUp(self):
        where = tempfile.TemporaryDirectory()
        self.addCleanup(where.cleanup)
        self.ctf = pathlib.Path(where.name) / "ctf"
        self.trace = pathlib.Path(where.name) / "trace"
        self.trace.write_bytes(synthetic()[0])

    def write(self):
        return run("--ctf", str(self.ctf), str(self.trace)).returncode

    def files(self):
        return {file.name for file in self.ctf.iterdir()}

    def test_an_earlier_trace_is_replaced(self):
        self.assertEqual(self.write(), 0)
        self.assertEqual(self.files(), {"metadata", "stream_0", "stream_1"})
        self.trace.write_bytes(gen.one_of_each().window())
        self.assertEqual(self.write(), 0)
        self.assertEqual(self.files(), {"metadata", "stream_0"})

    def test_an_empty_directory_is_used(self):
        self.ctf.mkdir()
        self.assertEqual(self.write(), 0)

    def test_anything_else_is_left_alone(self):
        for name, text in (("letter", "dear"), ("metadata", "/* CTF 1.8 */\nsomebody else's"), ("stream_0", "data")):
            with self.subTest(name):
                self.ctf.mkdir()
                (self.ctf / name).write_text(text)
                self.assertNotEqual(self.write(), 0)
                self.assertEqual(self.files(), {name})
                self.assertEqual((self.ctf / name).read_text(), text)
                shutil.rmtree(self.ctf)

    def test_an_earlier_trace_with_something_added(self):
        self.assertEqual(self.write(), 0)
        (self.ctf / "notes").write_text("mine")
        before = {file: (self.ctf / file).read_bytes() for file in self.files()}
        self.assertNotEqual(self.write(), 0)
        self.assertEqual({file: (self.ctf / file).read_bytes() for file in self.files()}, before)

    def test_a_file_is_no_directory(self):
        self.ctf.write_text("mine")
        self.assertNotEqual(self.write(), 0)
        self.assertEqual(self.ctf.read_text(), "mine")

    def test_no_clock(self):
        cpu = gen.Cpu(start=False)
        cpu.runs((1, 0))
        cpu.now = 2_400_000_000 * 5
        cpu.call("stack_switch", 1, 2)
        self.trace.write_bytes(cpu.window())
        export = Export(self.trace, self.ctf.parent)
        self.assertEqual((export.errors, export.babeltrace_errors), ([], ""))
        call, = export.calls
        self.assertEqual(call["time"], "5.000000416")
        self.assertEqual([e["ts"] for e in export.events if e.get("cat") == "hypercall"], [5000000.416])
        self.assertEqual([time for time, name, _, _ in export.ctf_events if name == "hypercall_entry"], ["5.000000416"])


def load_tests(loader, suite, _pattern):
    for trace in TRACES:
        real = type("Given", (Base, unittest.TestCase), {"make": staticmethod(lambda where, trace=trace: trace)})
        suite.addTests(loader.loadTestsFromTestCase(real))
    return suite


if __name__ == "__main__":
    TRACES += [word for word in sys.argv[1:] if os.path.isfile(word)]
    unittest.main(argv=[word for word in sys.argv if word == sys.argv[0] or not os.path.isfile(word)])
