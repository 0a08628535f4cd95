"""Real KVM on any host: QEMU's TCG emulates SVM, so that a Debian kernel with kvm-amd runs in it,
and in there a QEMU with -accel kvm, which boots Paragon. The ramdisk with that QEMU is made once
(tests/tests.mk); what one case boots is a second archive behind it. Called by run.py."""

import os
import shlex
import subprocess

import qemu

TOOLS = os.path.dirname(os.path.abspath(qemu.__file__))
OUTER_CPU = "max,-la57"
OUTER_MEM = 1024  # MiB, more than the inner machine has
WORDS = "console=ttyS0 quiet loglevel=3 mitigations=off"

# mov $0x1b, %ecx; rdmsr; or $4, %ah; wrmsr, in real mode.
X2APIC_ON = bytes.fromhex("66b91b000000 0f32 80cc04 0f30")


def option_rom(code):
    """An option ROM: SeaBIOS runs the code once before it boots. Around it eax, ecx and edx are
    pushed and popped, and a far return ends it."""
    rom = bytearray(512)
    rom[:5] = bytes.fromhex("55aa01 eb3b")
    body = bytes.fromhex("665066516652") + code + bytes.fromhex("665a66596658cb")
    rom[0x40:0x40 + len(body)] = body
    rom[-1] = -sum(rom) & 0xFF
    return bytes(rom)


def inner(case, options, modules, logs):
    """The command of the inner machine, and the files that it names: (path there, file here)."""
    files = [("case/paragon", None)]
    words = []
    for number, (path, rest) in enumerate(modules):
        files.append((f"case/module{number}", path))
        words.append(f"/case/module{number} {rest}")
    machine = {"accel": "kvm", "cpu": case.kvm, "mem": case.mem, "firmware": "bios",
               "smp": case.smp}
    argv = qemu.command(machine, None, "/case/paragon", options, words,
                        program="qemu-system-x86_64")
    if case.rom:
        files.append(("case/rom", os.path.join(logs, case.name + ".rom")))
        argv += ["-option-rom", "/case/rom"]
        with open(files[-1][1], "wb") as rom:
            rom.write(case.rom)
    return argv + ["-vga", "none"], files


def command(case, args, options, modules):
    """QEMU's command line for the outer machine. modules: (file, words)."""
    base, linux = os.path.join(args.logs, case.name), os.path.dirname(args.linux)
    argv, files = inner(case, options, modules, args.logs)
    with open(base + ".command", "w", encoding="utf-8") as script:
        script.write("exec " + shlex.join(argv) + "\n")
    words = [f"{path}={here or args.paragon}" for path, here in files]
    words.append(f"case/command={base}.command")
    subprocess.run([os.path.join(TOOLS, "make-ramdisk"), base + ".cpio", *words], check=True)
    with open(base + ".initrd", "wb") as out:
        for part in (os.path.join(linux, "kvm", "ramdisk.gz"), base + ".cpio"):
            with open(part, "rb") as archive:
                out.write(archive.read())
    machine = {"accel": "tcg", "cpu": OUTER_CPU, "mem": case.mem + OUTER_MEM, "firmware": "bios"}
    kernel = os.path.join(linux, "kernel", "vmlinuz")
    initrd = ["-initrd", base + ".initrd"]
    return qemu.command(machine, None, kernel, WORDS) + initrd + ["-vga", "none"]
