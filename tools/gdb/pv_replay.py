"""pv goto, pv back: to any instruction of a recorded run, backwards too. Instructions are counted
from the machine's start.

Going backwards is loading a snapshot, and replaying from there up to the wanted instruction. The
recording has a snapshot of the start, and others if it was made with SNAPSHOT=; monitor savevm NAME
makes one of the present instruction. gdb's own reverse-stepi does the same, but with QEMU 7.2 it
hangs if the replay passes the data breakpoint that the hypervisor sets at boot (arch/x86_64 tests
there how the CPU reports them); it works from a snapshot taken after that."""

import re

import gdb

import machine


def monitor(command):
    return gdb.execute(f"monitor {command}", False, True)


def now():
    found = re.search(r"instruction count = (\d+)", monitor("info replay"))
    if not found or not monitor("info replay").startswith("Replaying"):
        raise machine.Fault("this is no replay (make debug-replay)")
    return int(found[1])


def snapshots():
    """[(instruction, name)]: QEMU's table has the number last, and the name second."""
    rows = (line.split() for line in monitor("info snapshots").splitlines())
    return [(int(row[-1]) if row[-1].isdigit() else 0, row[1]) for row in rows
            if len(row) > 5 and (row[0].isdigit() or row[0] == "--")]


def goto(count):
    """goto N: to instruction N of the replay, or to a breakpoint before it."""
    count, before = machine.number(count), now()
    if count < before:
        earlier = [snapshot for snapshot in snapshots() if snapshot[0] <= count]
        if not earlier:
            raise machine.Fault("the recording has no snapshot before that")
        monitor(f"loadvm {max(earlier)[1]}")
        gdb.execute("maintenance flush register-cache", False, True)
        gdb.execute("maintenance flush dcache", False, True)
    if count > now():
        monitor(f"replay_break {count}")
        gdb.execute("continue", False, True)
        monitor("replay_delete_break")
    gdb.execute("frame")
    print(f"instruction {now()}")


def back(count="1"):
    """back [N]: N instructions back in the replay."""
    goto(str(max(now() - machine.number(count), 0)))
