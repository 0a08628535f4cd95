"""Boot tests of the test guest's own image where it has a CPU to itself or believes so: on the bare
machine, started by QEMU's loader and by GRUB, and as the vmm's guest, where the same tests pass."""

import bare
from case import Case

ALL = "suites=all,rows,rowswork"
WANTED = ("popf_sets_if", "first_entry_to_user", "user_code_may_not", "hlt_waits",
          "loads_of_ss", "gates_of_each_kind", "process_row", "registers_survive", "single_step")
ON_BARE = bare.passes(*WANTED)

CASES = [
    Case("bare-pvh", modules=(f"GOOD {ALL}",), bare=True, starts=False, check=ON_BARE),
    Case("bare-grub",
         modules=(f"GOOD {ALL}",),
         bare=True, starts=False, loader="grub",
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
