"""The table of boot tests: what is booted, and what has to be on the terminal. run.py carries them out.

A case passes when the runner's verdict is a pass (nothing failed, no panic, no unexpected crash, as many free
frames after the last guest as before the first, the machine off by itself), when exactly the guests named in
`guests` ran tests to their final line, and when every pattern of `shows` is found on some line.
"""

from dataclasses import dataclass

import badelf


@dataclass
class Case:
    name: str
    modules: tuple = None  # "FILE WORDS", FILE being GOOD (the guest) or BAD-kind (broken); None: the ISO
    options: str = ""  # of the hypervisor
    guests: tuple = (1,)
    shows: tuple = ()
    crash: tuple = ()  # the guests that have to crash
    cpu: str = "max"
    mem: int = 512
    firmware: str = "bios"
    limit: int = 60  # seconds


ALL = "GOOD name={0} mem=64M -- suites=all"
SHORT = "GOOD name={0} mem=32M -- suites=boot"
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
    Case("iso-uefi", guests=MENU, firmware="uefi", limit=120),
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
    Case("unknown-option", (SHORT.format("good"),), "frobnicate=7 loglvl=all",
         shows=(r"^\(XEN\).*frobnicate",)),
    Case("unknown-word", ("GOOD name=odd colour=blue mem=32M -- suites=boot",), shows=(r"^\(XEN\).*colour",)),
    Case("fifo", ("GOOD name=queues mem=64M vcpus=2 -- suites=fifo", SHORT.format("good")), guests=(1, 2)),
    Case("trace", (SHORT.format("good"),), "trace=hypercalls", shows=(r"mmu_update|console_io",)),
] + [
    Case(f"bad-{kind}", (f"BAD-{kind} name=broken mem=32M -- suites=boot", SHORT.format("good")), guests=None,
         shows=(rf"^\(XEN\).*(broken|bad-{kind}|[Mm]odule [01]\b).*({REASONS[kind]})",))
    for kind in badelf.KINDS
]
