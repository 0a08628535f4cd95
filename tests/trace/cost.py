#!/usr/bin/env python3
"""What tracing costs: boots Debian's kernel to its init and off again, with instructions counted
(-icount shift=0: the TSC counts instructions, so the kernel's own clock does), on three
hypervisors: one built without any tracing, the ordinary one with the trace off, and the same with
it on. Fails when off costs more than 1 % over none, or all hypercalls more than 10 % over off. It
counts instructions, not seconds, so the result does not depend on what else the machine does."""

import argparse
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
import qemu  # noqa: E402

ROWS = (("built without tracing", "without", "", None),
        ("trace off", "paragon", "", None),
        ("hypercalls", "paragon", "trace=hypercall trace_size=256M", ("trace off", 10)),
        ("hypercalls, contents", "paragon", "trace=hypercalls trace_size=256M", ("trace off", 10)),
        ("everything", "paragon", "trace=all trace_size=256M", ("trace off", 10)))
LIMIT_OFF = 1  # percent


def boot(args, image, options):
    """(kernel's clock when it has switched off, in ticks of 1 ns, that is instructions; records
    written)"""
    machine = {"accel": "tcg", "cpu": qemu.ICOUNT_CPU, "mem": 2048, "firmware": "bios",
               "icount": True}
    guest = f"{args.linux} name=linux mem=1G -- console=hvc0 norandmaps nokaslr paragon=boot"
    lines = []
    qemu.run(qemu.command(machine, None, image, f"console=com1 {options}", [guest, args.ramdisk]),
             args.limit, lines.append)
    text = "\n".join(lines)
    ended = re.search(r"\[ *(\d+)\.(\d{6})\] reboot: System halted", text)
    if not ended:
        sys.exit(f"trace cost: the guest did not come to its end; its last words:\n{text[-2000:]}")
    lost = re.search(r"Trace: (\d+) records, the last (\d+)", text)
    if lost and lost[1] != lost[2]:
        sys.exit(f"trace cost: records were overwritten: {lost[0]}")
    return int(ended[1]) * 10**9 + int(ended[2]) * 1000, int(lost[1]) if lost else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paragon", required=True)
    parser.add_argument("--without", required=True, help="the same built with NO_TRACE=1")
    parser.add_argument("--linux", required=True)
    parser.add_argument("--ramdisk", required=True)
    parser.add_argument("--limit", type=float, default=300, help="seconds of each boot")
    args = parser.parse_args()
    measured, good = {}, True
    print(f"{'Debian boot':24}{'instructions':>16}{'records':>10}{'more':>10}   allowed",
          flush=True)
    for name, image, options, bound in ROWS:
        ticks, records = boot(args, getattr(args, image), options)
        base, limit = bound or ("built without tracing", LIMIT_OFF)
        more = 100 * (ticks / measured.get(base, ticks) - 1)
        ok = more <= limit
        good &= ok
        measured[name] = ticks
        print(f"{name:24}{ticks:>16,}{records:>10,}{more:>9.2f}%   {limit} % over {base}"
              f"{'' if ok else '  TOO MUCH'}", flush=True)
    sys.exit(0 if good else 1)


main()
