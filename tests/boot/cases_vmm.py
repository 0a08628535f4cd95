"""Boot tests of the vmm: unmodified kernels in an ordinary domain, and what it refuses to host."""

from case import SHORT, Case

# As in grub.cfg.
UNMODIFIED = ("console=ttyS0 mitigations=off norandmaps acpi=off noapic nolapic nosmp pci=off "
              "tsc=reliable tsc_early_khz=host lpj=4000000 reboot=t panic=-1 "
              "cryptomgr.notests quiet")
LOUD = UNMODIFIED.removesuffix(" quiet")        # warnings are shown
EMULATED = "VMM name=linux mem=384M vmm -- way=emulate"
TRAPPED = "VMM name=linux mem=400M vmm -- way=trap"
TRANSLATED = "VMM name=linux mem=480M vmm -- way=translate"

# Fifty processes, and what a wrong page or register would change.
PROCESSES = (b"for i in $(seq 1 50); do /bin/busybox expr $i '*' $i; done | awk '{ s += $1 } END "
             b"{ print \"squares\", s }'; seq 1 500 | sort -r | sort -n | md5sum; "
             b"echo the sum is $((40 + 2)); uname -r; poweroff\n")

# (words of the vmm's module, the modules behind it, what is said)
REFUSED = (
    ("mem=64M vmm --", ("VMLINUZ",), r"vmm: the kernel is a bzImage: tools/unpack-kernel"),
    ("mem=64M vmm --", ("ELF32",), r"vmm: the kernel cannot be loaded: a 32-bit ELF file"),
    ("mem=64M vmm --", ("BAD-not-elf",), r"vmm: the kernel cannot be loaded: not an ELF file"),
    ("mem=64M vmm --", ("BAD-truncated",), r"vmm: the kernel cannot be loaded: truncated"),
    ("mem=64M vmm --", ("STORE",), r"vmm: the kernel's entry ffffffff80100000 is in no segment"),
    ("mem=128M vmm --", ("LINUX",), r"vmm: the kernel is too large: .* memory up to \d+ KiB"),
    ("mem=320M vmm --", ("LINUX", "ZEROS-100"),
     r"vmm: the ramdisk does not fit: it has 102400 KiB"),
    ("mem=5M vmm --", ("ELF32",), r"vmm: no memory for a guest: of \d+ KiB"),
    ("mem=64M --", (), r"vmm: no kernel: the module word vmm"),
    ("mem=64M vmm -- way=magic", ("ELF32",),
     r"vmm: way=magic: the ways are emulate trap translate"),
    ("mem=64M vmm -- way=translate", ("ELF32",),
     r"vmm: no memory for a guest: of \d+ KiB the vmm takes \d+ KiB"),
    ("mem=128M vmm -- way=translate", ("BAD-not-elf",),
     r"vmm: the kernel cannot be loaded: not an ELF file"),
    ("mem=128M vmm -- way=trap", ("VMLINUZ",), r"vmm: the kernel is a bzImage"),
)
NUMBERS = tuple(range(1, len(REFUSED) + 1))


def modules_of_refused():
    for words, behind, _ in REFUSED:
        yield f"VMM {words}"
        yield from behind
    yield SHORT.format("good")
    yield "VMM name=last vmm --"


CASES = [
    Case("vmm-refuses",
         modules=tuple(modules_of_refused()),
         guests=(len(REFUSED) + 1,), mem=1536, limit=120, crash=NUMBERS,
         shows=tuple(rf"^\(d{n}\) {line}" for n, (_, _, line) in zip(NUMBERS, REFUSED)) +
         (r"^\(XEN\).*\(last\): a vmm, and no module behind it",)),
    Case("vmm-lost",
         modules=("VMM name=lost mem=64M vmm --", "LOST", SHORT.format("good")),
         guests=(2,), crash=(1,),
         shows=(r"^\(d1\) RIP 000000000010007f .* 0f 0b  ud2",
                r"^\(d1\) GDT 1000 1f  IDT 101000 fff",
                r"^\(d1\) vmm: the end: triple fault.* at RIP 10007f",
                r"^\(d1\) vmm: exceptions: #UD 1")),
    # The shell prints the sum, the echo of what is typed does not have it.
    Case("linux-emulated",
         modules=(EMULATED, f"LINUX {UNMODIFIED}", "RAMDISK"),
         guests=(), limit=300,
         types=((r"ends it", b"echo the sum is $((40 + 2))\nuname -r; poweroff\n"),),
         shows=(r"^\(d1\).*the sum is 42", r"^\(d1\) 6\.1\.\d+", r"^\(d1\) vmm: the end: ",
                r"^\(XEN\).*Domain 1 \(linux\) ended: power off")),
    # In user mode PUSHF reads IF = 1 and POPF leaves it alone, and no trap says so: the kernel sees
    # interrupts enabled where it has disabled them. It says that twice, and its first timer
    # interrupt, found to be interruptible, is its end. Counted instructions: the same each time.
    Case("linux-trapped",
         modules=(TRAPPED, f"LINUX {LOUD}", "RAMDISK"),
         guests=(), limit=240, icount=True, way="trap",
         shows=(r"^\(d1\).*Interrupts were enabled \*very\* early",
                r"^\(d1\).*Interrupts were enabled early",
                r"^\(d1\).*kernel BUG at kernel/irq_work\.c:\d+!",
                r"^\(d1\).*Kernel panic - not syncing: Fatal exception in interrupt",
                r"^\(d1\) vmm: the end: triple fault", r"^\(d1\) vmm: exits: .*#GP \d+",
                r"^\(XEN\).*Domain 1 \(linux\) ended: power off")),
    # Counted, because time that passes while a busy host does not run QEMU would be timer
    # interrupts that the guest has to take one by one.
    Case("linux-translated",
         modules=(TRANSLATED, f"LINUX {UNMODIFIED}", "RAMDISK"),
         guests=(), limit=290, icount=True, way="translate",
         types=((r"ends it", PROCESSES),),
         shows=(r"^\(d1\).*squares 42925", r"^\(d1\).*5705e3c0d0044b724281f9bcc7520d3a  -",
                r"^\(d1\).*the sum is 42", r"^\(d1\) 6\.1\.\d+",
                r"^\(d1\) vmm: the end: HLT with interrupts off",
                r"^\(d1\) vmm: translated: \d+ blocks",
                r"^\(XEN\).*Domain 1 \(linux\) ended: power off")),
    # By emulation it takes minutes: `make ways`.
    Case("linux-session-translated",
         modules=(TRANSLATED, f"LINUX {UNMODIFIED} paragon=session", "RAMDISK"),
         prints_as="linux-session-bare", limit=290, icount=True, way="translate",
         shows=(r"^\(d1\) linux: 12 passed, 0 failed, 0 skipped",)),
]
