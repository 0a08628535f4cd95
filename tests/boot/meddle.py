"""What the cases of NMIs, machine checks and panics do to the machine: plans of gdb.py; and one
check of what came of it."""

import itertools

import gdb

SENDING = ("arch_console_write", "arch_console_putc")  # under the console's lock
RUNNING = "entry_xen_version"  # a guest has made a hypercall: its entry in hypercall_table
NOWHERE = 0xFFFF82C000000000  # mapped by nobody
NMIS = 50  # at least


def sending(stub, times):
    """Stops so often in the middle of the guest's output."""
    stub.run_to(RUNNING)
    for _ in range(times):
        stub.run_to(next(name for name in SENDING if name in stub.symbols))
        yield


def nmi_while_printing(stub):
    for _ in sending(stub, 5):
        stub.monitor("nmi")
    stub.leave()


def nmi_flood(stub):
    """As long as the machine runs."""
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
    """Uncorrected, signalled, and nothing has to be done about it: VAL UC EN ADDRV, S."""
    for _ in sending(stub, 3):
        machine_check(stub, 0xB500000000000000)
    stub.leave()


def fatal_machine_check_while_printing(stub):
    """VAL UC EN ADDRV, PCC: what the CPU was about to do is lost."""
    for _ in sending(stub, 1):
        machine_check(stub, 0xB600000000000000)
    stub.leave()


def no_stack(stub):
    stub.run_to(RUNNING)
    stub.set(gdb.RSP, NOWHERE)
    stub.leave()


def strange_stack(stub):
    """Memory that is there and full of other things: current, which lies at a stack's end, is
    none."""
    stub.run_to(RUNNING)
    stub.set(gdb.RSP, stub.symbols["boot_l2"] + 0x3000)
    stub.leave()


def panic_in_panic(stub):
    stub.run_to(RUNNING)
    stub.set(gdb.RIP, NOWHERE)
    stub.run_to("arch_show_stack")
    stub.set(gdb.RIP, NOWHERE)
    stub.leave()


def one_register_dump(lines):
    dumps = sum("RIP: " in line for line in lines)
    if dumps != 1:
        yield f"{dumps} register dumps, not 1"
