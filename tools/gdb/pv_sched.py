"""pv queues, pv running, pv trace: the schedulers' queues, the timers, who runs, and the end of the
trace."""

import os
import subprocess
import tempfile

import machine
import pv_domains
from machine import constant

PVTRACE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "pvtrace")


def queue(cpu):
    print(f"cpu{int(cpu['id'])}: {machine.vcpu_name(machine.running(cpu))} runs, "
          f"min_vruntime {int(cpu['min_vruntime'])}, work left {int(cpu['work_left'])}")
    for v in machine.entries(cpu["queue"], machine.struct("vcpu"), "queue"):
        print(f"    queued  {machine.vcpu_name(v):8} vruntime {int(v['vruntime'])}"
              f"{' boosted' if v['boosted'] else ''}")
    for t in machine.entries(cpu["timers"]["armed"], machine.struct("timer"), "link"):
        print(f"    timer   {int(t['deadline_ns']) / 1e9:.6f} s "
              f"{str(t['fn']).partition('<')[2].rstrip('>')}")


def queues():
    """queues: each CPU's queue of vCPUs and its armed timers, in order; the vCPUs on no queue: they
    are blocked, or their domain has used up its cap."""
    for cpu in machine.cpus():
        queue(cpu)
    for state in ("blocked", "throttled"):
        for v in (v for d in machine.domains(False) for v in machine.vcpus(d) if v[state]):
            print(f"{state:9} {machine.vcpu_name(v):8} vruntime {int(v['vruntime'])}, "
                  f"CPU {int(v['cpu']['id'])}")


def running():
    """running: which vCPU each CPU runs, and where that entered the hypervisor last."""
    here = int(machine.this_cpu()["id"])
    for cpu in machine.cpus():
        v = machine.running(cpu)
        name, where = machine.vcpu_name(v), ""
        if name != "idle":
            where = f", rip {int(pv_domains.registers(v)['rip']):#x}"
        print(f"cpu{int(cpu['id'])}: {name}{where}{'  <- gdb' if int(cpu['id']) == here else ''}")


def blocks(header, ring):
    """The bytes of records of each block in a ring, oldest first."""
    nr, size, head = int(header["nr_blocks"]), int(header["block_bytes"]), int(ring["head"])
    type_ = machine.struct("trace_block")
    for n in range(max(1, head - nr + 1), head + 1):
        raw = machine.physical(int(ring["pa"]) + (n - 1) % nr * size, size)
        block = {f.name: int.from_bytes(raw[f.bitpos // 8:][:f.type.sizeof], "little")
                 for f in type_.fields() if f.name != "records"}
        if block["number"] == n:
            yield raw[type_.sizeof:][:block["used"]]


def windows(header):
    """What a trace file of the rings would hold, in pieces."""
    for cpu in range(int(header["nr_cpus"])):
        ring = header["rings"][cpu]
        for records in blocks(header, ring) if int(ring["pa"]) else ():
            event = constant("TRC_TRACE_CPU_CHANGE") | 2 << constant("TRACE_EXTRA_SHIFT")
            head = b"".join(word.to_bytes(4, "little") for word in (event, cpu, len(records)))
            yield head + records


def trace(count="20"):
    """trace [N]: the last N lines of the trace, as pvtrace shows it."""
    header = machine.symbol("trace_header")
    if int(header["state"]) == constant("TRACE_STATE_NONE"):
        raise machine.Fault("there is no trace: the hypervisor needs trace=all, or has not come "
                            "to it yet")
    if not os.path.exists(PVTRACE):
        raise machine.Fault(f"{os.path.normpath(PVTRACE)} is not there (make build/pvtrace)")
    with tempfile.NamedTemporaryFile(suffix=".trace") as file:
        for window in windows(header):
            file.write(window)
        file.flush()
        done = subprocess.run([PVTRACE, file.name], capture_output=True, text=True,
                              errors="replace", check=False)
    if done.returncode:
        raise machine.Fault(f"pvtrace: {done.stderr.strip()[:200]}")
    nr = machine.number(count)
    print("\n".join(done.stdout.splitlines()[-nr:] if nr else []) or "the trace is empty")
