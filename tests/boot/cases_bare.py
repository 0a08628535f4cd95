"""Boot tests without a hypervisor: the test guest's own image, by QEMU's loader and by GRUB."""

import bare
from case import Case

ON_BARE = bare.passes("popf_sets_if", "first_entry_to_user", "user_code_may_not", "hlt_waits")

CASES = [
    Case("bare-pvh", modules=("GOOD",), bare=True, starts=False, check=ON_BARE),
    Case("bare-grub", modules=("GOOD",), bare=True, starts=False, loader="grub", check=ON_BARE),
    Case("bare-qemu64", modules=("GOOD",), bare=True, starts=False, cpu="qemu64", check=ON_BARE),
]
