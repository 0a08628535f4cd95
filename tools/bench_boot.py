"""The boots of tools/bench: the machine and command line of each column, and what is read of its
output. The machine is that of qemu.ICOUNT, with one CPU."""

import os
import re

import bench_counts
import qemu

COLUMNS = {"bare": "no hypervisor", "xen": "Debian's Xen 4.17", "paragon": "Paragon"}
# Where QEMU puts the kernel, Xen's console and those parts of it that cost most switched off.
XEN = "console=com1 com1=115200,8n1 noreboot spec-ctrl=no xpti=no dom0_mem={0},max:{0}"
PARAGON = "console=com1 com1=115200,8n1"
# The same addresses in each boot, and few lines on the console, which is slow on Xen. On Xen, mem=
# would be below frames that the kernel has moved, and it stops; its domain has as much.
LINUX = "norandmaps nokaslr quiet rdinit=/init console="
MEM = " mem=1G"
# Whose pages are global, for the plugin's model of a TLB: a kernel's own on the bare machine, those
# of programs on ours. Debian's Xen uses none in a virtual machine with an AMD CPU, as QEMU's is.
GLOBAL = {"bare": "k", "xen": "", "paragon": "p"}
# Of the machine in MiB, of the guest.
MEMORY = {"boot": (256, "64M"), "micro": (512, "64M"), "linux": (2048, "1G")}

ROW = re.compile(r"^ *# row (.+): (\d+) of (\d+)$")
MICRO = re.compile(r"^ *# bench: (.+) (\d+)$")
BOOT = re.compile(r"^\(XEN\) (Guests start) (\d+)\.(\d{3}) ms after the boot loader$")
PATTERNS = {"boot": BOOT, "micro": MICRO, "linux": ROW}
EACH = re.compile(r" of (\d+), each")     # in the name of a row of the test guest
FAILED = re.compile(r"^ *(not ok \d+ .+|# costs: .+ fails: .+)$")
END = {"boot": BOOT, "micro": re.compile(r"guest-pv: \d+ passed, \d+ failed"),
       "linux": re.compile(r"costs: all rows measured")}


def kinds_of(column):
    return {"bare": ("linux",), "paragon": ("boot", "micro", "linux")}.get(column,
                                                                          ("micro", "linux"))


def command(column, kind, args):
    mem, guest_mem = MEMORY[kind]
    machine = {"accel": "tcg", "cpu": qemu.ICOUNT_CPU, "mem": mem, "firmware": "bios",
               "icount": True}
    if column == "bare":
        return qemu.command(machine, None, args.linux, LINUX + "ttyS0" + MEM, [args.ramdisk])
    image, words, more = ((args.linux, LINUX + "hvc0", [args.ramdisk]) if kind == "linux" else
                          (args.guest, "suites=bench", []))
    words += MEM if (column, kind) == ("paragon", "linux") else ""
    if column == "xen":
        return qemu.command(machine, None, args.xen, XEN.format(guest_mem),
                            [f"{image} {words}"] + more)
    return qemu.command(machine, None, args.paragon, PARAGON,
                        [f"{image} name={kind} mem={guest_mem} -- {words}"] + more)


class Reader:
    """Fed with the lines of one boot, it has the rows, and what is wrong."""

    def __init__(self, kind):
        self.kind, self.pattern = kind, PATTERNS[kind]
        self.end = END[kind]
        self.rows, self.per, self.counts = {}, {}, {}
        self.failed, self.lines, self.ended = [], [], False

    def feed(self, raw):
        line = re.sub(r"^\(d\d+\) ", "", raw.replace("\r", "").rstrip())
        self.lines.append(line)
        if match := self.pattern.match(line):
            # One instruction takes a nanosecond.
            self.rows[match[1]] = (int(match[2] + match[3]) * 1000 if self.kind == "boot"
                                   else int(match[2]))
            self.per[match[1]] = self.operations(match)
        elif match := FAILED.match(line):
            self.failed.append(match[1])
        self.ended |= bool(self.end.search(line))

    @staticmethod
    def operations(row):
        """Of one sample."""
        if row.re is BOOT:
            return 1
        each = EACH.search(row[1])
        return int(row[3]) if row.lastindex > 2 else int(each[1]) if each else 1

    def faults(self):
        yield from self.failed
        if not self.ended:
            yield "did not come to its end"


def boot(column, kind, args):
    """A Reader that has seen all of it. The lines are kept as COLUMN-KIND.log."""
    reader = Reader(kind)
    argv = command(column, kind, args)
    out = os.path.join(args.out, f"{column}-{kind}")
    counted = args.plugin and kind != "boot"
    if counted:
        argv += ["-plugin", f"{os.path.abspath(args.plugin)},out={out}.counts"
                            f",global={GLOBAL[column]}"]
    qemu.run(argv, args.timeout, reader.feed, reader.end)
    with open(out + ".log", "w", encoding="utf-8") as log:
        log.writelines(line + "\n" for line in reader.lines)
    if counted:
        reader.counts = bench_counts.rows_of(out + ".counts", reader.per)
        if not reader.counts:
            reader.failed.append("the plugin has not counted each row")
    return reader
