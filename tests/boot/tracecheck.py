"""Checks of a boot's trace: that no record is missing, and that each stands for something that
happened. Each function yields faults. Called by run.py for the cases' `traced`."""

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
    """pvtrace's CSV; pvtrace has to read all of the trace without an error."""
    status, out, err = run([args.pvtrace, "--csv", trace])
    if status or err:
        raise RuntimeError(f"pvtrace --csv {trace}: exit status {status}: {err.strip()[:200]}")
    lines = csv.reader(out.splitlines())
    names = next(lines, ())
    return (dict(zip(names, line)) for line in lines)


def said(report, pattern):
    """The groups of the pattern in the first line of the hypervisor that it matches, or None."""
    for line in report.lines:
        if line.startswith("(XEN)") and (found := re.search(pattern, line)):
            return found.groups()
    return None


def counters(args, report, trace):
    """Every hypercall that the hypervisor counted is in the trace, and no other."""
    counted = {}
    for line in report.lines:
        if found := re.match(r"\(XEN\)  +(\d+) (\w+)$", line):
            counted[found[2]] = int(found[1])
        elif found := re.match(r"\(XEN\) +(\d+) of numbers that are not served", line):
            counted[""] = int(found[1])
    traced, kinds = collections.Counter(), collections.Counter()
    for row in rows(args, trace):
        kinds[row["kind"]] += 1
        # The table of counts ends at 63.
        uncounted = re.fullmatch(r"hypercall_(6[4-9]|[7-9]\d|\d{3,})", row["name"])
        if row["kind"] == "hypercall" and not uncounted:
            traced[row["name"] if row["name"] in counted else ""] += 1
    if kinds["lost"]:
        yield f"records were lost {kinds['lost']} times"
    if not counted:
        yield "the hypervisor printed no counts"
    for name in sorted(set(counted) | set(traced)):
        if counted.get(name, 0) != traced[name]:
            yield f"{name or 'not served'}: {counted.get(name, 0)} counted, {traced[name]} traced"
    status, out, err = run([args.pvtrace, "-c", trace])
    if status or not re.search(r"\bagree", out + err):
        yield "pvtrace -c does not say that it agrees with the counters: " + \
            (out + err).strip()[-200:]


def several_cpus(args, report, trace):
    """Every call is in the trace; what happened at one time on several CPUs is in the order of
    time; vCPUs run on more than one CPU, and go on on others."""
    yield from counters(args, report, trace)
    last, cpus, homes = 0.0, set(), {}
    for row in rows(args, trace):
        if row["kind"] == "hypercall":  # has the time of its beginning, and comes at its end
            continue
        now = float(row["time"])
        if now < last:
            yield f"{row['kind']} on CPU {row['cpu']} at {now:.9f} comes after {last:.9f}"
            return
        last = now
        cpus.add(row["cpu"])
        if row["kind"] == "runstate" and row["vcpu"]:
            homes.setdefault((row["domain"], row["vcpu"]), set()).add(row["cpu"])
    if len(cpus) < 2 or all(len(where) < 2 for where in homes.values()):
        yield f"records of CPUs {sorted(cpus)}, vCPUs by CPU: {homes}"


def counters_and_xenalyze(args, report, trace, check=counters):
    """Debian's xenalyze counts the same as pvtrace."""
    yield from check(args, report, trace)
    yield from last_lines("xenalyze", [args.xenalyze, os.path.abspath(args.pvtrace),
                                       os.path.abspath(trace)])


def others_read_it(args, report, trace):
    """That, and babeltrace2 reads pvtrace's CTF, and the other exports are consistent with it."""
    yield from counters_and_xenalyze(args, report, trace)
    pvtrace, trace = os.path.abspath(args.pvtrace), os.path.abspath(trace)
    yield from last_lines("test_exports", [trace], env={**os.environ, "PVTRACE": pvtrace})


def several_cpus_and_xenalyze(args, report, trace):
    yield from counters_and_xenalyze(args, report, trace, several_cpus)


def last_lines(script, words, **more):
    """The end of what a script of tests/trace printed, if it failed."""
    program = os.path.join(READERS, script + ".py")
    status, out, err = run([sys.executable, "-B", program, *words], **more)
    if status:
        yield from (f"{script}: {line}" for line in (out + err).splitlines()[-8:])


def golden(args, report, trace):
    """The suites' records are those of the golden file, in the fields that do not depend on time,
    addresses or the build. Equal records in a row are one line. GOLDEN=write in the environment
    makes the file anew from this trace."""
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
        difference = difflib.unified_diff(wanted, text, "golden", "seen", n=1)
        yield from (line.rstrip() for line in itertools.islice(difference, 12))


def only_domain_1(args, report, trace):
    """Domain 1 has hypercalls in the trace, and the guest that is not traced has none."""
    found = collections.Counter(row["domain"] for row in rows(args, trace)
                                if row["kind"] == "hypercall")
    if set(found) != {"1"}:
        yield f"hypercalls by domain: {dict(found)}"


def losses_are_counted(args, report, trace):
    """With a ring too small for all records, those in the trace and those reported as lost are
    together as many as were written."""
    total = said(report, r"Trace: (\d+) records")
    status, out, err = run([args.pvtrace, "-c", trace])
    lost = re.search(r"(\d[\d,]*) records? (?:were )?lost|lost records?:? +(\d[\d,]*)", out + err)
    if status or not total or not lost:
        yield f"no total or no number of lost records (exit status {status}): " + \
            (out + err).strip()[-200:]
        return
    nr_lost = int((lost[1] or lost[2]).replace(",", ""))
    with open(trace, "rb") as file:
        there = records(file.read())
    if not 0 < nr_lost < int(total[0]) or nr_lost + there != int(total[0]):
        yield f"{total[0]} records written, {nr_lost} reported as lost, {there} in the trace"


def records(data):
    """How many of the hypervisor's records are in a trace file: all but the heads of windows and
    the records that report a loss; and but the last window of each CPU where there are several, as
    with these pvtrace ends the file."""
    at, windows = 0, []
    while at < len(data):
        header = int.from_bytes(data[at:at + 4], "little")
        if header & 0xfffffff == 0x1f003:
            windows.append([int.from_bytes(data[at + 4:at + 8], "little"), 0])
        else:
            windows[-1][1] += header & 0xfffffff != 0x1f001
        at += 4 + 4 * (header >> 28 & 7) + 8 * (header >> 31)
    nr_cpus = len({cpu for cpu, _ in windows})
    return sum(count for _, count in windows[:-nr_cpus if nr_cpus > 1 else None])
