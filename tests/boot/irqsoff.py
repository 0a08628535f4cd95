"""Reads what a hypervisor built with IRQSOFF=1 prints at its end: the longest time with interrupts
off, for each kind of work. The cases count instructions, a thousand of which are a microsecond."""

import re

LONGEST = 1_000_000
LINE = re.compile(r"^\(XEN\) Interrupts off: at most (\d+) ticks in (\w+)")


def at_most_a_millisecond(lines):
    found = {match[2]: int(match[1]) for match in map(LINE.match, lines) if match}
    if not {"idle", "timer", "mmu_update", "event_channel_op"} <= found.keys():
        yield "not measured: " + (", ".join(found) or "nothing")
    for what, ticks in found.items():
        if ticks > LONGEST:
            yield f"interrupts were off for {ticks} instructions in {what}"
