"""pv domains, pv vcpu: the domains and their vCPUs, and their states."""

import machine
from machine import constant, text

WORK = ("RESCHED", "DOMAIN", "NMI", "PUBLISH", "TIME", "STOP", "HELD_DB", "FAILSAFE", "IRET")


def domains():
    """domains: all domains, with their state, vCPUs, frames and ports."""
    found = machine.domains()
    print("domain  name             state         vcpus   frames      max  ours  ports")
    for d in found:
        state = str(d["state"]).removeprefix("DOM_").lower()
        if int(d["state"]) == constant("DOM_SHUTDOWN"):
            state += f"({int(d['shutdown_code'])})"
        ports = int(d["evtchn"]["nr_valid"]) if int(d["evtchn"]) else 0
        print(f"d{int(d['id']):<6} {text(d['name']):16} {state:13} {int(d['nr_vcpus']):5} "
              f"{int(d['nr_frames']):8} {int(d['max_frames']):8} {int(d['nr_hv_frames']):5} "
              f"{ports:6}")
        if text(d["crash_reason"]):
            print(f"        crashed: {text(d['crash_reason'])}")


def vcpu_state(v):
    if any(int(cpu["running"]) == int(v.address) for cpu in machine.cpus()):
        return "running"
    words = ("parked", "blocked", "throttled", "on_queue")
    if not v["up"] or not v["initialised"]:
        return "down"
    return {"on_queue": "queued"}.get(found := next((w for w in words if v[w]), "out"), found)


def registers(v):
    """The guest's registers at its last entry to the hypervisor."""
    arch = machine.at(v["arch"], machine.struct("arch_vcpu"))
    top = int(arch["stack"]) + constant("STACK_SIZE") - machine.struct("stack_top").sizeof
    return machine.at(top, machine.struct("stack_top"))["regs"]


def vcpu(domain=None):
    """vcpu [DOM]: the vCPUs of a domain, or of all: state, page tables, events, registers."""
    for d in machine.chosen(domain):
        for v in machine.vcpus(d):
            bits = {w.lower(): int(v["work"]) & constant(f"WORK_{w}") for w in WORK}
            work = machine.flags(v, bits)
            mode = "kernel" if v["kernel_mode"] else "user"
            print(f"{machine.vcpu_name(v)}: {vcpu_state(v)}, {mode} mode, "
                  f"CPU {int(v['cpu']['id'])}, work: {work}")
            print(f"    root_kernel {int(v['root_kernel']):#x} root_user {int(v['root_user']):#x} "
                  f"cpu time {int(v['cpu_ns']) / 1e6:.3f} ms, vruntime {int(v['vruntime'])}")
            if int(v["info"]):
                callback = int(v["callback"][constant("CB_EVENT")])
                print(f"    events: pending {int(v['info']['evtchn_upcall_pending'])} mask "
                      f"{int(v['info']['evtchn_upcall_mask'])}, callback {callback:#x}")
            regs = registers(v)
            print("    " + " ".join(f"{r} {int(regs[r]):#x}"
                                    for r in ("rip", "rsp", "rflags", "cs", "rax", "rdi")))
