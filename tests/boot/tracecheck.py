"""What has to be true of the trace of a boot: that nothing is missing or made up. Each function
yields faults."""

import collections
import csv
import difflib
import itertools
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
READERS = os.path.join(HERE, "..", "trace")
GOLDEN = os.path.join(HERE, "golden-trace.txt")
GOLDEN_SUITES = ("segments", "grants", "memory", "traps", "emulation", "iret", "pagetables")
GOLDEN_KINDS = ("hypercall", "trap", "page_fault", "emulated", "ptwr")


def run(argv, **more):
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False,
                          **more)
    return done.returncode, done.stdout, done.stderr


def rows(args, trace):
    """pvtrace's CSV; it has to read all of it without complaint."""
    status, out, err = run([args.pvtrace, "--csv", trace])
    if status or err:
        raise RuntimeError(f"pvtrace --csv {trace}: exit status {status}: {err.strip()[:200]}")
    return csv.DictReader(out.splitlines())


def said(report, pattern):
    """The groups of the first line of the hypervisor that the pattern is found on."""
    for line in report.lines:
        if line.startswith("(XEN)") and (found := re.search(pattern, line)):
            return found.groups()
    return None


def counters(args, report, trace):
    """Every hypercall that the hypervisor counted is in the trace, and no other."""
    counted = {}
    for line in report.lines:
        if found := re.match(r"\(XEN\) +(\d+) (\w+)$", line):
            counted[found[2]] = int(found[1])
        elif found := re.match(r"\(XEN\) +(\d+) of numbers that are not served", line):
            counted[""] = int(found[1])
    traced, kinds = collections.Counter(), collections.Counter()
    for row in rows(args, trace):
        kinds[row["kind"]] += 1
        if row["kind"] == "hypercall" and not re.fullmatch(r"hypercall_(6[4-9]|[7-9]\d|\d{3,})",
                                                           row["name"]):
            # the table that counts ends at 63
            traced[row["name"] if row["name"] in counted else ""] += 1
    if kinds["lost"]:
        yield f"records were lost {kinds['lost']} times"
    if not counted:
        yield "the hypervisor said no counts"
    for name in sorted(set(counted) | set(traced)):
        if counted.get(name, 0) != traced[name]:
            yield f"{name or 'not served'}: {counted.get(name, 0)} counted, {traced[name]} traced"
    status, out, err = run([args.pvtrace, "-c", trace])
    if status or not re.search(r"\bagree", out + err):
        yield f"pvtrace -c does not say that it agrees with the counters: {(out + err).strip()[-200:]}"


def others_read_it(args, report, trace):
    """Debian's xenalyze counts the same; babeltrace2 reads what we export for it, and our exports
    hold together."""
    yield from counters(args, report, trace)
    status, out, err = run([sys.executable, "-B", os.path.join(READERS, "xenalyze.py"),
                            args.xenalyze, args.pvtrace,
                            trace])
    if status:
        yield from (f"xenalyze: {line}" for line in (out + err).splitlines()[-8:])
    status, out, err = run([sys.executable, "-B", os.path.join(READERS, "test_exports.py"),
                            os.path.abspath(trace)],
                           env={**os.environ, "PVTRACE": os.path.abspath(args.pvtrace)})
    if status:
        yield from (f"exports: {line}" for line in (out + err).splitlines()[-8:])


def golden(args, report, trace):
    """What the suites ask, and what comes of it, in the fields that no clock, address or build
    changes. The same ones in a row are one line. GOLDEN=write in the environment takes what was
    seen as what has to be."""
    seen = [(row["kind"], row["name"], row["operation"] or "-", row["depth"] or "-",
             row["errno"] or "-")
            for row in rows(args, trace) if row["kind"] in GOLDEN_KINDS]
    text = [" ".join((*what, f"x{len(list(same))}")) + "\n"
            for what, same in itertools.groupby(seen)]
    if os.environ.get("GOLDEN") == "write":
        with open(GOLDEN, "w", encoding="utf-8") as file:
            file.writelines(text)
    with open(GOLDEN, encoding="utf-8") as file:
        wanted = file.readlines()
    if text != wanted:
        yield f"not as in {os.path.relpath(GOLDEN)}:"
        yield from itertools.islice((line.rstrip()
                                     for line in difflib.unified_diff(wanted, text, "golden",
                                                                      "seen", n=1)), 12)


def only_domain_1(args, report, trace):
    """A guest that is not to be traced leaves no hypercall, and the other has its own."""
    of = collections.Counter(row["domain"]
                             for row in rows(args, trace) if row["kind"] == "hypercall")
    if set(of) != {"1"}:
        yield f"hypercalls by domain: {dict(of)}"


def losses_are_said(args, report, trace):
    """A ring too small for what is written: what is lost and what is there are together what was
    written."""
    total = said(report, r"Trace: (\d+) records")
    status, out, err = run([args.pvtrace, "-c", trace])
    lost = re.search(r"(\d[\d,]*) records? (?:were )?lost|lost records?:? +(\d[\d,]*)", out + err)
    if status or not total or not lost:
        yield f"no total or no lost records said (exit status {status}): {(out + err).strip()[-200:]}"
        return
    nr_lost = int((lost[1] or lost[2]).replace(",", ""))
    with open(trace, "rb") as file:
        there = records(file.read())
    if not 0 < nr_lost < int(total[0]) or nr_lost + there != int(total[0]):
        yield f"{total[0]} records written, {nr_lost} said to be lost, {there} there"


def records(data):
    """How many records of the hypervisor's are in a trace file: all but the windows' heads and the
    notes of losses."""
    at = count = 0
    while at < len(data):
        header = int.from_bytes(data[at:at + 4], "little")
        at += 4 + 4 * (header >> 28 & 7) + 8 * (header >> 31)
        count += header & 0xfffffff not in (0x1f003, 0x1f001)
    return count
