"""What a boot test is, and the words that the cases of several files share.

A case passes when the runner's verdict is a pass (nothing failed, no panic, no unexpected crash, as
many free frames after the last guest as before the first, the machine powered off by itself), when
exactly the guests named in `guests` ran tests to their final line, when every pattern of `shows`
matches some line, and when `check` finds no fault. The cases: cases.py. run.py runs them.
"""

from dataclasses import dataclass, field


@dataclass
class Case:
    name: str
    # What is booted. Each module is "FILE WORDS" (FILE: see file_of in run.py); None: an ISO.
    modules: tuple = None
    options: str = ""  # of the hypervisor
    iso: str = "guests"  # or linux, own: which one, where modules is None
    # With UEFI: chain, GRUB starts xen.efi; esp and shell, see esp.py. With bare: grub, from a CD.
    loader: str = ""
    files: dict = field(default_factory=dict)  # more files on that ESP
    bare: bool = False  # no hypervisor: the first module is the kernel, on two emulated CPUs
    irqsoff: bool = False  # the hypervisor that measures how long interrupts stay off

    # The machine.
    cpu: str = "max"
    way: str = "pv"  # of the vmm: some take flags from the CPU, see tools/qemu.py
    mem: int = 512
    smp: int = 0  # CPUs, if more than one
    waits: bool = False  # nearly all the time one of them waits for another: it need not run alone
    firmware: str = "bios"
    disk: bool = False  # a virtio disk, a copy of DISK; afterwards e2fsck has nothing to mend
    bad_sector: int = 0  # of that disk: it can be neither read nor written
    # The machine stops at a line (until) as if its power were cut, and its disk, which has no
    # journal, is examined by powercut.py.
    cut: bool = False
    # A virtio network card with user networking, in which 10.0.2.100 sends back what port 7 gets.
    net: bool = False
    blank: int = 0  # MiB of a virtio disk of zeros, instead of DISK
    blanks: int = 1  # so many of them
    vectors: int = None  # of each virtio device; 0: they interrupt by their pins
    icount: bool = False  # every run is the same, see tools/qemu.py
    kvm: str = ""  # CPU of a machine under real KVM, in an emulated one (nested.py); cpu is ignored
    rom: bytes = b""  # an option ROM of that machine

    # What is done while it runs.
    limit: int = 60  # seconds
    long: bool = False  # make test leaves it out: make boot-long, or its name, runs it
    types: tuple = ()  # (pattern, bytes): typed when a line matches the pattern
    # The trace is read from RAM while the machine runs (live) or afterwards (after), or from a
    # device (debugcon, com2).
    trace: str = ""
    # A second run replays the first, and must be the same, its trace too. With snapshots two are
    # taken during the first run, at this interval in seconds, and a third run starts at the last.
    recorded: bool = False
    snapshots: float = 0
    meddles: object = None  # a plan of gdb.py: what is done to the machine
    debugged: object = None  # of debugger.py: gdb examines the machine (if recorded, at the replay)
    until: str = ""  # a pattern: the line after which the machine is stopped

    # What is expected.
    guests: tuple = (1,)
    shows: tuple = ()
    crash: tuple = ()  # the guests that have to crash
    check: object = None  # a function of all lines: yields faults
    traced: object = None  # a function of the trace that was read: yields faults
    check_ram: object = None  # a function of the machine's memory and all lines: yields faults
    same_as: str = ""  # an earlier case whose tests and verdicts have to be the same
    prints_as: str = ""  # an earlier case whose Linux has to have given the same, line by line
    starts: bool = True  # False: the hypervisor does not start; only shows and check are judged
    panics: str = ""  # the reason of the hypervisor's panic; besides it shows and check are judged


ALL = "GOOD name={0} mem=64M -- suites=all"
SHORT = "GOOD name={0} mem=32M -- suites=boot"
SERVICE = "STORE service name=store --"

# The guests of grub.cfg's first entry.
MENU = (1, 2, 3)
MENU_MODULES = (SERVICE, ALL.format("alone"), "GOOD name=left mem=64M -- suites=all peer=3",
                "GOOD name=right mem=64M -- suites=all peer=2")

# Debian's kernel. Its own tests are tools/linux/selftest.
LINUX = "LINUX name=linux{0} mem=256M vcpus={1} -- console=hvc0 vcpus={1} paragon={2}"
PV = (r"^\(d1\).*Hypervisor detected: Xen PV",)
