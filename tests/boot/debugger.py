"""Debian's gdb with tools/gdb on a machine that boots: what each of the commands `pv ...` has to
print at reset, just before the first domain is made, and when domain 1 calls SCHEDOP_shutdown. Then
gdb detaches, and the case is judged as any other.

guest() and back are for `debugged` of a case: functions of gdb's answers, by command, that yield
faults. Called by run.py and the cases.
"""

import os
import re
import subprocess
import time

import gdb

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "gdb",
                      "paragon.py")
HEAD = "=== "  # before an answer
ALWAYS = ("domains", "vcpu", "frame 5", "walk 0", "evtchn", "grants", "queues", "running",
          "trace 3")
# The guest's rip at its last entry to the hypervisor, and its page tables.
WHERE = ("python r = pv_domains.registers(machine.vcpus(machine.domain('d1'))[0])",
         "python gdb.set_convenience_variable('where', int(r['rip']))",
         "python v = machine.vcpus(machine.domain('d1'))[0]",
         "python gdb.set_convenience_variable('root', int(v['root_kernel']) >> 12)",
         "python gdb.set_convenience_variable('struct', int(v['domain']['mfn']))")
GVA2GPA = 'eval "monitor gva2gpa 0x%lx", $where'
AT_END = ("pv domains", "pv domains x", "pv vcpu", "pv vcpu nobody", "pv walk $where",
          "pv walk $where d1", GVA2GPA, "pv walk 0xffff900000000000", "pv frame $root",
          "pv frame $struct", "pv frame -1", "pv frame", "pv evtchn", "pv grants", "pv queues",
          "pv running", "pv trace 5", "pv trace 0", "info symbol $where", "p $cr3 >> 12 == $root")

# Answers are found by command, so one that is given again has other blanks or parentheses.
BACK = ("p/x $pc", "monitor info replay", "pv back 3", "p/x ($pc)", "stepi 3", "p/x (($pc))",
        "pv goto 1000000", "monitor info  replay",
        # gdb's own commands, from a snapshot taken after the hypervisor's data breakpoint.
        "delete", "hbreak domain_create", "continue", "monitor savevm later",
        "delete ", "hbreak schedule", "continue ", "monitor  info replay",
        "stepi", "reverse-stepi", "monitor  info  replay",
        "continue  ", "reverse-continue", "monitor info   replay",
        "pv back 1000", "monitor   info replay")


def script(symbols, at_end):
    """gdb's commands, in order. symbols: the guest's ELF file, or ""."""
    stages = [("reset", [f"pv {word}" for word in ALWAYS]),
              ("early", [f"pv {word}" for word in ALWAYS]),
              ("end", at_end)]
    # A guest's symbols come before all breakpoints: gdb 13 mixes up the locations of a breakpoint
    # if symbols are added after it.
    go_on = {"reset": [f"pv symbols {symbols}"] if symbols else (),
             "early": ("hbreak domain_create", "continue"),
             "end": ("delete", "hbreak domain_shutdown if d->id == 1", "continue", *WHERE)}
    for stage, commands in stages:
        yield from go_on[stage]
        for command in (*commands, "echo"):
            yield f"python print('\\n{HEAD}{stage}: ' + {command!r}, flush=True)"
            yield command
    yield from ("delete", "detach")


def answers(output):
    """{"STAGE: COMMAND": what it printed}."""
    found = {}
    for part in output.split("\n" + HEAD)[1:]:
        head, _, text = part.partition("\n")
        found[head] = text
    return found


class Debugger(gdb.Beside):
    """Runs gdb on the machine; `faults` has what is wrong with its answers, too."""

    LIMIT = 150  # for all of it
    UNFINISHED = "gdb has not ended"

    def __init__(self, judge, path, elf, symbols):
        super().__init__(judge, path)
        self.elf, self.symbols = elf, symbols
        self.cut_off = False  # the machine's time was over before gdb had ended

    def work(self):
        at_end = BACK if self.wanted is back else AT_END
        words = [word for command in ("set remotetimeout 60", f"target remote {self.path}",
                                      *script(self.symbols, at_end))
                 for word in ("-ex", command)]
        for _ in range(200):
            if os.path.exists(self.path):
                break
            time.sleep(0.05)
        done = subprocess.run(["gdb", "-nx", "-batch", self.elf, "-x", SCRIPT, *words],
                              text=True, errors="replace", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              timeout=self.LIMIT, check=False)
        with open(self.path + ".log", "w", encoding="utf-8") as log:
            log.write(done.stdout)
        self.cut_off = bool(re.search("Target disconnected|The program is not being run",
                                      done.stdout))
        if self.cut_off:
            self.faults = [f"the machine's time was over before gdb had ended: {log.name}"]
            return
        self.faults = list(self.wanted(answers(done.stdout)))


def one_line_each(seen, stage):
    """While the machine is not ready each command prints something; at reset that is one line,
    which says why there is no more."""
    for word in ALWAYS:
        text = seen[f"{stage}: pv {word}"].strip()
        if "Traceback" in text or not text:
            yield f"{stage}: pv {word}: {text[:200] or 'nothing'}"
        elif stage == "reset" and not re.fullmatch(r"pv: .*", text):
            yield f"{stage}: pv {word}: not one line with a reason: {text[:200]}"


def has(seen, command, *patterns):
    text = seen[f"end: {command}"]
    for pattern in patterns:
        if not re.search(pattern, text, re.M):
            yield f"{command}: no line matches {pattern}: {text[:600]}"


def walks(seen, name):
    """pv walk finds the address that QEMU's own translation finds, in a frame of the domain."""
    gpa = re.search(r"gpa: 0x([0-9a-f]+)", seen[f"end: {GVA2GPA}"])[1]
    for command in ("pv walk $where", "pv walk $where d1"):
        yield from has(seen, command,
                       rf"^    machine address 0x{gpa}, frame 0x{gpa[:-3]}: d1 \({name}\), type ",
                       r"^    L4 at .*\bP\b", r"^    L1 at .*\bP\b")
    yield from has(seen, "pv walk 0xffff900000000000", r"^    not present at level 4$")


def both_ends(seen):
    """Each end of a channel between two domains names the other."""
    where, channels = "", {}
    for line in seen["end: pv evtchn"].splitlines():
        if head := re.match(r"(d\d+ \(\S+\)): ", line):
            where = head[1]
        elif port := re.match(r" +port +(\d+) interdomain .* to (d\d+ \(\S+\)) port (\d+)", line):
            channels[where, port[1]] = (port[2], port[3])
    if not channels:
        yield "pv evtchn: no channel between two domains"
    yield from (f"pv evtchn: {end} names {other}, which does not name it"
                for end, other in channels.items() if channels.get(other) != end)


def instruction(seen, command):
    return int(re.search(r"instruction count = (\d+)", seen[f"end: {command}"])[1])


def back(seen):
    """For a replay: three instructions back and three forward lead to the same place; pv goto leads
    to instruction 1000000; and gdb's own commands back lead to the same place, too. The machine
    prints its lines again then."""
    places = [re.search(r"0x[0-9a-f]+", seen[f"end: p/x {pc}"])[0]
              for pc in ("$pc", "($pc)", "(($pc))")]
    if places[0] != places[2] or places[0] == places[1]:
        yield f"three instructions back and forward: {places}"
    count = instruction(seen, "monitor info replay")
    yield from has(seen, "pv back 3", rf"^instruction {count - 3}$")
    yield from has(seen, "pv goto 1000000", r"^instruction 1000000$")
    yield from has(seen, "monitor info  replay", r"instruction count = 1000000$")
    for command in ("continue ", "continue  ", "reverse-continue"):
        yield from has(seen, command, r"^Breakpoint [0-9.]+, schedule ")
    start = instruction(seen, "monitor  info replay")
    for command in ("monitor  info  replay", "monitor info   replay"):
        if instruction(seen, command) != start:
            yield f"back at instruction {instruction(seen, command)}, not at {start}"
    last = instruction(seen, "monitor   info replay")
    if last != start - 1000:
        yield f"1000 instructions before {start} is not {last}"


def guest(name, place=""):
    """For a guest of that name which is domain 1 and grants pages to the store. place: a pattern
    for gdb's name of the place where it called SCHEDOP_shutdown, if its symbols are known."""
    def judge(seen):
        for stage in ("reset", "early"):
            yield from one_line_each(seen, stage)
        yield from has(seen, "pv domains", r"^d0 +store +running +1 ",
                       rf"^d1 +{name} +running +1 +\d{{3,}} ")
        yield from has(seen, "pv domains x", r"^pv domains: all domains")
        yield from has(seen, "pv vcpu", r"^d1v0: running, kernel mode", r"^d0v0: (blocked|queued)",
                       r"^    root_kernel 0x[1-9a-f]")
        yield from has(seen, "pv vcpu nobody", r"^pv: no domain nobody$")
        yield from walks(seen, name)
        yield from has(seen, "pv frame $root", rf"^frame 0x[0-9a-f]+: d1 \({name}\)$",
                       r"^    type l4, references [1-9]\d*, validated",
                       r"^    references [1-9]\d*, allocated counted")
        yield from has(seen, "pv frame $struct", r"^frame 0x[0-9a-f]+: the hypervisor's$")
        yield from has(seen, "p $cr3 >> 12 == $root", r"^\$\d+ = 1$")
        yield from has(seen, "pv frame -1", r"^pv: frame 0xffffffffffffffff is not in the table")
        yield from has(seen, "pv frame", r"^pv frame MFN: ")
        yield from has(seen, "info symbol $where", place)
        yield from both_ends(seen)
        yield from has(seen, "pv evtchn", rf"^d1 \({name}\): (FIFO|2-level)",
                       r"^    port +\d+ virq +vcpu 0")
        yield from has(seen, "pv grants", rf"^d1 \({name}\): version [12], ",
                       r"^    ref +1 flags 0x0019 to d0 .* writers 1, pinned: frame 0x",
                       rf"^    handle .* ref 1 of d1 \({name}\)")
        yield from has(seen, "pv queues", r"^cpu0: d1v0 runs", r"^(blocked|    queued) +d0v0 ",
                       r"^    timer +\d+\.\d{6} s \w+")
        yield from has(seen, "pv running", r"^cpu0: d1v0, rip 0x[1-9a-f][0-9a-f]*  <- gdb$")
        yield from has(seen, "pv trace 0", r"^the trace is empty$")
        lines = seen["end: pv trace 5"].strip().splitlines()
        last = r"\[d1v0 .*SCHEDOP_shutdown.*SHUTDOWN_poweroff"
        if len(lines) != 5 or not re.match(last, lines[-1]):
            yield f"pv trace 5: not five lines of which the last is SCHEDOP_shutdown: {lines}"
    return judge


def four_cpus(seen):
    """Each CPU has a queue, one of them runs the guest, and gdb looks at that one."""
    for command, rest in (("pv queues", " runs, min_vruntime"), ("pv running", "")):
        found = dict(re.findall(rf"^cpu(\d): (d1v\d|idle){rest}", seen[f"end: {command}"], re.M))
        if set(found) != set("0123") or not set(found.values()) - {"idle"}:
            yield f"{command}: {found}"
    yield from has(seen, "pv queues", r"^blocked +d1v[12]  ")
    yield from has(seen, "pv running", r"^cpu\d: d1v\d, rip 0x[0-9a-f]+  <- gdb$")
    lines = seen["end: pv trace 5"].strip().splitlines()
    if len(lines) != 5 or any(not line.startswith("[cpu") for line in lines):
        yield f"pv trace 5: {lines}"
