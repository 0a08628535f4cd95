"""The boots of tools/bench: the machine and command line of each column, and what is read of its
output. The machine is that of qemu.ICOUNT, with one CPU."""

import os
import re

import qemu

COLUMNS = {"bare": "no hypervisor", "xen": "Debian's Xen 4.17", "paragon": "Paragon"}
# Where QEMU puts the kernel, Xen's console and those parts of it that cost most switched off.
XEN = "console=com1 com1=115200,8n1 noreboot spec-ctrl=no xpti=no dom0_mem={0},max:{0}"
PARAGON = "console=com1 com1=115200,8n1"
# The same addresses in each boot; and no more lines than needed on a console that is slow on Xen.
LINUX = "norandmaps nokaslr mem=1G quiet rdinit=/init console="
MEMORY = {"micro": (512, "64M"), "linux": (2048, "1G")}     # of the machine in MiB, of the guest

ROW = re.compile(r"^ *# row (.+): (\d+)$")
MICRO = re.compile(r"^ *# bench: (.+) (\d+)$")
FAILED = re.compile(r"^ *(not ok \d+ .+|# costs: .+ fails: .+)$")
END = {"micro": re.compile(r"guest-pv: \d+ passed, \d+ failed"),
       "linux": re.compile(r"costs: all rows measured")}


def kinds_of(column):
    return ("linux",) if column == "bare" else ("micro", "linux")


def command(column, kind, args):
    mem, guest_mem = MEMORY[kind]
    machine = {"accel": "tcg", "cpu": qemu.ICOUNT_CPU, "mem": mem, "firmware": "bios",
               "icount": True}
    if column == "bare":
        return qemu.command(machine, None, args.linux, LINUX + "ttyS0", [args.ramdisk])
    image, words, more = ((args.guest, "suites=bench", []) if kind == "micro" else
                          (args.linux, LINUX + "hvc0", [args.ramdisk]))
    if column == "xen":
        return qemu.command(machine, None, args.xen, XEN.format(guest_mem),
                            [f"{image} {words}"] + more)
    return qemu.command(machine, None, args.paragon, PARAGON,
                        [f"{image} name={kind} mem={guest_mem} -- {words}"] + more)


class Reader:
    """Fed with the lines of one boot, it has the rows, and what is wrong."""

    def __init__(self, kind):
        self.pattern = MICRO if kind == "micro" else ROW
        self.end = END[kind]
        self.rows, self.failed, self.lines, self.ended = {}, [], [], False

    def feed(self, raw):
        line = re.sub(r"^\(d\d+\) ", "", raw.replace("\r", "").rstrip())
        self.lines.append(line)
        if match := self.pattern.match(line):
            self.rows[match[1]] = int(match[2])
        elif match := FAILED.match(line):
            self.failed.append(match[1])
        self.ended |= bool(self.end.search(line))

    def faults(self):
        yield from self.failed
        if not self.ended:
            yield "did not come to its end"


def boot(column, kind, args):
    """A Reader that has seen all of it. The lines are kept as COLUMN-KIND.log."""
    reader = Reader(kind)
    qemu.run(command(column, kind, args), args.timeout, reader.feed, reader.end)
    with open(os.path.join(args.out, f"{column}-{kind}.log"), "w", encoding="utf-8") as log:
        log.writelines(line + "\n" for line in reader.lines)
    return reader
