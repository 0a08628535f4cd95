"""Carries out the boot tests of cases.py one after the other: one line a case, and one with the counts.

Arguments after the options are parts of names: only the cases that hold one of them run. Each terminal's text
is kept under --logs. Exit status 0 when nothing failed.
"""

import argparse
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "tools")]
import badelf  # noqa: E402
import cases  # noqa: E402
import ktap  # noqa: E402
import qemu  # noqa: E402
import tracing  # noqa: E402

PORTS = {"debugcon": "-debugcon", "com2": "-serial"}
CONSOLE = "console=com1 com1=115200,8n1"


def file_of(word, args):
    """The module's file. GOOD, LINUX, RAMDISK, GRUB are what was given, STORE lies beside GOOD; BAD-kind a broken GOOD, ELF32 another kind of
    kernel, ZEROS-n n MiB of nothing, all made here and now."""
    given = {"GOOD": args.guest, "LINUX": args.linux, "RAMDISK": args.ramdisk, "GRUB": args.grub,
             "STORE": os.path.join(os.path.dirname(args.guest), "store")}
    if word in given:
        return given[word]
    path = os.path.join(args.logs, word.lower())
    with open(args.guest, "rb") as good, open(path, "wb") as made:
        if word.startswith("ZEROS-"):
            made.truncate(int(word.removeprefix("ZEROS-")) << 20)
        elif word == "ELF32":
            made.write(badelf.elf32())
        else:
            made.write(badelf.KINDS[word.removeprefix("BAD-")](good.read()))
    return path


def modules_of(case, args):
    for module in case.modules:
        word, _, rest = module.partition(" ")
        yield f"{file_of(word, args)} {rest}"


def boot(case, args):
    machine = {"accel": args.accel, "cpu": case.cpu, "mem": case.mem, "firmware": case.firmware}
    if case.icount:
        machine.update(accel="tcg", cpu=qemu.ICOUNT_CPU, icount=True)
    by_ram = case.trace in ("live", "after")
    with tracing.Reader(args.pvtrace, trace_of(case, args) if by_ram else None, None, case.mem,
                        live=case.trace == "live") as reader:
        machine["ram"] = reader.ram
        return boot_machine(case, args, machine, reader)


def boot_machine(case, args, machine, reader):
    if case.modules is None:
        argv = qemu.command(machine, iso=args.linux_iso if case.iso == "linux" else args.iso)
    else:
        modules = list(modules_of(case, args))
        argv = qemu.command(machine, None, args.paragon, case.options or CONSOLE, modules)
    if case.trace in PORTS:
        argv += [PORTS[case.trace], f"file:{trace_of(case, args)}"]
    report = ktap.Report()

    def on_line(raw):
        line = report.feed(raw)
        reader.line(line)
        return b"".join(keys for pattern, keys in case.types if re.search(pattern, line))

    ended, status = qemu.run(argv, case.limit * args.patience, on_line)
    return report, ktap.judge(report, ended, status or 0, case.crash)


def trace_of(case, args):
    return os.path.join(args.logs, case.name + ".trace")


def faults(case, args, report, good, reason):
    """Everything that is wrong with this case's run."""
    finished = tuple(sorted(n for n, guest in report.guests.items() if guest.final))
    quiet = not case.guests and not case.crash and reason == "no guest said anything"
    if not good and not quiet:
        yield reason
    if case.guests is None:
        # A module before the good guest was refused; whether it used up a number is not this test's business.
        if len(finished) != 1:
            yield f"one guest had to finish its tests, {len(finished)} did"
    elif finished != case.guests:
        yield f"guests {case.guests} had to finish their tests, {finished} did"
    for pattern in case.shows:
        if not any(re.search(pattern, line) for line in report.lines):
            yield f"no line matches {pattern}"
    if case.check:
        yield from case.check(report.lines)
    if case.traced:
        yield from case.traced(args, report, trace_of(case, args))
    if len(report.frames) != 2:
        yield "the two lines with the number of free frames are not there"


def run(case, args):
    start = time.monotonic()
    report, (good, reason) = boot(case, args)
    wrong = list(faults(case, args, report, good, reason))
    log = os.path.join(args.logs, case.name + ".log")
    with open(log, "w", encoding="utf-8") as out:
        out.writelines(line + "\n" for line in report.lines)
    took = time.monotonic() - start
    print(f"{'not ok' if wrong else 'ok':7}{case.name:28}{took:6.1f} s  {reason * (not wrong)}", flush=True)
    for fault in wrong:
        print(f"         {fault}")
    if wrong:
        print(f"         the end of {log}:")
        print("".join(f"         | {line}\n" for line in report.lines[-12:]), end="", flush=True)
    return not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iso", required=True)
    parser.add_argument("--paragon", required=True)
    parser.add_argument("--guest", required=True)
    parser.add_argument("--linux", required=True, help="an unpacked kernel, and its")
    parser.add_argument("--ramdisk", required=True)
    parser.add_argument("--grub", required=True, help="PV GRUB")
    parser.add_argument("--linux-iso", required=True, help="with both, told to test itself")
    parser.add_argument("--pvtrace", required=True, help="our reader of traces")
    parser.add_argument("--xenalyze", required=True, help="Debian's")
    parser.add_argument("--accel", default="auto", choices=["auto", "kvm", "tcg"])
    parser.add_argument("--logs", required=True)
    parser.add_argument("--patience", type=float, default=1, help="multiplies every time limit")
    parser.add_argument("names", nargs="*", help="only the cases whose names hold one of these")
    args = parser.parse_args()
    for name in (args.iso, args.paragon, args.guest, args.linux, args.ramdisk, args.linux_iso, args.pvtrace,
                 args.xenalyze):
        if not os.path.exists(name):
            sys.exit(f"boot tests: {name}: no such file")
    args.accel, why = qemu.pick_accel(args.accel)
    os.makedirs(args.logs, exist_ok=True)
    chosen = [case for case in cases.CASES if not args.names or any(part in case.name for part in args.names)]
    if not chosen:
        sys.exit(f"boot tests: no case is called {' or '.join(args.names)}")
    print(f"boot tests: {len(chosen)} cases on {args.accel} ({why})", flush=True)
    passed = sum(run(case, args) for case in chosen)
    print(f"{passed} passed, {len(chosen) - passed} failed")
    sys.exit(0 if passed == len(chosen) else 1)


main()
