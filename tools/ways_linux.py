"""Debian's kernel as the guest of tools/ways: the machine and command line of each column, what is
read of its output, and what of that is wrong. The boot tests compare outputs, too.

The same kernel and ramdisk run in each column, with the same memory. The first program is
/paragon/rows, which says at which TSC it begins; what that is after the kernel's first instruction
is the row of the boot. Then the script `ways` of tools/linux runs: rows, and the session of some
230 processes, whose output has to be the same in each column. By trap-and-emulate the kernel dies
instead, and its last words are wanted.
"""

import re

import qemu

CPU = qemu.cpu_for("translate", qemu.ICOUNT_CPU)
# For what is not there; with ICOUNT a TSC has 1 GHz.
UNMODIFIED = ("console=ttyS0 acpi=off noapic nolapic nosmp pci=off tsc=reliable lpj=4000000 "
              "reboot=t panic=-1 mem=320M tsc_early_khz=")
LEAN = "mitigations=off norandmaps cryptomgr.notests rdinit=/paragon/rows paragon=ways"
# Of the domain, so that its guest has 320 MiB.
MEMORY = {"emulate": "400M", "trap": "416M", "translate": "480M"}
CONSOLE = "console=com1 com1=115200,8n1 loglvl=debug"

BOOT = "Linux, boot to its first program"
ROW = re.compile(r"^# row (.+): ([0-9.]+)$")
FIRST = re.compile(r"^# the first program begins at TSC (\d+)$")
# The kernel's first instruction: the last line before it of what starts it. On the bare machine
# nothing says it; the test guest is entered there at the same TSC, by the same loader.
BEGINS = re.compile(r"^(?:\(XEN\) Guests start|vmm: the guest begins) at TSC (\d+)$")
OUTPUT = re.compile(r"^(# gave: .*| *(?:not )?ok \d+ \S+|linux: \d+ passed, \d+ failed, .*)$")
PASSED = re.compile(r"^linux: \d+ passed, 0 failed, 0 skipped$")
DEATH = re.compile(r"Interrupts were enabled \*very\* early|kernel BUG at \S+|Kernel panic - .*")
# What the kernel has to say where it has to die.
DIES = {"trap": ("Interrupts were enabled *very* early", "kernel BUG at kernel/irq_work.c",
                 "Kernel panic - not syncing: Fatal exception in interrupt")}


def command(column, args):
    machine = {"accel": "tcg", "cpu": CPU, "mem": 1024, "firmware": "bios", "icount": True}
    lean = LEAN if column in DIES else LEAN + " quiet"      # what it dies of are warnings, too
    if column == "bare":
        # mem as where the test guest runs: see BEGINS
        return qemu.command({**machine, "mem": 512}, None, args.linux,
                            f"{UNMODIFIED}1000000 {lean}", [args.ramdisk])
    if column == "pv":
        modules = [f"{args.linux} name=linux mem=320M -- console=hvc0 {lean}"]
    else:
        modules = [f"{args.vmm} name=linux mem={MEMORY[column]} vmm -- way={column}",
                   f"{args.linux} {UNMODIFIED}host {lean}"]
    return qemu.command(machine, None, args.paragon, CONSOLE, modules + [args.ramdisk])


def end_of(column):
    """Without ACPI a bare machine cannot be switched off; it halts."""
    return re.compile(r"^linux: \d+ passed") if column == "bare" else None


class Reader:
    """Fed with the lines of one boot, it has the rows, the output that is compared, and the
    kernel's last words. begins: the TSC of the first instruction, if it is known already."""

    def __init__(self, column, begins=None):
        self.begins = begins if column == "bare" else None
        self.seen = {"rows": {}, "output": [], "death": []}
        self.lines = []

    def feed(self, raw):
        line = re.sub(r"^\(d\d+\) ", "", raw.replace("\r", "").rstrip())
        self.lines.append(line)
        if match := ROW.match(line):
            self.seen["rows"][match[1]] = float(match[2])
        elif match := BEGINS.match(line):
            self.begins = int(match[1])
        elif match := FIRST.match(line):
            if self.begins:
                self.seen["rows"][BOOT] = float(int(match[1]) - self.begins)
        elif OUTPUT.match(line):
            self.seen["output"].append(line)
        elif match := DEATH.search(line):
            self.seen["death"].append(match[0])


def died(seen):
    return bool(seen.get("linux", {}).get("death"))


def output_of(lines):
    """What is compared, of the lines of one boot."""
    reader = Reader(None)
    for line in lines:
        reader.feed(line)
    return reader.seen["output"]


def unlike(here, there, other):
    """How one output differs from that of another, which has this name."""
    for i in range(max(len(here), len(there))):
        pair = [lines[i] if i < len(lines) else "nothing" for lines in (here, there)]
        if pair[0] != pair[1]:
            yield f"Linux printed \"{pair[0].strip()}\", and in {other} \"{pair[1].strip()}\""


def faults(column, results):
    seen = results[column]["linux"]
    if column in DIES:
        yield from (f"Linux does not say \"{wanted}\"" for wanted in DIES[column]
                    if not any(line.startswith(wanted) for line in seen["death"]))
        if seen["output"]:
            yield "Linux came to its first program, which cannot be"
        return
    if not seen["output"] or not PASSED.match(seen["output"][-1]):
        yield "Linux did not pass its session"
    if BOOT not in results[column]["rows"]:
        yield "Linux did not say when it started"
    yield from (f"Linux: {line}" for line in seen["death"])
    others = [name for name in results if name not in DIES and "linux" in results[name]]
    if column != others[0]:
        yield from unlike(seen["output"], results[others[0]]["linux"]["output"], others[0])


def summary(seen):
    if "linux" not in seen:
        return []
    output = seen["linux"]["output"]
    return seen["linux"]["death"] + [f"{len(output)} lines of output, the last: {line}"
                                     for line in output[-1:]]
