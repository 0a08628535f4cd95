#!/usr/bin/env python3
"""xenalyze.py XENALYZE PVTRACE TRACE: does Debian's reader of Xen's traces count the same
hypercalls as ours?

For each domain and each hypercall the two numbers must be equal, members of multicalls included
(xenalyze counts them in both of its sums), and so must the numbers of page faults and emulated
instructions. What xenalyze prints besides its usual lines (CHATTER) is a complaint about the trace,
and is a failure."""
import collections
import csv
import io
import pathlib
import re
import subprocess
import sys

CHATTER = re.compile(r"""Using\ VMX\ hardware-assisted\ virtualization\.$
    | scan_for_new_pcpu:\ Activating\ pcpu\ \d+\ at
    | Creating\ (vcpu\ \d+\ for\ dom|domain)\ \d+$
    | init_pcpus:\ through\ first\ trace\ write,\ done
    | Using\ first_tsc\ for\ d\d+v\d+ | read_record:\ read\ returned\ zero,\ deactivating\ pcpu
    | First\ schedule\ for\ d\d+v\d+\ doesn't\ take\ us\ into\ a\ running\ state
    | \ ?deactivat(e_pcpu:|ing\ pid)""", re.X)
THEIR_LAST = 55                 # of the hypercalls that xenalyze counts
HEADER = pathlib.Path("/usr/include/xen/xen.h")
NUMBERS = {m[1]: int(m[2])
           for m in re.finditer(r"#define __HYPERVISOR_(\w+)\s+(\d+)", HEADER.read_text())}
NUMBERS["mca"] = NUMBERS["arch_0"]      # arch-x86/xen-mca.h
IDLE = (32767, 32768)
# How many, as xenalyze heads it in "PV events": what pvtrace --csv has for it.
EVENTS = {"page_fault": "page fault", "emulate privop": "emulated",
          "forced_invalid_op": "emulated", "ptwr": "ptwr"}


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        sys.exit(f"{command[0]}: exit status {done.returncode}\n{done.stderr}")
    return done.stdout, done.stderr


def xenalyze_counts(text):
    """{(domid, hypercall number or kind of event): count}"""
    counts, domain, inside = collections.Counter(), None, False
    for line in text.splitlines():
        if m := re.match(r"\|-- Domain (\d+) --\|", line):
            domain, inside = int(m[1]), False
        elif line.startswith("PV events:"):
            inside = True
        elif not line.startswith(" "):
            inside = False
        elif inside and (m := re.match(r"    \S.*\[ *(\d+)\]: +(\d+)$", line)):
            counts[domain, int(m[1])] += int(m[2])
        elif inside and (m := re.match(r"  (\S.*?)  (\d+)$", line)) and m[1] in EVENTS:
            counts[domain, EVENTS[m[1]]] += int(m[2])
    return counts


def pvtrace_counts(text):
    counts = collections.Counter()
    for row in csv.DictReader(io.StringIO(text)):
        if row["kind"] == "hypercall":
            name = row["name"]
            m = re.fullmatch(r"hypercall_(\d+)", name)
            counts[int(row["domain"]), int(m[1]) if m else NUMBERS[name]] += 1
        elif row["domain"]:
            what = "page fault" if (row["kind"], row["name"]) == ("trap", "#PF") else row["kind"]
            if what in EVENTS.values():
                counts[int(row["domain"]), what] += 1
    return counts


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    xenalyze, pvtrace, trace = sys.argv[1:]
    theirs_text, said = run(xenalyze, "-s", trace)
    complaints = [line for line in said.splitlines() if line.strip() and not CHATTER.match(line)]
    theirs = {k: n for k, n in xenalyze_counts(theirs_text).items() if k[0] not in IDLE}
    ours = {k: n for k, n in pvtrace_counts(run(pvtrace, "--csv", trace)[0]).items()
            if k[0] not in IDLE and not (isinstance(k[1], int) and k[1] > THEIR_LAST)}
    wrong = [k for k in set(ours) | set(theirs) if ours.get(k, 0) != theirs.get(k, 0)]
    for line in complaints[:20]:
        print(f"xenalyze complains: {line}")
    for domid, what in sorted(wrong, key=str):
        name = {n: word for word, n in NUMBERS.items()}.get(what, what)
        print(f"d{domid} {name}: xenalyze {theirs.get((domid, what), 0)}, "
              f"pvtrace {ours.get((domid, what), 0)}")
    if not ours:
        print("no hypercalls in this trace: nothing was compared")
    if complaints or wrong or not ours:
        sys.exit(1)
    calls = sum(n for (_, what), n in ours.items() if isinstance(what, int))
    print(f"xenalyze and pvtrace agree: {calls} hypercalls of {len(ours)} kinds")


if __name__ == "__main__":
    main()
