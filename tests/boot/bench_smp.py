#!/usr/bin/env python3
"""What several CPUs cost and give: `make bench-smp`.

Counted in instructions (-icount, one thread emulates all CPUs, so no time is measured): the rows of
suite bench with one CPU and with four of which three are idle, and those of suite benchsmp.

Timed by the host's clock (each emulated CPU is a thread): updates of one guest's page tables by
several vCPUs, two guests against one, and a Linux that starts programs with two vCPUs against one.
Each is done six times, what is compared by turns; the best counts, and all are printed, with the
host's load average before. The times mean something only where the host has as many cores free as
the machine has CPUs.

QEMU emulates each CPU of a machine with several more slowly than the only one of another (its
atomic operations are the host's then), though the instructions are the same. So what is compared
runs on machines with two CPUs; the time on a machine with one is printed, too.
"""

import argparse
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
import qemu  # noqa: E402

ROW = re.compile(r"^\(d\d+\) +# bench: (.*) (\d+)$")
LOAD = re.compile(r"^\(d\d+\) +# benchload: (\d+) ms$")
FORKS = re.compile(r"^\(d\d+\) +# forks: .* (\d+) ms$")
FINAL = re.compile(r"^\(d\d+\) (guest-pv|linux): \d+ passed, 0 failed, 0 skipped$")
HZ = re.compile(r"^\(XEN\) .*TSC (\d+\.\d+) MHz")
TIMES = 6
PROGRAMS = 480


def boot(args, cpus, modules, icount=False, guests=1):
    """The lines of a run in which every guest ended well."""
    machine = {"accel": "tcg", "cpu": qemu.ICOUNT_CPU, "mem": 768, "firmware": "bios",
               "smp": cpus if cpus > 1 else 0, "icount": icount}
    lines = []
    qemu.run(qemu.command(machine, None, args.paragon, f"console=com1 maxcpus={cpus}", modules),
             args.limit, lambda line: lines.append(line.rstrip()))
    if sum(bool(FINAL.match(line)) for line in lines) != guests:
        sys.exit("bench-smp: a guest did not end well; the last lines:\n" + "\n".join(lines[-30:]))
    return lines


def guest(args, number, vcpus, suite):
    return f"{args.guest} name=g{number} mem=64M vcpus={vcpus} -- suites={suite}"


def rows(lines):
    return {m[1]: int(m[2]) for m in map(ROW.match, lines) if m}


def counts(args):
    one = rows(boot(args, 1, [guest(args, 1, 1, "bench")], icount=True))
    four = rows(boot(args, 4, [guest(args, 1, 1, "bench")], icount=True))
    print(f"{'instructions':62}{'1 CPU':>8}{'4 CPUs':>8}")
    for name, value in one.items():
        print(f"{name:62}{value:>8,}{four.get(name, 0):>8,}")
    four = rows(boot(args, 4, [guest(args, 1, 4, "benchsmp")], icount=True))
    for name, value in four.items():
        print(f"{name:62}{'':>8}{value:>8,}", flush=True)


def best_of(rows):
    """The least of what each of these functions returns, by turns; printed with its name."""
    load = os.getloadavg()[0]
    found = {what: [] for what in rows}
    for _ in range(TIMES):
        for what, function in rows.items():
            found[what].append(function())
    for what, values in found.items():
        every = ", ".join(f"{v:,}" for v in values)
        print(f"{what:50}{min(values):>8,} of {every}; load {load:.1f}", flush=True)
    return [min(values) for values in found.values()]


def slowest(pattern, lines):
    return max(int(m[1]) for m in map(pattern.match, lines) if m)


def update_time(args, vcpus):
    """ns for each update while so many vCPUs do them, on as many CPUs."""
    lines = boot(args, vcpus, [guest(args, 1, vcpus, "benchupdates")])
    mhz = next(float(m[1]) for m in map(HZ.match, lines) if m)
    row = next(v for k, v in rows(lines).items() if k.startswith(f"update_va_mapping by {vcpus} "))
    return round(row * 1000 / mhz)


def load_time(args, guests, cpus):
    """ms until each of so many guests has done its work, on a machine with so many CPUs."""
    modules = [guest(args, i + 1, 1, "benchload") for i in range(guests)]
    return slowest(LOAD, boot(args, cpus, modules, guests=guests))


def forks_time(args, vcpus, cpus):
    linux = f"{args.linux} name=linux mem=256M vcpus={vcpus} -- console=hvc0 vcpus={vcpus} "
    linux += f"paragon=forks programs={PROGRAMS}"
    return slowest(FORKS, boot(args, cpus, [linux, args.ramdisk]))


def times(args):
    print(f"{'best':>58} of all")
    best_of({f"ns for an update_va_mapping, {vcpus} vCPUs at once":
             lambda n=vcpus: update_time(args, n) for vcpus in (1, 2, 4)})
    _, one, two = best_of({
        "ms for a guest's work, machine with one CPU": lambda: load_time(args, 1, 1),
        "ms for a guest's work, machine with two CPUs": lambda: load_time(args, 1, 2),
        "ms for two guests' work, machine with two CPUs": lambda: load_time(args, 2, 2)})
    print(f"two guests on two CPUs do {2 * one / two:.2f} times the work of one")
    _, one, two = best_of({
        f"ms for {PROGRAMS} programs, one vCPU, one CPU": lambda: forks_time(args, 1, 1),
        f"ms for {PROGRAMS} programs, one vCPU, two CPUs": lambda: forks_time(args, 1, 2),
        f"ms for {PROGRAMS} programs, two vCPUs, two CPUs": lambda: forks_time(args, 2, 2)})
    print(f"Linux with two vCPUs on two CPUs is {one / two:.2f} times as fast as with one")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--paragon", "--guest", "--linux", "--ramdisk"):
        parser.add_argument(name, required=True)
    parser.add_argument("--limit", type=float, default=90, help="seconds of each run")
    parser.add_argument("--only", choices=("counts", "times"), help="half of it")
    args = parser.parse_args()
    if args.only != "times":
        counts(args)
    if args.only != "counts":
        times(args)


main()
