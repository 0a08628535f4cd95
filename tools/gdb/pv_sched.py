"""pv queues, pv trace: the scheduler's queue, the timers, and the end of the trace."""

import os
import subprocess
import tempfile

import machine
from machine import constant

PVTRACE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "pvtrace")


def queues():
    """queues: the CPU's queue of vCPUs, in order; the blocked vCPUs; the armed timers, in order."""
    cpu = machine.symbol("cpus")[0].dereference()
    print(f"cpu{int(cpu['id'])}: {machine.vcpu_name(machine.running())} runs, "
          f"min_vruntime {int(cpu['min_vruntime'])}, work left {int(cpu['work_left'])}")
    for v in machine.entries(cpu["queue"], machine.struct("vcpu"), "queue"):
        print(f"    queued  {machine.vcpu_name(v):8} vruntime {int(v['vruntime'])}"
              f"{' boosted' if v['boosted'] else ''}")
    for v in (v for d in machine.domains(False) for v in machine.vcpus(d) if v["blocked"]):
        print(f"    blocked {machine.vcpu_name(v):8} vruntime {int(v['vruntime'])}")
    for t in machine.entries(cpu["timers"]["armed"], machine.struct("timer"), "link"):
        print(f"    timer   {int(t['deadline_ns']) / 1e9:.6f} s "
              f"{str(t['fn']).partition('<')[2].rstrip('>')}")


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
