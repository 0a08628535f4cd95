"""Boot tests of the test guest's own image where it has a CPU to itself or believes so: on the bare
machine, started by QEMU's loader and by GRUB, and as the vmm's guest, where the same tests pass."""

import bare
from case import SHORT, Case

ALL = "suites=all,rows,rowswork"
WANTED = ("popf_sets_if", "first_entry_to_user", "user_code_may_not", "hlt_waits",
          "loads_of_ss", "gates_of_each_kind", "process_row", "registers_survive", "single_step")
ON_BARE = bare.passes(*WANTED)

# How a kernel loses its machine (suite lost), and what the vmm says then.
LOST = (
    ("root", r"exception 14, error code 10, .*, CR2 ffffffff8"),
    ("recursion", r"exception 14, error code 11, .*, CR2 ffffffff8"),
    ("stack", r"exception 14, error code 2, .*, CR2 ffffffffffffff"),
    ("code", r"exception 14, error code 0, .*, CR2 7ffffffff0e0"),
    ("kernel-stack", r"exception 6, error code 0, at RIP 40"),
    ("gates", r"exception 6, error code 0, at RIP ffffffff8"),
    # Of the jump, or of what it led to: CPUs differ.
    ("address", r"exception 13, error code 0, at RIP (ffffffff8|8000000000000000)"),
)


def modules_of_lost(way):
    for how, _ in LOST:
        yield f"VMM name={how} mem=160M vmm -- way={way}"
        yield f"GOOD suites=lost how={how}"
    yield SHORT.format("good")


CASES = [
    Case("bare-pvh", modules=(f"GOOD {ALL}",), bare=True, starts=False, check=ON_BARE),
    Case("bare-grub",
         modules=(f"GOOD {ALL}",),
         bare=True, starts=False, loader="grub",
         check=ON_BARE),
    # OVMF leaves few MiB in one piece.
    Case("bare-grub-uefi",
         modules=("GOOD suites=all,rows",),
         bare=True, starts=False, loader="grub", firmware="uefi",
         check=ON_BARE),
    Case("bare-qemu64",
         modules=(f"GOOD {ALL}",),
         bare=True, starts=False, cpu="qemu64",
         check=ON_BARE),
    Case("bare-emulated",
         modules=("VMM name=vm mem=128M vmm -- way=emulate", f"GOOD vendor=ParagonGuest {ALL}"),
         limit=120,
         shows=(r"^\(d1\) vmm: the end: the guest reset its machine by port 64",),
         check=ON_BARE),
    Case("rows-pv", modules=("GOOD name=rows mem=64M -- suites=rowspv,rowswork",)),
]

CASES += [
    Case(f"bare-lost-{way}",
         modules=tuple(modules_of_lost(way)),
         mem=2048, guests=(len(LOST) + 1,), crash=tuple(range(1, len(LOST) + 1)),
         shows=tuple(rf"^\(d{n}\) vmm: the end: triple fault: {end}"
                     for n, (_, end) in enumerate(LOST, 1)))
    for way in ("emulate", "trap", "translate")
]
