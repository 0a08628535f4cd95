"""A trace in all forms that the reader exports, read by other programs: babeltrace2 and Python's
own json and csv modules. Used by the tests of the exports."""
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

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gen  # noqa: E402
import gen_traces  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PVTRACE = os.environ.get("PVTRACE", str(ROOT / "build" / "pvtrace"))
COLUMNS = "time,cpu,domain,vcpu,kind,name,operation,depth,result,errno,ticks,details".split(",")
KINDS = {"hypercall", "trap", "ptwr", "emulated", "send", "upcall", "runstate", "migrated",
         "sched", "domain", "mem", "lost", "counter", "classes", "other"}
# What CTF calls the other kinds of lines; hypercalls and traps are compared apart.
CTF_NAMES = {kind: kind for kind in KINDS - {"hypercall", "trap", "send"}} | {"send": "evtchn_send"}


def run(*words, stdin=None):
    return subprocess.run([PVTRACE, *words], stdin=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=300)


def synthetic():
    """Two traces. The first has every kind of record, and what is hard on exports: names of any
    bytes, losses, a guest that handles traps. The second is a workload."""
    every = gen_traces.one_of_each()
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
    workload, _ = gen_traces.workload(400, cut_every=40)
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
            self.errors.append(f"pvtrace {' '.join(words)}: status {done.returncode}: "
                               f"{done.stderr.decode()}")
        return done.stdout

    def read_ctf(self):
        done = subprocess.run(["babeltrace2", "--clock-seconds", self.ctf], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE,
                              timeout=300)
        self.babeltrace_status, self.babeltrace_errors = done.returncode, done.stderr.decode()
        line = re.compile(r"\[(-?\d+\.\d{9})\] \([^)]*\) (?:\S+ )?(\w+): "
                          r"\{ cpu_id = (\d+) \}, \{ (.*) \}$")
        self.ctf_events = []
        for text in done.stdout.decode().splitlines():
            match = line.match(text)
            if match is None:
                raise AssertionError(f"babeltrace2 printed {text!r}")
            self.ctf_events.append(match.groups())
        self.ctf_counts = collections.Counter(name for _, name, _, _ in self.ctf_events)

    def lost(self):
        return sum(int(re.search(r"records = (\d+)", e[3])[1]) for e in self.ctf_events
                   if e[1] == "lost")


def ctf_field(text, name):
    match = re.search(rf'\b{name} = (?:"([^"]*)"|\( "(\w+)" : container = \d+ \)|(\S+?))'
                      r'(?:,|$| \})', text)
    return next(group for group in match.groups() if group is not None) if match else None


def nanoseconds(text):
    return int(text.replace(".", ""))       # nine decimals, always
