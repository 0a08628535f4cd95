#!/usr/bin/env python3
"""What several CPUs cost and give: `make bench-smp`.

Counted in instructions (-icount, one thread emulates all CPUs, so no time is measured): the rows of
suite bench with one CPU and with four of which three are idle, and those of suite benchsmp.

Timed by the host's clock (each emulated CPU is a thread): updates of one guest's page tables by
several vCPUs, two guests on two CPUs against one on one, and a Linux that starts programs with two
vCPUs on two CPUs against one on one. Each is done three times; the best counts, and all are
printed, with the host's load average before. The times mean something only where the host has as
many cores free as the machine has CPUs.
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
TIMES = 3
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


def best_of(what, function):
    load = os.getloadavg()[0]
    values = [function() for _ in range(TIMES)]
    print(f"{what:50}{min(values):>8,} of {', '.join(f'{v:,}' for v in values)}; load {load:.1f}",
          flush=True)
    return min(values)


def slowest(pattern, lines):
    return max(int(m[1]) for m in map(pattern.match, lines) if m)


def update_time(args, vcpus):
    """ns for each update while so many vCPUs do them, on as many CPUs."""
    lines = boot(args, vcpus, [guest(args, 1, vcpus, "benchupdates")])
    mhz = next(float(m[1]) for m in map(HZ.match, lines) if m)
    row = next(v for k, v in rows(lines).items() if k.startswith(f"update_va_mapping by {vcpus} "))
    return round(row * 1000 / mhz)


def load_time(args, guests):
    """ms until each of so many guests has done its work, on as many CPUs."""
    modules = [guest(args, i + 1, 1, "benchload") for i in range(guests)]
    return slowest(LOAD, boot(args, guests, modules, guests=guests))


def forks_time(args, cpus):
    linux = f"{args.linux} name=linux mem=256M vcpus={cpus} -- console=hvc0 vcpus={cpus} "
    linux += f"paragon=forks programs={PROGRAMS}"
    return slowest(FORKS, boot(args, cpus, [linux, args.ramdisk]))


def times(args):
    print(f"{'best':>58} of all")
    for vcpus in (1, 2, 4):
        best_of(f"ns for an update_va_mapping, {vcpus} vCPUs at once",
                lambda n=vcpus: update_time(args, n))
    one = best_of("ms for one guest's work on one CPU", lambda: load_time(args, 1))
    two = best_of("ms for two guests' work on two CPUs", lambda: load_time(args, 2))
    print(f"two guests on two CPUs do {2 * one / two:.2f} times the work of one on one")
    one = best_of(f"ms for Linux to start {PROGRAMS} programs, one vCPU",
                  lambda: forks_time(args, 1))
    two = best_of("ms for the same by two vCPUs on two CPUs", lambda: forks_time(args, 2))
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
