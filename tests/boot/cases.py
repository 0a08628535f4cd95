"""All boot tests, in the order in which run.py runs them. What a case is: case.py."""

import cases_bare
import cases_disk
import cases_efi
import cases_guests
import cases_linux
import cases_machine
import cases_smp
import cases_trace
import cases_vmm

CASES = (cases_guests.CASES + cases_trace.CASES + cases_linux.CASES + cases_bare.CASES +
         cases_vmm.CASES + cases_disk.CASES + cases_efi.CASES + cases_machine.CASES +
         cases_smp.CASES)
