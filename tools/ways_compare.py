"""Emulation against translation: tools/ways boots the test guest once by each with the vmm's word
compare= (guest-pv/vmm/compare.c), by which a hash of the guest's registers at each exception, and
of its memory at every N-th, is printed. Both have to print the same."""

import re

import qemu

WAYS = ("emulate", "translate")
EVERY = 500
# It uses no interrupts, which come when the vmm looks at the clock, and does not wait for the TSC.
SUITES = "rows"
HASHES = re.compile(r"vmm: compare: (exception (\d+): registers \w+, memory \w+)$")
LEAST = 4000    # exceptions: suite rows alone has so many


def command(way, args):
    machine = {"accel": "tcg", "cpu": qemu.cpu_for("translate", qemu.ICOUNT_CPU), "mem": 512,
               "firmware": "bios", "icount": True}
    modules = [f"{args.vmm} name=guest mem=192M vmm -- way={way} compare={EVERY}",
               f"{args.guest} vendor=ParagonGuest suites={SUITES}"]
    return qemu.command(machine, None, args.paragon, "console=com1 com1=115200,8n1", modules)


class Reader:
    """Fed with the lines of one boot, it has the hashes and the number of exceptions."""

    def __init__(self):
        self.seen = {"hashes": [], "exceptions": 0}
        self.lines = []

    def feed(self, raw):
        line = raw.replace("\r", "").rstrip()
        self.lines.append(line)
        if match := HASHES.search(line):
            self.seen["hashes"].append(match[1])
            self.seen["exceptions"] = int(match[2])


def faults(results):
    """results: what a Reader of each way has seen."""
    one, other = (results[way] for way in WAYS)
    if min(one["exceptions"], other["exceptions"]) < LEAST:
        yield f"only {one['exceptions']} and {other['exceptions']} exceptions"
    for here, there in zip(one["hashes"], other["hashes"]):
        if here != there:
            yield f"{WAYS[0]}: {here}; {WAYS[1]}: {there}"
            return
    if len(one["hashes"]) != len(other["hashes"]):
        yield f"{one['exceptions']} exceptions by {WAYS[0]}, {other['exceptions']} by {WAYS[1]}"
