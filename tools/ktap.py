"""From the terminal's lines to a verdict.

Here is the reading of lines (a guest's `(d1) ...` lines with KTAP in them, the same lines without
prefix of a guest that is Xen's domain 0, and the hypervisor's own `(XEN) ...` lines) and the
decision, pass or fail with a reason. Not here: QEMU (qemu.py) and files. Called by paragon-run,
oracle-compare and tests/boot; tested by tests/tools.
"""

import re
from dataclasses import dataclass, field

ANSI = re.compile(r"\x1b(?:\[[0-9;?=]*[ -/]*[@-~]|[()][A-Za-z0-9]|[=>cM78])")
GUEST_LINE = re.compile(r"^\(d(\d+)\) ?(.*)$")
XEN_LINE = re.compile(r"^\(XEN\)(?: \[[^]]*\])? ?(.*)$")
RESULT = re.compile(r"^( *)(not ok|ok) (\d+)(?: - | )?(.*?)(?:\s*# (SKIP|TODO)\b ?(.*))?$")
PLAN = re.compile(r"^( *)1\.\.(\d+)")
SUBTEST = re.compile(r"^ *# Subtest: (.+)$")
FINAL = re.compile(r"^[a-z][a-z0-9-]*: (\d+) passed, (\d+) failed, (\d+) skipped$")
CRASH = re.compile(r"\bDomain (\d+)\b.*(?:\bcrashed\b|ended: (?:crash|watchdog))|"
                   r"\bHardware Dom(0) crashed")
ENDED = re.compile(r"^Domain (\d+) \((.*)\) ended: ([a-z ]+)$")
PANIC = re.compile(r"^Panic on CPU|^Xen (BUG|WARN) at|^Assertion .* failed|^FATAL TRAP")
KVM = re.compile(r"^(KVM internal error.*|error: kvm run failed.*)")
FRAMES = re.compile(r"^memory: (\d+) frames free (before guests|after the last guest)")


@dataclass
class Test:
    name: str  # suite/test
    verdict: str  # pass, fail or skip
    detail: str = ""  # reason of a skip, diagnostics of a failure


@dataclass
class Guest:
    """One domain's output. Results inside a nested block wait for the block's closing line, which
    names the suite."""

    domid: int
    tests: list = field(default_factory=list)
    final: tuple = None
    ktap: bool = False
    bailed: str = ""
    crashed: str = ""
    bad_plans: list = field(default_factory=list)
    pending: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    subtest: str = ""
    planned: int = None

    def count(self, verdict):
        return sum(test.verdict == verdict for test in self.tests)

    def feed(self, line):
        if line.strip().startswith("KTAP version"):
            self.ktap = True
        elif match := FINAL.match(line):
            self.final = tuple(int(n) for n in match.groups())
        elif line.startswith("Bail out!"):
            self.bailed = line
        elif match := SUBTEST.match(line):
            self.close(self.subtest)
            self.subtest, self.notes = match[1].strip(), []
        elif self.ktap and (match := PLAN.match(line)):
            if match[1]:
                self.planned = int(match[2])
        elif self.ktap and (match := RESULT.match(line)):
            self.result(match)
        elif self.ktap and line.lstrip().startswith("#"):
            self.notes.append(line.strip("# "))

    def result(self, match):
        indent, word, _, name, directive, reason = match.groups()
        verdict = "skip" if directive else "pass" if word == "ok" else "fail"
        test = Test(name.strip(), verdict, reason or "" if directive else "\n".join(self.notes))
        self.notes = []
        if indent:
            self.pending.append(test)
        elif self.pending or self.planned is not None:
            bad = any(inner.verdict == "fail" for inner in self.pending)
            self.close(test.name, whole=True)
            if verdict == "fail" and not bad:
                self.tests.append(test)
        else:
            self.tests.append(test)

    def close(self, suite, whole=False):
        """Ends a suite: by its closing line (whole), by the next one's start, or because the output
        ended."""
        if whole and self.planned is not None and self.planned != len(self.pending):
            self.bad_plans.append(f"{suite}: {self.planned} tests planned, "
                                  f"{len(self.pending)} reported")
        for test in self.pending:
            test.name = f"{suite}/{test.name}" if suite else test.name
        self.tests += self.pending
        self.pending, self.subtest, self.planned = [], "", None

    def fault(self):
        """What is wrong with what this guest reported, or ''."""
        who = f"guest {self.domid}"
        failed = [test.name for test in self.tests if test.verdict == "fail"]
        if failed or (self.final and self.final[1]):
            count = max(len(failed), self.final[1] if self.final else 0)
            return f"{who}: {count} failed ({', '.join(failed[:3])})"
        if self.bailed:
            return f"{who}: {self.bailed}"
        if not self.ktap:
            return ""
        if self.final is None:
            return f"{who}: stopped before its final line"
        if self.bad_plans:
            return f"{who}: {self.bad_plans[0]}"
        if (self.count("pass"), self.count("fail")) != self.final[:2]:
            return f"{who}: says {self.final[0]} passed, its lines show {self.count('pass')}"
        return ""


class Report:
    """The whole run. Feed it lines, then ask for the verdict."""

    def __init__(self):
        self.guests = {}
        self.panic = ""
        self.kvm = ""
        self.paragon = False
        self.frames = {}
        self.ended = {}  # domain number -> (name, reason), of those that ended
        self.raw = False  # a guest had the terminal to itself, and its lines no prefix
        self.lines = []

    def feed(self, raw):
        line = ANSI.sub("", raw).replace("\r", "").replace("\x18", "").rstrip()
        self.lines.append(line)
        if match := KVM.match(line):
            self.kvm = self.kvm or match[1]
        elif match := XEN_LINE.match(line):
            self.xen_line(match[1])
        elif match := GUEST_LINE.match(line):
            self.guest(int(match[1])).feed(match[2])
        elif 0 in self.guests or line.startswith("KTAP version"):
            self.guest(0).feed(line)
        return line

    def guest(self, domid):
        return self.guests.setdefault(domid, Guest(domid))

    def xen_line(self, text):
        self.paragon |= "Paragon" in text
        self.raw |= "has the terminal to itself" in text
        if match := ENDED.match(text):
            self.ended[int(match[1])] = match[2], match[3]
        if match := CRASH.search(text):
            domid = next(group for group in match.groups() if group is not None)
            guest = self.guest(int(domid))
            guest.crashed = guest.crashed or text
        elif PANIC.search(text):
            self.panic = self.panic or text
        elif match := FRAMES.match(text):
            self.frames[match[2]] = int(match[1])

    def finish(self):
        for guest in self.guests.values():
            guest.close(guest.subtest)

    def totals(self):
        return [sum(g.count(verdict) for g in self.guests.values())
                for verdict in ("pass", "fail", "skip")]

    def tested(self):
        return any(guest.ktap for guest in self.guests.values())

    def endings(self):
        """How guests ended, in words; the service domain (number 0) ends with the last of them and
        is left out."""
        guests = [f"guest {name} ended: {reason}"
                  for domid, (name, reason) in sorted(self.ended.items()) if domid]
        return "G" + "; ".join(guests)[1:] if guests else "Only the service domain ran"


def machine_fault(report, ended, status):
    """What is wrong with the machine as a whole. QEMU ends in the same way at a power-off and at a
    triple fault: so Paragon must have printed that the last guest ended, with as many free frames
    as before the first."""
    if report.kvm:
        return (f"{report.kvm}: KVM came to an instruction that it cannot carry out. Without VT-x "
                "or SVM it interprets what ring 0 does, and does not know every instruction: "
                "ACCEL=tcg does")
    if report.panic:
        return f"the hypervisor panicked: {report.panic}"
    if not ended:
        return "time limit reached, QEMU was stopped"
    if status:
        return f"QEMU ended with status {status}"
    before, after = (report.frames.get(when) for when in ("before guests", "after the last guest"))
    if report.paragon and after is None:
        return "the machine stopped before the last guest ended"
    if before != after:
        return f"frames leaked: {before} free before the guests, {after} after"
    return ""


def judge(report, ended, status=0, expect_crash=()):
    """The decision: (passed, one-line reason)."""
    report.finish()
    reasons = [machine_fault(report, ended, status)]
    for guest in sorted(report.guests.values(), key=lambda g: g.domid):
        if guest.domid in expect_crash:
            reasons.append("" if guest.crashed else f"guest {guest.domid} was to crash and did not")
        elif guest.crashed:
            reasons.append(f"guest {guest.domid} crashed: {guest.crashed}")
        else:
            reasons.append(guest.fault())
    reasons += [f"guest {n} was to crash and printed nothing"
                for n in expect_crash if n not in report.guests]
    if report.tested():
        empty = not any(t.verdict != "skip" for g in report.guests.values() for t in g.tests)
        reasons.append("no test ran" if empty and not expect_crash else "")
    elif not report.paragon:
        reasons.append("nothing on the terminal was a hypervisor's or a test's")
    elif not report.guests and not report.raw:
        reasons.append("no guest said anything")
    reasons = [reason for reason in reasons if reason]
    passed, failed, skipped = report.totals()
    if not reasons and not report.tested() and report.ended:
        return True, report.endings()
    return not reasons, "; ".join(reasons) or f"{passed} passed, {failed} failed, {skipped} skipped"
