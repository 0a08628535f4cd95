"""Runs the boot tests of cases.py, and prints a line for each and one with the counts. What a case
is: case.py. --jobs cases run at a time, each in a process of its own with the cases that are
compared with it; what is printed of a case comes in one piece.

Arguments after the options are parts of names: only the cases that have one of them in their name
run; before a name and behind it stands a =, so that =smp= is the case smp alone. Each terminal's
text is kept under --logs. Exit status 0 if none failed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "tools")]
import alike  # noqa: E402
import badelf  # noqa: E402
import bare  # noqa: E402
import cases_disk  # noqa: E402
import choice  # noqa: E402
import debugger  # noqa: E402
import disks  # noqa: E402
import esp  # noqa: E402
import expected  # noqa: E402
import gdb  # noqa: E402
import ktap  # noqa: E402
import nested  # noqa: E402
import powercut  # noqa: E402
import qemu  # noqa: E402
import snapshots  # noqa: E402
import tracing  # noqa: E402

PORTS = {"debugcon": "-debugcon", "com2": "-serial"}
CONSOLE = "console=com1 com1=115200,8n1"
# Recordings that may be made of a case in which gdb goes back in the replay. QEMU 7.2 sometimes
# hangs when it has loaded a snapshot that was made in a replay: in one of some twenty runs, and
# with some recordings more often. Its main loop and its CPU then compute and wait for each other.
RECORDINGS = 3


def given(args):
    """{word: file}. GOOD is the test guest, STORE and VMM lie beside it; VMLINUZ is LINUX as its
    package has it, X86 a ramdisk with Linux's own selftests, STRESS one with stress-ng; XEN is
    xen.efi; SIGNED, FRAGMENT and TINY are programs made for the tests."""
    linux, guests = os.path.dirname(args.linux), os.path.dirname(args.guest)
    return {"GOOD": args.guest, "STORE": os.path.join(guests, "store"),
            "DRIVER": os.path.join(guests, "driver"),
            "DISK": os.path.join(os.path.dirname(args.linux), "disk.img"),
            "DISK-RAMDISK": os.path.join(os.path.dirname(args.linux), "disk-ramdisk.gz"),
            "VMM": os.path.join(guests, "vmm"),
            "LINUX": args.linux, "RAMDISK": args.ramdisk, "GRUB": args.grub,
            "STRESS": os.path.join(linux, "soak.gz"),
            "VMLINUZ": os.path.join(linux, "kernel", "vmlinuz"),
            "X86": os.path.join(linux, "x86", "ramdisk.gz"),
            "XEN": args.xen_efi,
            "SIGNED": os.path.join(args.programs, "xen-signed.efi"),
            "FRAGMENT": os.path.join(args.programs, "fragment.efi"),
            "TINY": os.path.join(args.programs, "tiny")}


def file_of(word, args):
    """The module's file: one of given(), or LINUX-kind, another of Debian's kernels, or one that is
    made here: BAD-kind, a broken GOOD; ELF32 and LOST, of badelf.py; ZEROS-n, n MiB of zeros;
    DISKS-n, of disks.py."""
    if word in given(args):
        return given(args)[word]
    if word.startswith("LINUX-"):
        return f"{args.linux}-{word.removeprefix('LINUX-')}"
    path = os.path.join(args.logs, word.lower())
    # Replaced in one step: another case may use it at this moment.
    with open(args.guest, "rb") as good, open(f"{path}.{os.getpid()}", "wb") as made:
        if word.startswith("ZEROS-"):
            made.truncate(int(word.removeprefix("ZEROS-")) << 20)
        elif word.startswith("DISKS-"):
            made.write(disks.archive(int(word.removeprefix("DISKS-"))))
        elif word in badelf.MADE:
            made.write(badelf.MADE[word]())
        else:
            made.write(badelf.KINDS[word.removeprefix("BAD-")](good.read()))
    os.replace(made.name, path)
    return path


def modules_of(case, args):
    for module in case.modules:
        word, _, rest = module.partition(" ")
        yield f"{file_of(word, args)} {rest}"


def esp_of(case, args):
    """The directory that was made with the ISO, or one made for this case."""
    if case.modules is None:
        return iso_of(case, args).replace(".iso", ".esp")
    words = [module.partition(" ") for module in case.modules]
    modules = [(word, file_of(word, args), rest) for word, _, rest in words]
    root = os.path.join(args.logs, case.name + ".esp")
    return esp.make(root, case, case.options or CONSOLE, lambda word: file_of(word, args), modules)


def iso_of(case, args):
    iso = {"guests": args.iso, "linux": args.linux_iso, "own": args.own_iso}[case.iso]
    return iso.replace(".iso", "-efi.iso") if case.loader == "chain" else iso


def files_of(case, args):
    """The files that must exist before the case can run."""
    yield args.paragon
    if case.modules is None:
        yield iso_of(case, args)
    for module in case.modules or ():
        yield given(args).get(module.partition(" ")[0], args.guest)
    if case.trace:
        yield args.pvtrace


def ram_of(case, args):
    return os.path.join(args.logs, case.name + ".ram")


def trace_of(case, args):
    return os.path.join(args.logs, case.name + ".trace")


def ram_faults(case, args, report):
    if case.check_ram:
        with open(ram_of(case, args), "rb") as ram:
            yield from case.check_ram(ram, report.lines)
        os.remove(ram.name)


def disk_of(case, args):
    return os.path.join(args.logs, case.name + ".img")


def disk_faults(case, args, lines):
    """What the guest has written is a whole file system, also where it was cut off."""
    if not case.disk:
        return
    if case.cut:
        yield from powercut.faults(disk_of(case, args), lines)
    done = subprocess.run(["/sbin/e2fsck", "-fn", disk_of(case, args)], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        yield f"e2fsck ends with {done.returncode}: {done.stdout[-300:]}"
    os.remove(disk_of(case, args))


def command(case, args, ram, rr=None, monitor=None):
    if case.disk:
        shutil.copyfile(given(args)["DISK"], disk_of(case, args))
    if case.cut:
        powercut.drop_journal(disk_of(case, args))
    more_disks = [f"{disk_of(case, args)}.{n}" for n in range(1, case.blanks)]
    for name in [disk_of(case, args), *more_disks] if case.blank else []:
        with open(name, "wb") as disk:
            disk.truncate(case.blank << 20)
    machine = {"accel": args.accel, "cpu": qemu.cpu_for(case.way, case.cpu), "mem": case.mem,
               "firmware": case.firmware, "ram": ram, "smp": case.smp,
               "disk": disk_of(case, args) if case.disk or case.blank else None,
               "more_disks": more_disks, "vectors": case.vectors, "bad_sector": case.bad_sector,
               "net": "user" if case.net else None, "programs": {7: "cat"}}
    if rr:
        machine.update(accel="tcg", rr=rr, monitor=monitor)
    if case.icount:
        machine.update(accel="tcg", cpu=qemu.cpu_for(case.way, qemu.ICOUNT_CPU), icount=True)
    if case.loader in esp.HOME:
        return qemu.command(machine, esp=esp_of(case, args))
    if case.modules is None:
        return qemu.command(machine, iso=iso_of(case, args))
    if case.kvm:
        modules = [(file_of(word, args), rest)
                   for word, _, rest in (module.partition(" ") for module in case.modules)]
        return nested.command(case, args, case.options or CONSOLE, modules)
    modules = list(modules_of(case, args))
    if case.bare:
        kernel, _, words = modules[0].partition(" ")
        if case.loader == "grub":
            root = os.path.join(args.logs, case.name + ".root")
            return qemu.command(machine, iso=bare.make_iso(root, kernel, words))
        ramdisks = [file.strip() for file in modules[1:]]
        return qemu.command({**machine, "accel": "tcg", "smp": 2}, None, kernel, words, ramdisks)
    return qemu.command(machine, None, args.irqsoff if case.irqsoff else args.paragon,
                        case.options or CONSOLE, modules)


def boot(case, args):
    if case.recorded:
        return recorded(case, args)
    by_ram = case.trace in ("live", "after")
    with tracing.Reader(args.pvtrace, trace_of(case, args) if by_ram else None, None, case.mem,
                        live=case.trace == "live") as reader:
        argv = command(case, args, reader.ram or (ram_of(case, args) if case.check_ram else ""))
        if case.trace in PORTS:
            argv += [PORTS[case.trace], f"file:{trace_of(case, args)}"]
        with gdb.Meddler(case.meddles, socket_of(case, args), args.paragon + ".elf64") as meddler, \
             debugger_of(case, args) as real:
            argv += gdb.options(meddler.path) if case.meddles or case.debugged else []
            ran = run_machine(case, args, argv, reader)
        return (*ran, "; ".join(meddler.faults + real.faults))


def socket_of(case, args):
    return os.path.join(args.logs, case.name + ".gdb")


def debugger_of(case, args, wanted=True):
    has_guest = case.debugged and any(word.startswith("GOOD") for word in case.modules)
    return debugger.Debugger(case.debugged if wanted else None, socket_of(case, args),
                             args.paragon + ".elf64", args.guest if has_guest else "")


def recorded(case, args, times=RECORDINGS):
    """Records one run and replays it, without typing. The terminals' text and the traces have to be
    the same bytes, also if gdb examines the replay. With snapshots, a third run starts from the
    last of them, and its text has to be the end of the first's. All else is judged by the first
    run. times: recordings that may be made, if QEMU hangs while gdb goes back."""
    # gdb goes back and forward in this replay, so its text and trace differ; it is not traced.
    goes_back = case.debugged is debugger.back
    image = os.path.join(args.logs, case.name + ".qcow2")
    snapshots.empty_image(image)
    text, trace, report, verdict, taken, _ = one_run(case, args, image, "record")
    again, trace_again, _, (_, reason), _, real = one_run(case, args, image, "replay",
                                                          traced=not goes_back)
    if goes_back and real.cut_off and times > 1:
        return recorded(case, args, times - 1)
    if times < RECORDINGS and verdict[0]:
        verdict = True, f"{verdict[1]}, {RECORDINGS - times} replays hung before"
    wrong = list(real.faults)
    if not goes_back:
        wrong.append(alike.unlike_text(text, again, reason) or case.trace and
                     alike.unlike_traces(trace, trace_again))
    if case.snapshots and not taken:
        wrong.append("no snapshot was taken")
    elif case.snapshots:
        end, _, _, (_, reason), _, _ = one_run(case, args, image, "replay", taken[-1], traced=False)
        wrong.append(alike.unlike_end(text, end, reason))
    if not any(wrong):
        os.remove(image)  # hundreds of MiB
    return report, verdict, "; ".join(filter(None, wrong))


def one_run(case, args, image, mode, start=snapshots.START, traced=True):
    """Records or replays: (lines, trace, report, verdict, names of snapshots, debugger)."""
    trace = f"{trace_of(case, args)}.{mode}" if case.trace and traced else None
    monitor = None
    if case.snapshots and mode == "record":
        monitor = os.path.join(args.logs, case.name + ".monitor")
    lines, data = [], b""
    with tracing.Reader(args.pvtrace, trace, None, case.mem, live=False) as reader:
        argv = command(case, args, reader.ram, (mode, image.replace(".qcow2", ".rr"), image, start),
                       monitor)
        with debugger_of(case, args, mode == "replay") as real, \
             snapshots.Taker(monitor, case.snapshots if monitor else 0, lambda line: None,
                             most=2) as taker:
            argv += gdb.options(real.path) if real.wanted else []
            ran = run_machine(case, args, argv, reader, lines,
                              case.types if mode == "record" else ())
    if trace and os.path.exists(trace):
        with open(trace, "rb") as file:
            data = file.read()
    return (lines, data, *ran, taker.taken, real)


def run_machine(case, args, argv, reader, raw_lines=None, types=None):
    """(report, verdict) of one run. raw_lines: a list that gets the lines as they came. types:
    instead of the case's own."""
    report = ktap.Report()
    types = case.types if types is None else types

    def on_line(raw):
        if raw_lines is not None:
            raw_lines.append(raw)
        line = report.feed(raw)
        reader.line(line)
        return b"".join(keys for pattern, keys in types if re.search(pattern, line))

    until = re.compile(case.until) if case.until else None
    ended, status = qemu.run(argv, case.limit * args.patience, on_line, until)
    return report, ktap.judge(report, ended, status or 0, case.crash)


def run(case, args, seen):
    """Runs one case: (whether it passed, the text about it). seen: reports of earlier cases, by
    name."""
    start = time.monotonic()
    report, (good, reason), meddled = boot(case, args)
    trace = trace_of(case, args)
    wrong = [*filter(None, [meddled]),
             *expected.faults(case, args, report, trace, good, reason),
             *expected.differences(case, report, seen), *expected.other_output(case, report, seen),
             *ram_faults(case, args, report), *disk_faults(case, args, report.lines)]
    seen[case.name] = report
    if case.panics:
        reason = "panicked, as expected"
    elif not case.starts:
        reason = "did not start, as expected"
    log = os.path.join(args.logs, case.name + ".log")
    with open(log, "w", encoding="utf-8") as out:
        out.writelines(line + "\n" for line in report.lines)
    took = time.monotonic() - start
    said = [f"{'not ok' if wrong else 'ok':7}{case.name:28}{took:6.1f} s  {reason * (not wrong)}"]
    said += [f"         {fault}" for fault in wrong]
    if wrong:
        said += [f"         the end of {log}:"]
        said += [f"         | {line}" for line in report.lines[-12:]]
    return not wrong, "\n".join(said)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iso", required=True)
    parser.add_argument("--paragon", required=True)
    parser.add_argument("--irqsoff", default="", help="the hypervisor built with IRQSOFF=1")
    parser.add_argument("--guest", required=True)
    parser.add_argument("--linux", required=True, help="Debian's kernel, unpacked")
    parser.add_argument("--ramdisk", required=True)
    parser.add_argument("--grub", required=True, help="PV GRUB")
    parser.add_argument("--linux-iso", required=True, help="with both, and paragon=selftest")
    parser.add_argument("--own-iso", default="",
                        help="with the TINY kernel as the user's own, and a packed ramdisk")
    parser.add_argument("--pvtrace", required=True, help="the reader of traces")
    parser.add_argument("--xenalyze", required=True, help="Debian's reader of Xen's traces")
    parser.add_argument("--xen-efi", required=True)
    parser.add_argument("--programs", required=True,
                        help="directory of programs made for the tests")
    parser.add_argument("--accel", default="auto", choices=["auto", "kvm", "tcg"])
    parser.add_argument("--logs", required=True)
    parser.add_argument("--jobs", type=int, default=1, help="so many cases at a time")
    parser.add_argument("--patience", type=float, default=1, help="multiplies every time limit")
    parser.add_argument("--smp", type=int, default=1,
                        help="on a machine with so many CPUs: see several_cpus.py")
    parser.add_argument("--long", action="store_true", help="the cases that take long")
    parser.add_argument("--kills", type=int, default=0,
                        help="instead of the cases: so many guests are ended, see cases_disk.py")
    parser.add_argument("--seed", type=int, default=1, help="of the first of them")
    parser.add_argument("names", nargs="*", help="only the cases with one of these in their name")
    args = parser.parse_args()
    args.accel, why = qemu.pick_accel(args.accel)
    os.makedirs(args.logs, exist_ok=True)
    chosen = cases_disk.kills(args.seed, args.kills) or \
        choice.choose(args.names, args.smp, args.long)
    if not chosen:
        sys.exit(f"boot tests: no case is called {' or '.join(args.names)}")
    for name in (name for case in chosen for name in files_of(case, args)):
        if not os.path.exists(name):
            sys.exit(f"boot tests: {name or '--own-iso'}: no such file")
    print(f"boot tests: {len(chosen)} cases on {args.accel} ({why}), {args.jobs} at a time",
          flush=True)
    passed = choice.run_all(chosen, args.jobs, lambda case, seen: run(case, args, seen))
    print(f"{passed} passed, {len(chosen) - passed} failed")
    sys.exit(0 if passed == len(chosen) else 1)


main()
