"""The machine: which accelerator, which QEMU command line, and running it with a time limit.

Owns the QEMU process from start to end: whatever happens it is gone when run() returns. Hands every line to
its caller as it appears and judges nothing. Used by paragon-run, oracle-compare and tests/boot. $QEMU
replaces the program (it may carry words of its own).
"""

import os
import re
import selectors
import shlex
import signal
import subprocess
import sys
import time

OVMF = "/usr/share/ovmf/OVMF.fd"
DRAIN_SECONDS = 2


def pick_accel(wish):
    """(accelerator, why). /dev/kvm without vmx or svm in the CPU flags exists and is slow, so it is no
    default."""
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


def command(machine, iso=None, kernel=None, append="", modules=()):
    """The QEMU command line. machine: dict of accel, cpu, mem, firmware. modules: "file words" strings."""
    argv = shlex.split(os.environ.get("QEMU", "qemu-system-x86_64"))
    argv += ["-accel", machine["accel"], "-cpu", machine["cpu"], "-m", str(machine["mem"])]
    argv += ["-display", "none", "-nic", "none", "-no-reboot", "-monitor", "none"]
    argv += ["-chardev", "stdio,id=console,signal=on", "-serial", "chardev:console"]
    if machine["firmware"] == "uefi":
        argv += ["-bios", OVMF]
    if iso:
        return argv + ["-cdrom", iso, "-boot", "d"]
    initrd = ",".join(module.replace(",", ",,") for module in modules)
    return argv + ["-kernel", kernel, "-append", append] + (["-initrd", initrd] if modules else [])


def lines_of(process, deadline, echo):
    """Yields complete lines until QEMU ends or the deadline passes; the last one may lack its newline. With
    echo the bytes are shown at once, because a prompt is no complete line."""
    selector = selectors.DefaultSelector()
    selector.register(process.stdout, selectors.EVENT_READ)
    rest = b""
    while True:
        wait = None if deadline is None else deadline - time.monotonic()
        if wait is not None and wait <= 0 or not selector.select(wait):
            break
        chunk = os.read(process.stdout.fileno(), 65536)
        if not chunk:
            break
        if echo:
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in lines)
    if rest:
        yield rest.decode("utf-8", "replace")


def keyboard():
    return sys.stdin.isatty() and sys.stdout.isatty()


def stop(process, own_group):
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign) if own_group else process.send_signal(sign)
        except ProcessLookupError:
            pass
        try:
            return process.wait(DRAIN_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    return process.wait()


def run(argv, timeout, on_line, stop_at=None):
    """Runs QEMU and returns (ended by itself, exit status). timeout 0: no limit. stop_at: a compiled
    pattern after whose line the machine is as good as off (Debian's Xen halts and does not power off) and
    is stopped by us. When keyboard() says so the keyboard goes to the guest's console, and what comes back
    is echoed here."""
    interactive = keyboard()
    saved = None
    if interactive:
        import termios
        saved = termios.tcgetattr(sys.stdin)
    deadline = time.monotonic() + timeout if timeout else None
    process = subprocess.Popen(argv, stdin=None if interactive else subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=not interactive)
    ended, status = False, None
    try:
        for line in lines_of(process, deadline, interactive):
            on_line(line)
            if stop_at and stop_at.search(line):
                ended, status = True, 0
                break
        else:
            try:
                left = None if deadline is None else max(deadline - time.monotonic(), 0)
                status = process.wait(left)
                ended = True
            except subprocess.TimeoutExpired:
                pass
    finally:
        if process.poll() is None:
            stop(process, not interactive)
        process.stdout.close()
        if interactive:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, saved)
    return ended, status
