"""The machine: which accelerator, which QEMU command line, and running it with a time limit.

The QEMU process never outlives run(), however that ends. run() hands every line to its caller as it
appears, and types what the caller or the keyboard gives. Not here: what the lines mean (ktap.py).
Called by paragon-run, oracle-compare and tests/boot. $QEMU names another program, with options if
it needs some.
"""

import errno
import os
import re
import selectors
import shlex
import signal
import subprocess
import sys
import time

OVMF = "/usr/share/ovmf/OVMF.fd"
# Secure Boot needs variables that only system management mode can write, which needs a Q35. The
# variables are those in which Debian's snakeoil key is enrolled.
SECURE = ["-machine", "q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"]
for unit, access, image in ((0, "readonly", "OVMF_CODE_4M.secboot.fd"),
                            (1, "snapshot", "OVMF_VARS_4M.snakeoil.fd")):
    SECURE += ["-drive", f"if=pflash,unit={unit},format=raw,{access}=on,"
                         f"file=/usr/share/OVMF/{image}"]
# Without ACPI there is no other way to switch off than the firmware's.
NO_ACPI = ["-machine", "q35,acpi=off", "-bios", OVMF]
Q35 = ["-machine", "q35"]
FIRMWARE = {"bios": [], "q35": Q35, "uefi": ["-bios", OVMF], "uefi-q35": Q35 + ["-bios", OVMF],
            "no-acpi": NO_ACPI, "secure": SECURE}
DRAIN_SECONDS = 2
TAP = "paragon0"  # the interface of NET=tap
# QEMU's line when KVM has given up. The machine and QEMU hang from then on.
KVM_GAVE_UP = re.compile(r"^KVM internal error|^error: kvm run failed")
# Instructions counted, and everything that depends on time or chance made the same in each run.
ICOUNT = ["-icount", "shift=0,sleep=off", "-seed", "1", "-rtc", "base=2026-01-01,clock=vm"]
ICOUNT_CPU = "max,-smap,-la57,-erms"
# Where the vmm has the real CPU run its guest's code, CPUID shows the guest what the real CPU has,
# and the instructions are there whatever the guest's CR4 says. So the machine's CPU is without what
# the vmm does not emulate: the bits of CR4 (SMAP, SMEP, LA57, OSXSAVE, UMIP, FSGSBASE, PKE), their
# instructions, and RDPID. ERMS is for speed: QEMU takes REP MOVSB byte by byte.
DIRECT_WAYS = ("trap", "translate")
HIDDEN = ",-smap,-smep,-la57,-erms,-xsave,-umip,-fsgsbase,-pku,-rdpid"
# Everything that enters the machine (keys, clocks, random numbers) is written to a file, or read
# from it: see recording.py. With sleep=off, as above, QEMU hangs when it records and when it
# replays. Snapshots are in a disk image that no device of the machine uses. Without vapic=off QEMU
# hangs when it loads a snapshot taken after the firmware: the device that helps Windows with its
# local APIC waits for a CPU that waits for it.
RECORDING = "shift=0,rr={},rrfile={},rrsnapshot={}"
RECORDED = ["-global", "apic.vapic=off"]


def cpu_for(way, cpu):
    """The value of -cpu for a guest that the vmm hosts by that way; the user's own is kept."""
    return cpu + HIDDEN if way in DIRECT_WAYS else cpu


def pick_accel(wish):
    """(accelerator, why). There is a /dev/kvm that works without vmx or svm in the CPU flags, but
    slowly: auto does not choose that."""
    if wish != "auto":
        return wish, "asked for"
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        if not re.search(r"^flags\s*:.*\b(vmx|svm)\b", info.read(), re.M):
            return "tcg", "the CPU flags show neither vmx nor svm"
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
    except OSError as error:
        return "tcg", f"/dev/kvm: {error.strerror}"
    return "kvm", "vmx or svm, and /dev/kvm opens"


def gdb_stub(where):
    """Options for a QEMU that waits until gdb is connected and continues. where: host:port or
    unix:path."""
    socket = f"{where},server=on,wait=off" if where.startswith("unix:") else f"tcp:{where}"
    return ["-S", "-gdb", socket]


def drive(name, file, machine):
    """Options for a read-only drive. In a recording, a driver between the disk and its file records
    when the disk answers."""
    if not machine.get("rr"):
        return ["-drive", f"if=none,id={name},readonly=on,{file}"]
    return ["-drive", f"if=none,id={name}-file,readonly=on,{file}",
            "-drive", f"driver=blkreplay,if=none,id={name},readonly=on,image={name}-file"]


def vectors(machine):
    return f",vectors={machine['vectors']}" if machine.get("vectors") is not None else ""


def disk_options(machine):
    """The name says what the file is, never its first bytes: the guest writes those, and a qcow2
    may name another file of this machine as its base."""
    path = machine["disk"]
    kind = "qcow2" if path.endswith(".qcow2") else "raw"
    file = path.replace(",", ",,")
    where = f"file={file}"
    if machine.get("bad_sector"):
        where = f"file.driver=blkdebug,file.image.driver=file,file.image.filename={file}"
        for n, access in enumerate(("read", "write")):
            rule = {"event": "none", "iotype": access, "errno": errno.EIO, "once": "off",
                    "sector": machine["bad_sector"]}
            where += "".join(f",file.inject-error.{n}.{key}={value}" for key, value in rule.items())
    argv = ["-drive", f"if=none,id=disk,format={kind},discard=unmap,{where}",
            "-device", "virtio-blk-pci,drive=disk" + vectors(machine)]
    for n, more in enumerate(machine.get("more_disks") or []):
        file = more.replace(",", ",,")
        argv += ["-drive", f"if=none,id=disk{n},format=raw,discard=unmap,file={file}",
                 "-device", f"virtio-blk-pci,drive=disk{n}" + vectors(machine)]
    return argv


def net_options(machine):
    forward = f",hostfwd=tcp:127.0.0.1:{machine['ssh']}-:22" if machine.get("ssh") else ""
    for port, program in machine.get("programs", {}).items():
        forward += f",guestfwd=tcp:10.0.2.100:{port}-cmd:{program.replace(',', ',,')}"
    backend = "user,id=net" + forward
    if machine["net"] == "tap":
        backend = f"tap,id=net,ifname={TAP},script=no,downscript=no"
    return ["-netdev", backend,
            "-device", "virtio-net-pci,netdev=net,romfile=" + vectors(machine)]


def command(machine, iso=None, kernel=None, append="", modules=(), esp=None, program=None):
    """The QEMU command line. modules: "file words" strings. esp: a directory, shown to the machine
    as a disk with one FAT partition. machine: a dict of accel, cpu, mem and firmware, and perhaps
      smp      more CPUs than one
      icount   instructions are counted
      rr       ("record" or "replay", file of events, image of snapshots, snapshot to start from)
      ram      a file to be the machine's memory, so that others can read it
      disk     a file for a virtio disk: qcow2 if its name ends so, else raw
      more_disks  files for others, raw
      bad_sector  of that disk: it can be neither read nor written
      net      a virtio network card: "user", or "tap" (paragon0, which exists)
      vectors  so many interrupts of each of them by messages; 0: by their pins
      ssh      a port of this machine that leads to port 22 of the first guest (with user)
      programs {port: command}: what a guest that connects to 10.0.2.100 talks to (with user)
      gdb      where QEMU waits for gdb: localhost:port or unix:path
      monitor  a socket for it
    """
    argv = shlex.split(program or os.environ.get("QEMU", "qemu-system-x86_64"))
    argv += ["-accel", machine["accel"], "-cpu", machine["cpu"], "-m", str(machine["mem"])]
    argv += ["-smp", str(machine["smp"])] if machine.get("smp") else []
    monitor = machine.get("monitor")
    socket = f"unix:{monitor.replace(',', ',,')},server=on,wait=off" if monitor else "none"
    argv += ["-monitor", socket]
    argv += ["-display", "none", "-nic", "none", "-no-reboot"]
    argv += ["-chardev", "stdio,id=console,mux=off", "-serial", "chardev:console"]
    argv += FIRMWARE[machine["firmware"]]
    if machine.get("disk"):
        argv += disk_options(machine)
    if machine.get("net"):
        argv += net_options(machine)
    if machine.get("icount"):
        argv += ICOUNT
    if machine.get("rr"):
        mode, events, snapshots, start = (word.replace(",", ",,") for word in machine["rr"])
        argv += ["-icount", RECORDING.format(mode, events, start),
                 "-drive", f"if=none,id=snapshots,file={snapshots}"] + RECORDED
    if machine.get("gdb"):
        argv += gdb_stub(machine["gdb"])
    if machine.get("ram"):
        argv += ["-machine", "memory-backend=ram",
                 "-object", "memory-backend-file,id=ram,share=on,"
                 f"size={machine['mem']}M,mem-path={machine['ram'].replace(',', ',,')}"]
    elif machine.get("rr"):  # a snapshot has the memory's name in it, the same traced or not
        argv += ["-machine", "memory-backend=ram",
                 "-object", f"memory-backend-ram,id=ram,size={machine['mem']}M"]
    # With bootindex, firmware does not try the guests' disk and the network before.
    if iso:
        cd = drive("cd", f"format=raw,file={iso.replace(',', ',,')}", machine)
        return argv + cd + ["-device", "ide-cd,drive=cd,bootindex=0"]
    if esp:
        disk = drive("esp", f"format=raw,file=fat:{esp}", machine)
        return argv + disk + ["-device", "virtio-blk-pci,drive=esp,bootindex=0"]
    initrd = ",".join(module.replace(",", ",,") for module in modules)
    return argv + ["-kernel", kernel, "-append", append] + (["-initrd", initrd] if modules else [])


class Terminal:
    """The user's terminal, while QEMU runs. Keys go to the guest as they are typed, without waiting
    for a line and without echo. raw: all keys, Ctrl-C as well, but not LEAVE, which ends QEMU."""

    LEAVE = b"\x1d"  # Ctrl-]
    SCREEN = re.compile(rb"\x1b\[\?(?:1049|1047|47)([hl])")
    # NORMAL_SCREEN leaves the alternate screen. SANE sets attributes, character set, cursor, line
    # wrap, keys, mouse and pasting as a shell expects them.
    NORMAL_SCREEN = b"\x1b[?1049l"
    SANE = b"\x18\x1b[0m\x1b(B\x1b[?25h\x1b[?7h\x1b[?1l\x1b>\x1b[?1000l\x1b[?2004l"

    def __init__(self, raw):
        import termios
        import tty
        self.termios, self.raw, self.fd = termios, raw, sys.stdin.fileno()
        self.changed = self.alternate = False
        self.saved = termios.tcgetattr(self.fd)
        tty.setcbreak(self.fd)
        if raw:
            mode = termios.tcgetattr(self.fd)
            mode[0] &= ~(termios.IXON | termios.ICRNL | termios.INLCR | termios.BRKINT |
                         termios.ISTRIP)
            mode[3] &= ~(termios.ISIG | termios.IEXTEN)
            termios.tcsetattr(self.fd, termios.TCSANOW, mode)

    def keys(self):
        """What was typed; raises KeyboardInterrupt at LEAVE."""
        typed = os.read(self.fd, 4096)
        if self.raw and self.LEAVE in typed:
            raise KeyboardInterrupt
        return typed

    def show(self, chunk):
        self.changed |= b"\x1b" in chunk
        for switch in self.SCREEN.findall(chunk):
            self.alternate = switch == b"h"
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()

    def restore(self):
        """The terminal as it was before, also if the guest was stopped while it used the alternate
        screen."""
        if self.raw and self.changed:
            self.show((self.NORMAL_SCREEN if self.alternate else b"") + self.SANE)
        self.termios.tcsetattr(self.fd, self.termios.TCSADRAIN, self.saved)


class Wires:
    """QEMU's console: collects the lines of its output, and writes what is to be typed as fast as
    QEMU reads it."""

    def __init__(self, process, terminal):
        self.process, self.terminal = process, terminal
        self.selector = selectors.DefaultSelector()
        self.selector.register(process.stdout, selectors.EVENT_READ, self.receive)
        if terminal:
            self.selector.register(terminal.fd, selectors.EVENT_READ, self.keyboard)
        os.set_blocking(process.stdin.fileno(), False)
        self.to_type, self.rest, self.open, self.deadline = b"", b"", True, None

    def type(self, data):
        if data and not self.to_type and self.process.stdin not in self.selector.get_map():
            self.selector.register(self.process.stdin, selectors.EVENT_WRITE, self.send)
        self.to_type += data

    def send(self):
        try:
            self.to_type = self.to_type[os.write(self.process.stdin.fileno(), self.to_type):]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self.to_type = b""
        if not self.to_type:
            self.selector.unregister(self.process.stdin)
        return []

    def keyboard(self):
        typed = self.terminal.keys()
        if typed:
            self.type(typed)
        else:
            self.selector.unregister(self.terminal.fd)
        return []

    def receive(self):
        chunk = os.read(self.process.stdout.fileno(), 65536)
        self.open = bool(chunk)
        if self.terminal:
            self.terminal.show(chunk)  # at once, because a prompt is no complete line
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        return lines

    def lines(self, deadline):
        """Complete lines until QEMU closes its end or the deadline passes; the last may lack its
        newline."""
        self.deadline = deadline
        while self.open:
            wait = None if self.deadline is None else self.deadline - time.monotonic()
            ready = self.selector.select(wait) if wait is None or wait > 0 else []
            if not ready:
                break
            for key, _ in ready:
                yield from (line.decode("utf-8", "replace") for line in key.data())
        if self.rest:
            yield self.rest.decode("utf-8", "replace")


def keyboard():
    return sys.stdin.isatty() and sys.stdout.isatty()


def stop(process):
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            pass
        try:
            return process.wait(DRAIN_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    return process.wait()


def hang_up(number, _):
    raise SystemExit(128 + number)


def run(argv, timeout, on_line, stop_at=None, raw=False):
    """Runs QEMU and returns (ended by itself, exit status). Bytes that on_line returns are typed.
    timeout: in seconds, 0 for none; once KVM has given up, QEMU is stopped after DRAIN_SECONDS.
    stop_at: a compiled pattern; a line that it matches ends the run as a power-off would (Debian's
    Xen halts and does not power off). In a terminal (see keyboard()) the keys go to the guest's
    console, and its output is shown; raw: see Terminal."""
    deadline = time.monotonic() + timeout if timeout else None
    handlers = {number: signal.signal(number, hang_up)
                for number in (signal.SIGTERM, signal.SIGHUP)}
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, bufsize=0, start_new_session=True)
    terminal = None
    ended, status = False, None
    try:
        terminal = Terminal(raw) if keyboard() else None
        wires = Wires(process, terminal)
        for line in wires.lines(deadline):
            answer = on_line(line)
            if isinstance(answer, bytes):
                wires.type(answer)
            if KVM_GAVE_UP.search(line):
                wires.deadline = time.monotonic() + DRAIN_SECONDS
            if stop_at and stop_at.search(line):
                ended, status = True, 0
                break
        else:
            try:
                left = None if wires.deadline is None else max(wires.deadline - time.monotonic(), 0)
                status = process.wait(left)
                ended = True
            except subprocess.TimeoutExpired:
                pass
    finally:
        if terminal:
            terminal.restore()
        if process.poll() is None:
            stop(process)
        process.stdout.close()
        process.stdin.close()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return ended, status
