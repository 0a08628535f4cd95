#!/usr/bin/env python3
"""What a disk and a network cost: `make bench-devices`.

Instructions of the whole machine, counted by a plugin of QEMU (count.c), so what is not executed
while the machine waits is not in it: Debian's kernel with virtio on the bare machine, and the same
kernel as a guest of Paragon with the driver domain. Each row is the difference between much and a
little of the same (tools/linux/devices), for each request or MiB: the program that does it, dd or
nc, is included, its start is not.
"""

import argparse
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
import qemu  # noqa: E402

# The marks come in the order of tools/linux/devices: much has so many more than a little.
ROWS = (("4 KiB read, depth 1", 2000), ("4 KiB write, depth 1", 2000),
        ("64 KiB read, depth 1", 300), ("TCP out, per MiB", 8), ("TCP in, per MiB", 8))
COLUMNS = ("bare", "paragon")
# Of Xen 4.17 with a Linux as domain 0, dom0's blkback and netback, measured once in another way:
# CPU time of all domains, so within 5 %.
XEN = (78_000, 84_000, 130_000, 48_000_000, 17_000_000)
# What a guest reaches at 10.0.2.100.
PROGRAMS = {9: "dd of=/dev/null bs=64k status=none", 1001: "head -c 1048576 /dev/zero",
            1009: "head -c 9437184 /dev/zero"}
# A disk that answers at once. While the machine waits its clock goes as the host's does: with
# sleep=off it would be at the next timer at once, and for each request some would run out.
MACHINE = ["-icount", "shift=0,sleep=on", "-seed", "1",
           "-drive", "if=none,id=disk,driver=null-co,size=48M,read-zeroes=on",
           "-device", "virtio-blk-pci,drive=disk"]
WORDS = "norandmaps nokaslr quiet paragon=devices console="
FINAL = re.compile(r"linux: \d+ passed, (\d+) failed")


def command(args, column):
    machine = {"accel": "tcg", "cpu": qemu.ICOUNT_CPU, "mem": 768, "firmware": "bios",
               "net": "user", "programs": PROGRAMS}
    if column == "bare":
        argv = qemu.command(machine, None, args.linux, WORDS + "ttyS0", [args.ramdisk])
    else:
        modules = [f"{args.store} service name=store --",
                   f"{args.driver} name=driver driver --",
                   f"{args.linux} name=linux mem=256M disk=vd0,xvda1,w vif -- {WORDS}hvc0",
                   args.ramdisk]
        argv = qemu.command(machine, None, args.paragon, "console=com1 maxcpus=1", modules)
    return argv + MACHINE + [
        "-plugin", f"file={args.plugin},out={args.out}/{column}{args.profile}"]


def boot(args, column):
    """The numbers of all marks."""
    lines = []
    qemu.run(command(args, column), args.limit, lambda line: lines.append(line.rstrip()))
    with open(os.path.join(args.out, column + ".log"), "w", encoding="utf-8") as log:
        log.writelines(line + "\n" for line in lines)
    if not any(m and m[1] == "0" for m in map(FINAL.search, lines)):
        sys.exit(f"bench-devices: {column} did not end well:\n" + "\n".join(lines[-30:]))
    with open(os.path.join(args.out, column), encoding="utf-8") as marks:
        return [int(line) for line in marks]


def costs(marks):
    """The costs of one of each row."""
    for i, (_, more) in enumerate(ROWS):
        a, b, c, d = marks[4 * i:4 * i + 4]
        yield round(((d - c) - (b - a)) / more)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--paragon", "--store", "--driver", "--linux", "--ramdisk", "--plugin", "--out"):
        parser.add_argument(name, required=True)
    parser.add_argument("--limit", type=float, default=300, help="seconds of each run")
    parser.add_argument("--profile", default="", type=lambda text: "," + text,
                        help="more options of count.c: profile=FILE,from=9,to=10")
    parser.add_argument("columns", nargs="*", default=COLUMNS)
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    args.plugin = os.path.abspath(args.plugin)
    results = {column: list(costs(boot(args, column))) for column in args.columns}
    print(f"{'instructions':26}" + "".join(f"{c:>14}" for c in args.columns) + f"{'Xen':>14}")
    for i, (row, _) in enumerate(ROWS):
        print(f"{row:26}" + "".join(f"{results[c][i]:>14,}" for c in args.columns) +
              f"{XEN[i]:>14,}")


main()
