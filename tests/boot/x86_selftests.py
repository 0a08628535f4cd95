"""What Linux's own x86 selftests have to print, on this hypervisor and natively. They are built by
x86.mk and run in a Linux guest, or in a Linux without a hypervisor, by the script x86-selftests.
Called by cases_linux.py.

A test passes when it ends with status 0, some check in it passed, and it printed no line with FAIL
or SKIP. TABLE has all tests that do anything else, each with the exact lines and the reason. The
lines of a row with HERE do not come natively, those of a row with ALSO_NATIVELY do: the case
linux-x86-native runs the tests of the table, and proves it. On Debian's Xen 4.17 the same kernel
prints the same lines."""

import re

HERE, ALSO_NATIVELY = "natively it passes", "natively the same"
NO_16_BIT = tuple(f"[SKIP] {what} unavailable for {cs}-bit CS, {ss}-bit SS"
                  for what, cs, ss in (("Code segment", 16, 16), ("Code segment", 16, 32),
                                       ("Data segment", 32, 16), ("Data segment", 64, 16)))

# (tests, vendor of the CPU or "" for all, which, lines, reason)
TABLE = (
    (("amx_64",), "", ALSO_NATIVELY,
     ("ended with 1", "no check passed",
      "amx_64: [FAIL] xstate cpuid: invalid tile data size/offset: 0/0: Success"),
     "QEMU's emulated CPU has no AMX"),
    (("sigreturn_32",), "", ALSO_NATIVELY,
     ("ended with 1", "[FAIL] Reg 1 mismatch: requested 0x0; got 0x3"),
     "QEMU's IRET leaves a null selector's RPL as it is; processors make it 0"),
    (("sigreturn_32", "sigreturn_64"), "", HERE, NO_16_BIT,
     "Linux gives no process a 16-bit segment under Xen PV: its repair of IRET to a 16-bit stack "
     "needs ring 0"),
    (("iopl_32",), "", HERE, ("ended with 137", "no check passed", "RIP: e030:get_desc"),
     "Linux finds the base of a 32-bit code segment by SGDT, which gives PV kernels the "
     "hypervisor's table"),
    (("test_vsyscall_64",), "", HERE,
     ("ended with 1", "[FAIL] vDSO reported CPU 123 but should be 1"),
     "under Xen PV Linux does not write the descriptor that holds a CPU's number for the CPUs that "
     "start later"),
    (("syscall_arg_fault_32",), "AMD", HERE, ("[FAIL] AX had the wrong value: 0xffffffff",),
     "an AMD CPU has no SYSENTER in long mode, so PV sets none up; QEMU has it, and raises #GP "
     "instead of #UD"),
    (("syscall_arg_fault_64",), "AMD", ALSO_NATIVELY, ("[SKIP] Illegal instruction",),
     "an AMD CPU has no SYSENTER in long mode"),
    (("syscall_arg_fault_32",), "Intel", ALSO_NATIVELY, ("[SKIP] Illegal instruction",),
     "an Intel CPU has no SYSCALL in 32-bit code"),
    (("syscall_arg_fault_64",), "Intel", HERE, ("[SKIP] Illegal instruction",),
     "WRGSBASE is hidden from guests: QEMU's takes a non-canonical base"),
)
NATIVELY = tuple(sorted({test for tests, vendor, _, _, _ in TABLE
                         for test in tests if vendor != "Intel"}))
# Those that enter the kernel by SYSENTER on an Intel CPU, or step over it.
ENTRIES = tuple(f"{test}_{bits}"
                for test in ("single_step_syscall", "syscall_arg_fault", "syscall_nt",
                             "ptrace_syscall", "mov_ss_trap", "sigtrap_loop")
                for bits in (32, 64))
ENTRIES += "test_syscall_vdso_32", "unwind_vdso_32"
ALL = 42  # as many as x86.mk builds


def expected(vendor, natively):
    """The lines of each test that does not just pass."""
    wanted = {}
    for tests, cpu, which, lines, _ in TABLE:
        if cpu in ("", vendor) and (which == ALSO_NATIVELY or not natively):
            for test in tests:
                wanted.setdefault(test, set()).update(lines)
    return wanted


def printed(lines):
    """({test: lines that are no pass}, whether the last test has ended)."""
    seen, done = {}, False
    for line in lines:
        if end := re.search(r"\bx86: (\w+) ended with (\d+), (\d+) checks passed", line):
            name, status, good = end.groups()
            found = seen.setdefault(name, set())
            if status != "0":
                found.add(f"ended with {status}")
            if good == "0":
                found.add("no check passed")
        elif note := re.search(r"\bx86: (\w+): (.*)", line):
            seen.setdefault(note[1], set()).add(" ".join(note[2].split()))
        done |= bool(re.search(r"\bx86: done", line))
    return seen, done


def faults(tests, vendor="AMD", natively=False):
    """The `check` of a case that runs these tests (names, or their number)."""
    def check(lines):
        seen, done = printed(lines)
        wanted = expected(vendor, natively)
        if not done:
            yield "the tests have not ended"
        if isinstance(tests, int) and len(seen) != tests:
            yield f"{len(seen)} tests ran and not {tests}"
        for name in sorted(seen if isinstance(tests, int) else seen.keys() | set(tests)):
            here, there = seen.get(name, {"did not run"}), wanted.get(name, set())
            yield from (f"{name}: {line}" for line in sorted(here - there))
            yield from (f"{name}: not seen: {line}" for line in sorted(there - here))
    return check
