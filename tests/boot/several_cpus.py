"""The boot tests once more on a machine with several CPUs, all of which run guests: --smp of
run.py. What is expected stays the same, and all CPUs have to come up. Not here: what is tested on
several CPUs only (cases_smp.py)."""

import dataclasses

# Cases that are not run so, and why.
LEFT_OUT = {"nmi-while-printing": "it counts NMIs, and each CPU gets its own: smp-nmi does that",
            "gdb-guest": "what it says of the trace's end is of one CPU",
            "gdb-linux": "the same",
            "boot-256-mib": "the start of other CPUs would be in the time",
            "boot-3-gib": "the same",
            "crash-ways": "the registers of guests that crash at the same time would be mixed"}


def reason_against(case):
    """Why this case is not run on several CPUs, or None."""
    if not case.starts:
        return "no hypervisor starts"
    if case.firmware == "no-acpi":
        return "ACPI tells which CPUs there are"
    if case.smp:
        return "it has a number of CPUs of its own"
    if case.recorded:
        return "QEMU records machines with one CPU only"
    if case.irqsoff:
        return "a CPU waits with interrupts off while QEMU, which counts instructions, runs another"
    return LEFT_OUT.get(case.name)


def on(case, cpus):
    """The case on that many CPUs. It is not compared with one of the bare machine, which does not
    run."""
    come_up = (rf"^\(XEN\) {cpus} CPUs$",)
    return dataclasses.replace(case, smp=cpus, prints_as="", shows=case.shows + come_up)


def chosen(cases, cpus):
    return [on(case, cpus) for case in cases if not reason_against(case)]
