"""What the cases of NMIs, machine checks, panics and races do to the machine (plans for gdb.py),
and the check that a panic printed the registers once. Called by the cases."""

import itertools

import gdb

SENDING = ("arch_console_write", "arch_console_putc")  # under the console's lock
RUNNING = "entry_xen_version"  # in hypercall_table: entered when a guest makes this hypercall
NOWHERE = 0xFFFF82C000000000  # not mapped
NMIS = 50  # at least
DIRECTMAP = 0xFFFF830000000000  # where the hypervisor has all memory: memlayout.h
NX = 1 << 63


def sending(stub, times):
    """Stops that many times in the middle of the guest's output."""
    stub.run_to(RUNNING)
    for _ in range(times):
        stub.run_to(next(name for name in SENDING if name in stub.symbols))
        yield


def nmi_while_printing(stub):
    for _ in sending(stub, 5):
        stub.monitor("nmi")
    stub.leave()


def nmi_flood(stub):
    """NMIs for as long as the machine runs."""
    stub.run_to(RUNNING)
    for sent in itertools.count():
        try:
            stub.monitor("nmi")
            stub.pause(0.005)
        except gdb.Ended:
            break
    if sent < NMIS:
        raise RuntimeError(f"only {sent} NMIs before the machine was off")


def machine_check(stub, status):
    stub.monitor(f"mce 0 1 {status:#x} 5 0x1234000 0")


def machine_check_while_printing(stub):
    """An uncorrected error that is signalled and needs no action: VAL UC EN ADDRV, S."""
    for _ in sending(stub, 3):
        machine_check(stub, 0xB500000000000000)
    stub.leave()


def fatal_machine_check_while_printing(stub):
    """An error after which the CPU's state is not reliable: VAL UC EN ADDRV, PCC."""
    for _ in sending(stub, 1):
        machine_check(stub, 0xB600000000000000)
    stub.leave()


def no_stack(stub):
    stub.run_to(RUNNING)
    stub.set(gdb.RSP, NOWHERE)
    stub.leave()


def strange_stack(stub):
    """The stack pointer in memory that is mapped and holds other data, so that `current`, which is
    read at the stack's end, is no vCPU."""
    stub.run_to(RUNNING)
    stub.set(gdb.RSP, stub.symbols["boot_l2"] + 0x3000)
    stub.leave()


def panic_in_panic(stub):
    stub.run_to(RUNNING)
    stub.set(gdb.RIP, NOWHERE)
    stub.run_to("arch_show_stack")
    stub.set(gdb.RIP, NOWHERE)
    stub.leave()


def allow_meanwhile(stub):
    """What another vCPU may do after a fault of user mode whose frame cannot be pushed, before C
    judges it: makes the page executable. The entry's machine address is in rbx."""
    stub.run_to("page_fault_failed")
    entry = DIRECTMAP + stub.get(gdb.RBX)
    stub.set_word(entry, stub.word(entry) & ~NX)
    stub.leave()


def one_register_dump(lines):
    dumps = sum("RIP: " in line for line in lines)
    if dumps != 1:
        yield f"{dumps} register dumps, not 1"
