"""Makes the records of synthetic traces: all of common/trace_format.h, and those of Xen that
Paragon uses. It knows the format from the headers only and shares no code with the reader that it
tests. Whole traces are in gen_traces.py, a machine's RAM and a kernel's symbols in gen_ram.py."""
import struct

CPU_CHANGE, LOST_RECORDS = 0x1f003, 0x1f001
RUNSTATE, CONTINUE, DOM_ADD, WAKE = 0x21001, 0x21002, 0x28001, 0x28004
YIELD, BLOCK, SWITCH = 0x28005, 0x28006, 0x2800a
GRANT_MAP, GRANT_UNMAP, DECREASE = 0x10f001, 0x10f002, 0x10f005
HYPERCALL, SUBCALL = 0x20100d, 0x20200e
TRAP, PAGE_FAULT, INVALID_OP, PRIVOP, GDT_FAULT, PTWR = (0x201100 + n for n in (3, 4, 5, 6, 10, 11))
PARAGON = 0x804000
CLOCK, RESULT, COPY_IN, COPY_OUT, ARGS, SEND, UPCALL, DOMAIN, EMULATED, COUNTER, CLASSES = \
    (PARAGON + n for n in range(1, 12))
RUNNING, RUNNABLE, BLOCKED, OFFLINE = range(4)
IDLE = 32767
SELF = 0x7ff0
HZ = 2_000_000_000
NAMES = {0: "set_trap_table", 1: "mmu_update", 2: "set_gdt", 3: "stack_switch", 4: "set_callbacks",
         5: "fpu_taskswitch", 7: "platform_op", 8: "set_debugreg", 9: "get_debugreg",
         10: "update_descriptor", 12: "memory_op", 13: "multicall", 14: "update_va_mapping",
         15: "set_timer_op", 17: "xen_version", 18: "console_io", 20: "grant_table_op",
         21: "vm_assist", 22: "update_va_mapping_otherdomain", 23: "iret", 24: "vcpu_op",
         25: "set_segment_base", 26: "mmuext_op", 28: "nmi_op", 29: "sched_op", 30: "callback_op",
         32: "event_channel_op", 33: "physdev_op"}
NR = {name: nr for nr, name in NAMES.items()}
# The arguments of each: n is a number of 32 bits, P a pointer or a word of 64.
SHAPES = dict(set_trap_table="P", mmu_update="PnPn", set_gdt="Pn", stack_switch="PP",
              set_callbacks="PPP", fpu_taskswitch="n", platform_op="P", set_debugreg="nP",
              get_debugreg="n", update_descriptor="PP", memory_op="nP", multicall="Pn",
              update_va_mapping="PPP", set_timer_op="P", xen_version="nP", console_io="nnP",
              grant_table_op="nPn", vm_assist="nn", update_va_mapping_otherdomain="PPPn", iret="",
              vcpu_op="nnP", set_segment_base="nP", mmuext_op="PnPn", nmi_op="nP", sched_op="nP",
              callback_op="nP", event_channel_op="nP", physdev_op="nP")


def lo_hi(*values):
    return [w for v in values for w in (v & 0xffffffff, v >> 32 & 0xffffffff)]


def who(v):
    """(domain, vCPU) as one word."""
    return v[0] << 16 | v[1]


def words_of(data):
    data += bytes(-len(data) % 4)
    return list(struct.unpack(f"<{len(data) // 4}I", data))


def record(event, words=(), tsc=None):
    """One record; without a TSC when tsc is None."""
    head = event | len(words) << 28 | (0 if tsc is None else 1 << 31)
    stamp = [] if tsc is None else lo_hi(tsc)
    return struct.pack(f"<{1 + len(stamp) + len(words)}I", head, *stamp, *words)


def window(data, cpu=0, claim=None):
    """Records as a file has them; claim says another number of bytes than there are."""
    return record(CPU_CHANGE, [cpu, len(data) if claim is None else claim]) + data


class Cpu:
    """The records of one CPU, in order. Each method adds one thing that happens, and time passes by
    `step` ticks. `now` may be set. `calls` counts what a reader must find:
    {(domid, vcpu): {name: number}}."""

    def __init__(self, number=0, now=0, step=1000, hz=HZ, start=True, cpus=1, version=2):
        self.number, self.now, self.step, self.hz = number, now, step, hz
        self.cpus, self.version, self.written = cpus, version, 0
        self.records, self.current, self.calls = [], (IDLE, number), {}
        if start:
            self.clock()

    # --- Bytes ------------------------------------------------------------------------------------
    def add(self, event, words=(), timed=True):
        if timed:
            self.now += self.step
        self.records.append(record(event, words, self.now if timed else None))
        self.written += words[0] if event == LOST_RECORDS else 1

    def data(self):
        return b"".join(self.records)

    def window(self):
        return window(self.data(), self.number)

    def cut(self):
        """Ends a window and begins the next as the hypervisor does. Returns the bytes of the first
        one."""
        done = self.window()
        self.records = []
        self.clock()
        self.add(CONTINUE, [who(self.current)])
        return done

    # --- Scheduling -------------------------------------------------------------------------------
    def clock(self, version=None, zero=0):
        version = self.version if version is None else version
        more = [self.cpus, self.written] if version > 1 else []
        self.add(CLOCK, lo_hi(self.hz, zero) + [version] + more)

    def runs(self, v):
        """v already runs when the trace begins."""
        self.current = v
        self.add(CONTINUE, [who(v)])

    def runstate(self, v, old, new):
        self.add(RUNSTATE | old << 8 | new << 4, [who(v)])

    def switch(self, v, old=RUNNABLE, leave=RUNNABLE):
        """Who runs is put into state `leave`, and v, in state `old`, runs."""
        self.add(SWITCH, [*self.current, *v])
        self.runstate(self.current, RUNNING, leave)
        self.runstate(v, old, RUNNING)
        self.current = v

    # --- Hypercalls -------------------------------------------------------------------------------
    def begin(self, name, *args, sub=False):
        nr = NR.get(name, name)
        shape = SHAPES.get(name, "P" * len(args))
        head, words, rest = nr, [], []
        for i, (kind, value) in enumerate(zip(shape, args)):
            more = [value & 0xffffffff] if kind == "n" else lo_hi(value)
            if len(words) + len(more) > 6 or rest:
                rest.append((i, value))
                continue
            words += more
            head |= (1 if kind == "n" else 2) << 20 + 2 * i
        self.add(SUBCALL if sub else HYPERCALL, [head] + words)
        if rest:
            self.add(ARGS, [rest[0][0]] + lo_hi(*(value for _, value in rest)), timed=False)
        if not sub:
            mine = self.calls.setdefault(self.current, {})
            mine[name] = mine.get(name, 0) + 1

    def copy(self, va, data, out=False, cut=False):
        """What the call read (or wrote): in pieces of 20 bytes."""
        for at in range(0, len(data), 20):
            piece = data[at:at + 20]
            size = len(piece) | (0x8000 if cut and at + 20 >= len(data) else 0)
            here = va + at
            self.add(COPY_OUT if out else COPY_IN,
                     [here & 0xffffffff, here >> 32 & 0xffff | size << 16] + words_of(piece),
                     timed=False)

    def result(self, name, value=0, ticks=500):
        self.add(RESULT, [NR.get(name, name)] + lo_hi(value & 2**64 - 1, ticks))

    def call(self, name, *args, result=0, ticks=None, reads=(), writes=(), sub=False):
        """A whole call, which takes `ticks`, or one step. reads and writes are [(va, bytes)]."""
        took = self.step if ticks is None else ticks
        self.begin(name, *args, sub=sub)
        for va, data in reads:
            self.copy(va, data)
        for va, data in writes:
            self.copy(va, data, out=True)
        self.now += took - self.step
        self.result(name, result, took)

    def multicall(self, *members, result=0):
        """members: (name, args...) or (name, args..., {"result": ..})."""
        self.begin("multicall", 0xffff800000010000, len(members))
        began = self.now
        for member in members:
            options = member[-1] if isinstance(member[-1], dict) else {}
            self.call(member[0], *[a for a in member[1:] if not isinstance(a, dict)], sub=True,
                      **options)
        self.result("multicall", result, self.now + self.step - began)

    def event(self, op, port, **options):
        va = 0xffff800000020000
        self.call("event_channel_op", op, va, reads=[(va, struct.pack("<I", port))], **options)

    def mmu(self, *updates, **options):
        va = 0xffff800000030000
        data = b"".join(struct.pack("<QQ", *u) for u in updates)
        self.call("mmu_update", va, len(updates), 0, SELF, reads=[(va, data)], **options)

    def block(self, next_v=None, ticks=10000):
        """SCHEDOP_block: the vCPU sleeps while another runs; `ticks` later the call returns."""
        me = self.current
        idle = next_v or (IDLE, self.number)
        self.begin("sched_op", 1, 0)
        began = self.now
        self.add(BLOCK, me)
        self.switch(idle, leave=BLOCKED)
        self.now += ticks
        self.add(WAKE, me)
        self.runstate(me, BLOCKED, RUNNABLE)
        self.switch(me)
        self.result("sched_op", 0, self.now + self.step - began)

    # --- The rest ---------------------------------------------------------------------------------
    def trap(self, vector, rip=0xffffffff81000010, code=None):
        self.add(TRAP, lo_hi(rip) + [vector | (0 if code is None else 1 << 15 | code << 16)])

    def page_fault(self, va, code=0, rip=0xffffffff81000020):
        self.add(PAGE_FAULT, lo_hi(rip, va) + [code])

    def ptwr(self, pte, va, rip=0xffffffff81000030):
        self.add(PTWR, lo_hi(pte, va, rip))

    def emulated_bytes(self, rip, code):
        self.add(EMULATED, lo_hi(rip) + [len(code)] + words_of(code), timed=False)

    def emulated(self, code=b"\x0f\x20\xd8", forced=False, rip=0xffffffff81000040):
        self.add(INVALID_OP if forced else PRIVOP, lo_hi(rip))
        self.emulated_bytes(rip, code)

    def send(self, how, sender_port, to, port):
        self.add(SEND, [how, sender_port, who(to), port])

    def upcall(self, rip=0xffffffff81000050):
        self.add(UPCALL, lo_hi(rip))

    def domain(self, domid, what, name=b""):
        self.add(DOMAIN, [domid, what] + words_of(name[:20]))

    def lost(self, count):
        """In this record the domain is the low half, as Xen writes it and xenalyze reads it."""
        self.add(LOST_RECORDS, [count, self.current[0] | self.current[1] << 16] + lo_hi(self.now))

    def counters(self, counts):
        for name, count in counts.items():
            self.add(COUNTER, [NR.get(name, name)] + lo_hi(count))
