"""The table of boot tests: what is booted, and what has to be on the terminal. run.py carries them out.

A case passes when the runner's verdict is a pass (nothing failed, no panic, no unexpected crash, as many free
frames after the last guest as before the first, the machine off by itself), when exactly the guests named in
`guests` ran tests to their final line, when every pattern of `shows` is found on some line, and when `check`
finds no fault.
"""

from dataclasses import dataclass, field

import badelf
import console_lines
import debugger
import esp
import irqsoff
import keyboard
import meddle
import nested
import tracecheck
import x86_selftests


@dataclass
class Case:
    name: str
    modules: tuple = None  # "FILE WORDS" (FILE: see run.py's file_of); None: the ISO
    options: str = ""  # of the hypervisor
    guests: tuple = (1,)
    shows: tuple = ()
    crash: tuple = ()  # the guests that have to crash
    types: tuple = ()  # (pattern, bytes): typed when the pattern is on a line
    check: object = None  # of all lines: yields faults
    trace: str = ""  # how it comes to us: live, from RAM while the machine runs; after, when it is off; debugcon; com2
    traced: object = None  # of what was read then: yields faults
    cpu: str = "max"
    kvm: str = ""  # the CPU of a machine under real KVM, inside an emulated one (nested.py); cpu is not looked at
    rom: bytes = b""  # an option ROM of that machine
    icount: bool = False  # every run the same, see tools/qemu.py
    recorded: bool = False  # two runs: the second is the replay of the first, and must be the same; trace: of both
    snapshots: float = 0  # two are taken while it is recorded, so many seconds apart; a third run starts from the last
    mem: int = 512
    firmware: str = "bios"
    limit: int = 60  # seconds
    iso: str = "guests"  # or linux, own: which one, where modules is None
    loader: str = ""  # of UEFI: "chain" is GRUB by way of xen.efi; for "esp" and "shell" see esp.py
    files: dict = field(default_factory=dict)  # more of them on that ESP
    same_as: str = ""  # a case whose tests and verdicts have to be the same
    check_ram: object = None  # of the machine's memory after the run, and all lines: yields faults
    bare: bool = False  # no hypervisor: the first module is started as it is, on two emulated CPUs
    starts: bool = True  # False: the hypervisor does not, and only shows and check are judged
    panics: str = ""  # the reason that the hypervisor has to give when it ends itself; shows and check are judged, too
    meddles: object = None  # a plan of gdb.py: what is done to the machine meanwhile
    debugged: object = None  # of debugger.py: gdb looks at the machine (at the replay, if recorded): yields faults
    irqsoff: bool = False  # the hypervisor is the one that measures how long interrupts stay off
    until: str = ""  # a line behind which nothing more comes, though the machine runs on


ALL = "GOOD name={0} mem=64M -- suites=all"
SERVICE = "STORE service name=store --"
SHORT = "GOOD name={0} mem=32M -- suites=boot"

MENU_MODULES = (SERVICE, ALL.format("alone"), "GOOD name=left mem=64M -- suites=all peer=3",
                "GOOD name=right mem=64M -- suites=all peer=2")  # as grub.cfg's first entry
MENU = (1, 2, 3)  # the guests of grub.cfg's first entry

# What the hypervisor says of each broken module, besides its name.
REASONS = {
    "not-elf": r"not an? ELF|no ELF|not a PV kernel|no PV kernel|no kernel|neither",
    "truncated": r"truncated|beyond|outside|past|short",
    "headers-cut": r"truncated|beyond|outside|past|short|not a PV kernel|no PV kernel|no kernel",
    "no-notes": r"notes?\b|not a PV kernel|no PV kernel",
    "overlapping": r"overlap",
    "memsz-wraps": r"wrap|overflow|outside|beyond|too large|memory|range",
    "paddr-wraps": r"wrap|overflow|outside|beyond|too large|memory|range",
    "offset-wraps": r"wrap|overflow|truncated|outside|beyond|past|range",
    "filesz-over-memsz": r"file|larger|exceeds|memsz",
    "too-large": r"memory|too large|room|fit",
}

CASES = [
    Case("iso-bios", guests=MENU, shows=(r"^\(XEN\).*Paragon",), limit=120),
    Case("iso-uefi", guests=MENU, firmware="uefi", same_as="iso-bios", limit=120),
    Case("cpu-max", (ALL.format("solo"),), shows=(r"^\(XEN\).*\bsolo\b",)),
    Case("cpu-qemu64", (ALL.format("solo"),), cpu="qemu64"),
    Case("cpu-haswell", (ALL.format("solo"),), cpu="Haswell"),
    Case("one-liner", ("GOOD suites=boot",), "console=com1 com1=115200,8n1"),
    Case("no-options", ("GOOD suites=boot",)),
    Case("little-memory", ("GOOD mem=16M -- suites=boot",), mem=64),
    Case("four-guests", tuple(ALL.format(f"g{n}") for n in range(1, 5)), guests=(1, 2, 3, 4), limit=120),
    Case("crash-beside-good", ("GOOD name=wreck mem=32M -- suites=crash", ALL.format("good")),
         guests=(2,), crash=(1,), shows=(r"^\(XEN\).*Domain 1 .*crashed",)),
    Case("crash-alone", ("GOOD name=wreck mem=32M -- suites=crash",), guests=(), crash=(1,)),
    Case("out-of-memory", ("GOOD name=giant mem=4G -- suites=boot", SHORT.format("good")),
         guests=(2,), shows=(r"^\(XEN\).*giant.*(memory|room)",)),
    Case("memory-runs-out", (SHORT.format("first"),) + ("GOOD name=second mem=500M -- suites=boot",),
         guests=(1,), shows=(r"^\(XEN\).*second.*(memory|room)",)),
    Case("no-modules", (), guests=(), shows=(r"^\(XEN\).*(module|guest|kernel)",)),
    Case("console-raw", (SHORT.format("solo"),), "console=com1 console_raw=auto", guests=(0,), check=console_lines.bare,
         shows=(r"^KTAP version 1$", r"^\(XEN\) \*\*\* d1 has the terminal to itself")),
    Case("unknown-option", (SHORT.format("good"),), "frobnicate=7 loglvl=all",
         shows=(r"^\(XEN\).*frobnicate",)),
    Case("four-notes", ("TINY name=tiny mem=8M --", SHORT.format("good")), guests=(2,),
         shows=(r"^\(d1\) tiny: as it has to be", r"^\(XEN\).*Domain 1 \(tiny\) ended: power off")),
    Case("own-iso", iso="own", guests=(),
         shows=(r"^\(XEN\) d0 \(store\)", r"^\(XEN\) d1 .*, ramdisk [78] KiB", r"^\(d1\) tiny: as it has to be")),
    Case("guests-200", tuple(f"GOOD name=guest{n} mem=16M -- suites=boot" for n in range(1, 201)),
         guests=tuple(range(1, 201)), mem=4096, limit=120),
    Case("modules-1030", ("TINY mem=4M --",) * 1030, guests=(), mem=6144, limit=120,
         shows=(r"^\(XEN\) 6 modules are dropped, from number 1024 on \(.*tiny mem=4M --\)",
                r"^\(d1024\) tiny: as it has to be")),
    Case("long-strings", ("GOOD name=first mem=32M -- suites=boot " + "a" * 1685,
                          "GOOD name=second mem=32M -- suites=boot " + "b" * 4096),
         "console=com1 loglvl=all " + " ".join(f"nothing{n}" for n in range(200)), guests=(1, 2),
         shows=(r"^\(XEN\) The command line is cut: of the options behind \"nothing\d+ *\" \d+ bytes are ignored",
                r"^\(XEN\) module 0 \(first\): its command line is cut: 1023 bytes of 1697 reach the guest",
                r"^\(XEN\) module 1 \(second\): its string is cut after 4095 bytes, \d+ are lost",
                r"^\(XEN\) module 1 \(second\): its command line is cut: 1023 bytes of 4108 reach the guest")),
    Case("unknown-word", ("GOOD name=odd colour=blue mem=32M -- suites=boot",), shows=(r"^\(XEN\).*colour",)),
    Case("fifo", ("GOOD name=queues mem=64M vcpus=2 max_ports=131071 -- suites=fifo", SHORT.format("good")), guests=(1, 2)),
    Case("second-vcpu", ("GOOD name=two mem=64M vcpus=2 -- suites=vcpu",)),
    Case("second-vcpu-haswell", ("GOOD name=two mem=64M vcpus=2 -- suites=vcpu",), cpu="Haswell"),
    Case("store", (SERVICE, "GOOD name=client mem=32M -- suites=store", "GOOD name=other mem=32M -- suites=store"),
         guests=(1, 2), shows=(r"^\(XEN\).*Domain 0 \(store\) ended: power off",)),
    Case("store-abused", ("GOOD name=abuser mem=32M -- suites=storeabuse", SERVICE,
                          "GOOD name=liar mem=32M -- suites=storelie", "GOOD name=good mem=32M -- suites=store"),
         guests=(1, 2, 3), shows=(r"domain 1: a message beyond", r"domain 2: senseless ring indices")),
    Case("store-many", (SERVICE, "GOOD name=client mem=32M -- suites=storemany"), icount=True),
    Case("store-lost", (SERVICE, "GOOD name=client mem=32M -- suites=storelost"), limit=90,
         types=tuple((rf"end it now, {n}$", b"\1\1\1x0\1\1\1") for n in range(1, 5)),
         shows=(r"d0 \(store\) died.*1 of 3", r"2 of 3", r"3 of 3.*to refuse every request", r"Nobody serves the store")),
    Case("store-cut", (SERVICE, "GOOD name=client mem=32M -- suites=storecut"),
         types=((r"end it now, 1$", b"\1\1\1x0"),), shows=(r"domain 1: the store before us died inside of a message",)),
    Case("store-dies", ("GOOD service name=dying mem=32M -- suites=crash", SHORT.format("good"),
                        "GOOD name=client mem=32M -- suites=storebroken"), guests=(1, 2), crash=(0,),
         shows=(r"d0 \(dying\) died.*3 of 3", r"Nobody serves the store")),
    Case("store-alone", (SERVICE,), guests=(), shows=(r"^\(XEN\).*No guest could be started",)),
    Case("irqsoff-suites", MENU_MODULES, guests=MENU, icount=True, irqsoff=True, limit=240,
         check=irqsoff.at_most_a_millisecond),
    Case("irqsoff-long", ("GOOD mem=64M max_ports=131071 -- suites=long,fuzz,fifo",), icount=True, irqsoff=True, limit=120,
         check=irqsoff.at_most_a_millisecond),
    Case("irqsoff-death", ("GOOD name=dying mem=64M -- suites=dying", "GOOD name=living mem=16M -- suites=pauses"),
         guests=(1, 2), icount=True, irqsoff=True, limit=120, check=irqsoff.at_most_a_millisecond),
    Case("greedy-beside-modest", ("GOOD name=greedy mem=32M max_ports=131071 -- suites=greedy",
          "GOOD name=modest mem=54M vcpus=2 max_ports=4095 -- suites=modest"),
         guests=(1, 2), icount=True, mem=96),
    Case("trace", MENU_MODULES, "trace=all trace_size=64M hypercall_counts", guests=MENU, mem=640, limit=120, trace="live",
         traced=tracecheck.others_read_it),
    Case("trace-golden", ("GOOD mem=64M -- suites=" + ",".join(tracecheck.GOLDEN_SUITES),), "trace=all", mem=256,
         icount=True, trace="live", traced=tracecheck.golden),
    Case("trace-small-ring", ("GOOD mem=32M -- suites=events",), "trace=all trace_size=64K", trace="after",
         traced=tracecheck.losses_are_said),
    Case("trace-of-one", (SERVICE, "GOOD name=seen trace=hypercalls -- suites=boot", SHORT.format("unseen")),
         guests=(1, 2), trace="live", traced=tracecheck.only_domain_1),
    Case("trace-debugcon", ("GOOD mem=32M -- suites=boot,events",), "trace=all trace_to=debugcon hypercall_counts", trace="debugcon",
         traced=tracecheck.counters),
    Case("trace-com2", (SHORT.format("good"),), "trace=all trace_to=com2 hypercall_counts", trace="com2", traced=tracecheck.counters),
    Case("trace-by-key", ("GOOD mem=32M -- suites=timers",),
         types=((r"Subtest: timers", b"\1\1\1t"), (r"  ok 8 ", b"T"), (r"Trace: the last", b"t")),
         shows=(r"^\(XEN\) Trace: ring of", r"^\(XEN\) Trace: on", r"^\[d1v0 \d+\.\d+\] \w+\(", r"^\(XEN\) Trace: off")),
    Case("trace-at-crash", ("GOOD name=wreck mem=32M -- suites=crash",), "trace=hypercalls trace_lines=5", guests=(),
         crash=(1,), shows=(r"^\(XEN\) Trace: the last 5 of \d+", r"^\[d1v0 \d+\.\d+\] \w+\(.*\) = -?\d+ <\d+>")),
] + [
    Case(f"bad-{kind}", (f"BAD-{kind} name=broken mem=32M -- suites=boot", SHORT.format("good")), guests=None,
         shows=(rf"^\(XEN\).*(broken|bad-{kind}|[Mm]odule [01]\b).*({REASONS[kind]})",))
    for kind in badelf.KINDS
]

# Debian's kernel. Its own tests are tools/linux/selftest.
LINUX = "LINUX name=linux{0} mem=256M vcpus={1} -- console=hvc0 vcpus={1} paragon={2}"
SELFTEST = " name=linux mem=256M vcpus={0} -- console=hvc0 vcpus={0} paragon=selftest"
TYPING = f"console type={keyboard.SIZE}"
PV = (r"^\(d1\).*Hypervisor detected: Xen PV",)

CASES += [
    Case("linux-iso-bios", iso="linux", shows=PV, limit=240),
    Case("linux-iso-uefi", iso="linux", shows=PV, firmware="uefi", same_as="linux-iso-bios", limit=240),
    Case("linux-qemu64", (LINUX.format("", 1, "selftest"), "RAMDISK"), cpu="qemu64", shows=PV,
         same_as="linux-iso-bios", limit=180),
    Case("linux-2-vcpus", (LINUX.format("", 2, "selftest"), "RAMDISK"), shows=PV, limit=240),
    Case("linux-traced", (SERVICE, LINUX.format("", 2, "boot"), "RAMDISK"), "trace=all hypercall_counts", guests=(), limit=240,
         shows=PV + (r"^\(d1\) boot: ",), trace="live", traced=tracecheck.others_read_it),
    Case("linux-store-refuses", ("STORE service name=store -- store=refuse", LINUX.format("", 1, "boot"), "RAMDISK"),
         guests=(), shows=PV + (r"^\(XEN\).*Domain 1 \(linux\) ended: power off",), limit=240),
    Case("linux-cloud", (SERVICE, "LINUX-cloud" + SELFTEST.format(1), "RAMDISK"), shows=PV, limit=240),
    Case("linux-6.12", (SERVICE, "LINUX-6.12" + SELFTEST.format(2), "RAMDISK"), shows=PV, limit=240),
    Case("linux-console", (LINUX.format("", 1, TYPING), "RAMDISK"), shows=PV, limit=180,
         types=((keyboard.ready(), keyboard.text()),), check=keyboard.faults),
    Case("linux-twice-and-guest", (LINUX.format(1, 1, "selftest"), "RAMDISK", LINUX.format(2, 2, "selftest"),
                                   "RAMDISK", ALL.format("third")), guests=(1, 2, 3), mem=800, limit=360),
    Case("linux-earlyprintk", ("LINUX name=linux mem=256M -- console=hvc0 earlyprintk=xen,keep paragon=boot", "RAMDISK"),
         guests=(), shows=(r"^\(d1\) .*xenboot0",), check=console_lines.once, limit=120),
    Case("linux-32-bit", ("ELF32 name=short mem=32M", SHORT.format("good")), guests=(2,),
         shows=(r"^\(XEN\).*module 0.*32-bit",)),
    Case("linux-memory-too-small", ("LINUX name=small mem=32M --", "RAMDISK", SHORT.format("good")),
         guests=(2,), shows=(r"^\(XEN\).*small.*too large: image \d+ KiB.*memory 32768 KiB",)),
    Case("linux-memory-just-too-small", ("LINUX name=small mem=75M --", "RAMDISK", SHORT.format("good")),
         guests=(2,), shows=(r"^\(XEN\).*small.*need \d+ KiB of memory, it has 76800 KiB",)),
    Case("linux-ramdisk-too-large", ("LINUX name=narrow mem=96M --", "ZEROS-100", SHORT.format("good")),
         guests=(2,), shows=(r"^\(XEN\).*narrow.*too large.*ramdisk 102400 KiB.*memory 98304 KiB",)),
    Case("pv-grub", (SERVICE, "GRUB name=grub mem=64M --"), guests=(), limit=60,
         types=((r"GNU GRUB", b"echo this is grub on $grub_cpu-$grub_platform\nhalt\n"),),
         shows=(r"^\(d1\).*this is grub on x86_64-xen", r"^\(XEN\).*Domain 1 \(grub\) ended: power off")),
    Case("store-shutdown", (SERVICE, "LINUX name=linux mem=256M -- console=hvc0", "RAMDISK"), guests=(),
         types=((r"ends it", b"\1\1\1s1"),), limit=120,
         shows=(r"^\(XEN\) d1 is asked", r"^\(d1\).*System halted", r"^\(XEN\).*Domain 1 \(linux\) ended: power off")),
]

# Linux's own x86 selftests. All that enter by SYSENTER once more on a CPU that has it.
SELFTESTS = "LINUX name=linux mem=256M vcpus=2 -- console=hvc0 paragon=selftests only={}"
NO_HYPERVISOR = "VMLINUZ console=ttyS0 paragon=selftests only={}"

CASES += [
    Case("linux-x86-selftests", (SELFTESTS.format(""), "X86"), guests=(), limit=400, shows=PV,
         check=x86_selftests.faults(x86_selftests.ALL)),
    Case("linux-x86-intel", (SELFTESTS.format(",".join(x86_selftests.ENTRIES)), "X86"), guests=(), limit=180,
         shows=PV, cpu="max,vendor=GenuineIntel", check=x86_selftests.faults(x86_selftests.ENTRIES, "Intel")),
    Case("linux-x86-native", (NO_HYPERVISOR.format(",".join(x86_selftests.NATIVELY)), "X86"), bare=True, starts=False,
         limit=180, check=x86_selftests.faults(x86_selftests.NATIVELY, natively=True)),
]

# The ways to boot from UEFI beside GRUB's multiboot2.
EFI = {"firmware": "uefi", "limit": 120}
SHELL = {"startup.nsh": "fs0:\nxen.efi -cfg=xen.cfg test -- loglvl=all\n"}
LOADER = (r"^\(XEN\) Bootloader: EFI \(EDK II",)
SIGNED = {"EFI/BOOT/BOOTX64.EFI": ":SIGNED"}
PIECES = "@echo -off\nfs0:\nfragment.efi {} -cfg=xen.cfg test\n"
FRAGMENT = {"fragment.efi": ":FRAGMENT"}

CASES += [
    Case("efi-chain", loader="chain", guests=MENU, shows=LOADER, same_as="iso-bios", **EFI),
    Case("efi-esp", loader="esp", guests=MENU, shows=LOADER, same_as="iso-bios", **EFI),
    Case("efi-shell", (ALL.format("solo"),), loader="shell", files=SHELL, same_as="cpu-max",
         shows=LOADER + (r"^\(XEN\) Command line: .*loglvl=all",), **EFI),
    Case("efi-6g", ("GOOD name=large mem=4600M -- suites=boot,memory", ALL.format("solo")), loader="esp", guests=(1, 2),
         mem=6144, shows=(r"^\(XEN\) System RAM: \d+ MiB \(6\d\d\d MiB free\)",), **EFI),
    Case("efi-fragments", ("GOOD name=solo -- suites=all",), loader="shell", same_as="cpu-max",
         files={**FRAGMENT, "startup.nsh": PIECES.format(50)},
         shows=(r"^fragment: the page at 2 MiB",), check_ram=esp.taken_pages, **EFI),
    Case("efi-more-fragments", ("GOOD name=solo -- suites=all",), loader="shell", same_as="cpu-max",
         files={**FRAGMENT, "startup.nsh": PIECES.format(400)},
         shows=(r"^fragment: the page at 2 MiB", r"^\(XEN\) \d+ KiB of RAM are left out"),
         check_ram=esp.taken_pages, **EFI),
    Case("efi-bad-calls", (SHORT.format("good"),), loader="shell", files=esp.bad_files(), check=esp.bad_calls, **EFI),
    Case("efi-no-configuration", (), loader="esp", files={"startup.nsh": "reset -s\n"}, starts=False,
         shows=(r"^Paragon: no configuration", r"^BdsDxe: failed to start .*: Not Found"), **EFI),
    Case("efi-little-memory", ("LINUX name=linux --",), loader="shell", mem=100, starts=False,
         files={"startup.nsh": "fs0:\nxen.efi\necho status %lasterror%\nreset -s\n"},
         shows=(r"^Paragon: not enough memory for linux: \d+ KiB", "^status 0x9"), **EFI),
    Case("efi-services", ("GOOD name=solo mem=64M -- suites=clocks",), "console=com1 wallclock=efi", loader="esp",
         shows=(r"^\(XEN\) Powering off by the firmware's ResetSystem",), firmware="no-acpi", limit=60),
    Case("efi-secure", (ALL.format("solo"),), loader="esp", files=SIGNED, shows=LOADER, same_as="cpu-max",
         firmware="secure"),
    Case("efi-secure-unsigned", (SHORT.format("solo"),), loader="esp", firmware="secure", starts=False,
         shows=(r"^BdsDxe: failed to load .*(Access Denied|Security Violation)",), until="No bootable option"),
    Case("linux-efi-fragments", ("LINUX name=linux -- console=hvc0 memtest=1", "RAMDISK"), loader="shell", guests=(),
         files={**FRAGMENT, "startup.nsh": PIECES.format(50)}, check_ram=esp.taken_pages,
         types=((r"ends it", b"poweroff\n"),), shows=(r"early_memtest: # of tests: 1",), **EFI),
    Case("linux-efi-chain", loader="chain", iso="linux", shows=LOADER + PV, same_as="linux-iso-bios", **EFI),
    Case("linux-efi-esp", loader="esp", iso="linux", shows=LOADER + PV, same_as="linux-iso-bios", **EFI),
    Case("linux-efi-shell", (LINUX.format("", 1, "selftest"), "RAMDISK"), loader="shell", files=SHELL,
         shows=LOADER + PV, same_as="linux-iso-bios", **EFI),
]

# What this or that CPU lacks.
NO_TCG = "max,tcg-cpuid=off"  # an emulated CPU that does not show that it is one

CASES += [
    Case("cpu-no-nx", (SERVICE, ALL.format("solo"), "GOOD name=client mem=32M -- suites=store"), cpu="max,-nx",
         guests=(1, 2), shows=(r"^\(XEN\) This CPU has no NX",)),
    Case("cpu-no-nx-linux", (SERVICE, LINUX.format("", 2, "selftest"), "RAMDISK"), cpu="max,-nx",
         shows=PV + (r"^\(d1\).*NX .*missing in CPU",), limit=240),
    Case("tsc-of-tcg", ("GOOD mem=32M -- suites=clocks tsc=stable",)),
    Case("tsc-not-invariant", ("GOOD mem=32M -- suites=clocks tsc=unstable",), cpu=NO_TCG,
         shows=(r"^\(XEN\) The TSC is not known to be invariant",)),
    Case("tsc-trusted", ("GOOD mem=32M -- suites=clocks tsc=stable",), "tsc=stable", cpu=NO_TCG),
]

# What comes between any two instructions, and what must not happen, is brought about by the debugger.
MACHINE_CHECK = (r"^\(XEN\) Machine check: \d+ so far, the last in bank 1, status b5[0-9a-f]{14}, address 1234000: going on",)

CASES += [
    Case("nmi-while-printing", (SHORT.format("good"),), meddles=meddle.nmi_while_printing,
         shows=(r"^\(XEN\) NMI: [1-5] so far, the last at e008:\[<[0-9a-f]{16}>\] \w+",)),
    Case("nmi-flood", (ALL.format("solo"), SHORT.format("good")), guests=(1, 2), meddles=meddle.nmi_flood, limit=120,
         shows=(r"^\(XEN\) NMI: \d\d+ so far",)),
    Case("machine-check", (SHORT.format("good"),), meddles=meddle.machine_check_while_printing, shows=MACHINE_CHECK),
    Case("machine-check-fatal", (SHORT.format("good"),), meddles=meddle.fatal_machine_check_while_printing,
         panics=r"FATAL TRAP: vector = 18, machine check: bank 1, status b6[0-9a-f]{14}, address 1234000",
         check=meddle.one_register_dump),
    Case("stack-lost", (SHORT.format("good"),), meddles=meddle.no_stack, panics="FATAL TRAP: vector = 8, double fault",
         check=meddle.one_register_dump),
    Case("stack-elsewhere", (SHORT.format("good"),), meddles=meddle.strange_stack, panics="FATAL TRAP: vector = (6|13|14), ",
         shows=(r"^\(XEN\) No call trace: rsp [0-9a-f]{16} is on no stack",), check=meddle.one_register_dump),
    Case("panic-in-panic", (SHORT.format("good"),), meddles=meddle.panic_in_panic, panics="FATAL TRAP: vector = 14",
         shows=(r"^\(XEN\) Panic on CPU 0, while another was being shown:", r"^\(XEN\) Rebooting"),
         check=meddle.one_register_dump),
]

# Recorded and replayed. Of the traces all records are compared, with their times.
TRACED = "console=com1 trace=all"
CLIENT = (SERVICE, "GOOD name=client mem=32M -- suites=store")
SEES_CLIENT = debugger.guest("client", r"^hypercall_page.* in section ")
LINUX_BOOT = (SERVICE, "LINUX name=linux mem=256M -- console=hvc0 paragon=boot", "RAMDISK")

CASES += [
    Case("record-guests", (SERVICE, "GOOD name=solo mem=64M -- suites=boot,memory,pagetables",
                           "GOOD name=client mem=32M -- suites=store"), TRACED, guests=(1, 2), recorded=True,
         trace="after", limit=120),
    Case("record-iso", iso="own", guests=(), recorded=True, shows=(r"^\(d1\) tiny: as it has to be",)),
    Case("record-keys", (SERVICE, "GRUB name=grub mem=64M --"), guests=(), recorded=True,
         types=((r"GNU GRUB", b"halt\n"),), shows=(r"^\(XEN\).*Domain 1 \(grub\) ended: power off",)),
    Case("record-linux", LINUX_BOOT, TRACED, guests=(), recorded=True, trace="after", limit=180, snapshots=5,
         shows=(r"^\(XEN\).*Domain 1 \(linux\) ended: power off",)),
]

# gdb with tools/gdb, on what runs and on what is replayed.
CASES += [
    Case("gdb-guest", CLIENT, TRACED, trace="after", debugged=SEES_CLIENT, limit=120),
    Case("gdb-replay", CLIENT, TRACED, trace="after", recorded=True, debugged=SEES_CLIENT, limit=120),
    Case("gdb-back", (SHORT.format("solo"),), TRACED, trace="after", recorded=True, debugged=debugger.back, limit=120),
    Case("gdb-linux", LINUX_BOOT, TRACED, guests=(), trace="after", debugged=debugger.guest("linux"), limit=180),
]

# Under real KVM, inside an emulated machine. The CPU there is AMD's whatever its name; with XSAVE, QEMU's emulation of SVM
# loses XCR0.
KVM = {"limit": 180}
BARE = "qemu64,-hypervisor"  # looks like a machine of its own
TIMERS = ("GOOD mem=32M -- suites=boot,timers",)

CASES += [
    Case("kvm-suites", (ALL.format("solo"),), kvm="qemu64", same_as="cpu-qemu64", **KVM),
    Case("kvm-host", (ALL.format("solo"), "GOOD name=clocks mem=32M -- suites=clocks tsc=unstable"), "loglvl=all",
         guests=(1, 2), kvm="host", shows=(r"^\(XEN\) XSAVE is not used: XCR0", r"^\(XEN\) Local APIC: x2APIC"), **KVM),
    Case("kvm-xapic", TIMERS, "loglvl=all", kvm=BARE, shows=(r"^\(XEN\) Local APIC: xAPIC",), **KVM),
    Case("kvm-x2apic-found-on", TIMERS, "loglvl=all", kvm=BARE, rom=nested.option_rom(nested.X2APIC_ON),
         shows=(r"^\(XEN\) Local APIC: x2APIC",), **KVM),
    Case("kvm-linux", (SERVICE, LINUX.format("", 2, "selftest"), "RAMDISK"), kvm="host,-xsave", shows=PV, limit=300),
]
