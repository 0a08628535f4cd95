#!/usr/bin/env python3
"""Whole synthetic traces, of what gen.py makes: one of each record, a workload, a long one. As a
program: gen_traces.py FILE [RECORDS [SEED]] writes a workload of about that many records."""
import array
import pathlib
import random
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gen  # noqa: E402


def one_of_each(now=0):
    """Every kind of record at least once, two domains, a multicall, a call that others
    interrupt."""
    c = gen.Cpu(now=now)
    c.domain(1, 0, b"first")
    c.domain(2, 0, b"second")
    c.add(gen.CLASSES, [0x7f])
    c.add(gen.DOM_ADD, [1])
    c.runs((1, 0))
    c.mmu((0x7f3000, 0x1063), (0x7f3009, 0x2067))
    c.call("update_va_mapping", 0xffff880000001000, 0x8000000000123063, 2)
    c.call("update_va_mapping_otherdomain", 0xffff880000001000, 0x123063, 2, 2)
    c.multicall(("update_va_mapping", 0x1000, 0x5067, 0),
                ("stack_switch", 0xe02b, 0xffff880000004000),
                ("memory_op", 99, 0, {"result": -38}))
    c.begin("event_channel_op", 4, 0xffff800000020000)
    c.copy(0xffff800000020000, struct.pack("<I", 5))
    c.send(0, 5, (2, 0), 7)
    c.result("event_channel_op", 0, 2 * c.step)
    c.trap(13, code=0x18)
    c.trap(6)
    c.page_fault(0xdead000, 6)
    c.ptwr(0x1067, 0xffff880000005008)
    c.emulated()
    c.emulated(b"\x0f\x0bxen\x0f\xa2", forced=True)
    c.add(gen.GDT_FAULT, gen.lo_hi(0xffffffff81000060) + [8])
    c.upcall()
    c.call("console_io", 0, 6, 0xffff800000040000, result=6,
           reads=[(0xffff800000040000, b"hello\n")])
    c.call("iret", result=0x1234)
    c.call("xen_version", 0, 0, result=0x40011)
    c.call("event_channel_op", 6, 0x9000, reads=[(0x9000, struct.pack("<HHI", gen.SELF, 2, 0))],
           writes=[(0x9000, struct.pack("<HHI", gen.SELF, 2, 9))])
    c.call("memory_op", 0, 0xa000, result=-22)
    c.block((2, 0))
    c.switch((2, 0))
    c.add(gen.GRANT_MAP, [1])
    c.add(gen.GRANT_UNMAP, [1])
    c.add(gen.DECREASE, [1, 0x1234])
    c.add(gen.YIELD, [2, 0])
    c.call("sched_op", 0, 0)
    c.call("vcpu_op", 3, 0, 0, result=1)
    c.call(55, 1, 2)                        # a number that no hypercall has
    c.add(0x0804001, [1, 2, 3])             # a gen.record that nobody knows
    c.lost(77)
    c.begin("sched_op", 2, 0xb000)          # shutdown: never returns
    c.copy(0xb000, struct.pack("<I", 0))
    c.domain(2, 1, b"second")
    c.counters({"mmu_update": 1, "sched_op": 3})
    return c


def busy(cpu, v, rng):
    """A guest's moment: some twenty records of what guests do all day."""
    what = rng.randrange(8)
    if what == 0:
        cpu.mmu(*((rng.getrandbits(24) << 3, rng.getrandbits(30) << 12 | 0x67)
                  for _ in range(rng.randrange(1, 4))))
    elif what == 1:
        cpu.multicall(*[("update_va_mapping", rng.getrandbits(30) << 12,
                         rng.getrandbits(24) << 12 | 0x63, 0)] * 2,
                      ("mmuext_op", 0xffff800000050000, 1, 0, gen.SELF,
                       {"reads": [(0xffff800000050000,
                                   struct.pack("<IIQQ", 8, 0, rng.getrandbits(36) << 12, 0))]}))
    elif what == 2:
        port = rng.randrange(1, 20)
        cpu.begin("event_channel_op", 4, 0xffff800000020000)
        cpu.copy(0xffff800000020000, struct.pack("<I", port))
        cpu.send(0, port, (3 - v[0], 0), port + 1)
        cpu.result("event_channel_op", 0, cpu.step * 2)
    elif what == 3:
        cpu.page_fault(rng.getrandbits(40), rng.randrange(8))
        cpu.call("iret", result=rng.getrandbits(20))
    elif what == 4:
        cpu.block((3 - v[0], 0), ticks=rng.randrange(1000, 200000))
        cpu.upcall()
    elif what == 5:
        cpu.call("set_timer_op", cpu.now + 1000000)
    elif what == 6:
        cpu.emulated()
        cpu.trap(7)
        cpu.call("fpu_taskswitch", 0)
    else:
        cpu.call("stack_switch", 0xe02b, 0xffff880000004000)
        cpu.call("grant_table_op", rng.randrange(0, 2), 0xc000, 1,
                 result=0 if rng.randrange(9) else -22)


def workload(moments, seed=1, cut_every=50, hz=gen.HZ):
    """Two domains on one CPU: the trace, and the calls in it: {(domid, vcpu): {name: number}}."""
    rng = random.Random(seed)
    cpu = gen.Cpu(step=300, hz=hz)
    cpu.domain(1, 0, b"one")
    cpu.domain(2, 0, b"two")
    cpu.runs((1, 0))
    out = []
    for i in range(moments):
        busy(cpu, cpu.current, rng)
        cpu.now += rng.randrange(3000)
        if rng.randrange(30) == 0:
            cpu.switch((3 - cpu.current[0], 0))
        if i % cut_every == cut_every - 1:
            out.append(cpu.cut())
    out.append(cpu.window())
    return b"".join(out), cpu.calls


def write_big(path, records, seed=1):
    """A long trace quickly: one workload over and over, each time with later times. Returns the
    number of records."""
    chunk, _ = workload(4000, seed)
    words = array.array("I", chunk)
    high_words, count, at = [], 0, 0
    while at < len(words):
        timed = words[at] >> 31
        if timed:
            high_words.append(at + 2)
        count += 1
        at += 1 + 2 * timed + (words[at] >> 28 & 7)
    rounds = max(1, -(-records // count))
    with open(path, "wb") as f:
        for i in range(rounds):
            for w in high_words:
                words[w] = i
            words.tofile(f)
    return rounds * count


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    print(write_big(sys.argv[1], *map(int, sys.argv[2:] or ["10000"])), "records")
