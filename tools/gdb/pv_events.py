"""pv evtchn, pv grants: how domains reach each other."""

import machine
from machine import constant

STATES = ("closed", "unbound", "interdomain", "pirq", "virq", "ipi")


def bit(array, port):
    """Of a bitmap of 64-bit words."""
    return int(array[port // 64]) >> port % 64 & 1


def two_level(d):
    shared = d["shared"]
    nr_bits = (shared["evtchn_pending"].type.range()[1] + 1) * 64
    return lambda port: (bit(shared["evtchn_pending"], port),
                         bit(shared["evtchn_mask"], port)) if port < nr_bits \
        else (0, 0)


def fifo(d):
    """The guest's words, in pages that it gave; without one a port is neither pending nor masked
    yet."""
    queues = d["evtchn"]["fifo"]
    per_page = constant("WORDS_PER_PAGE")
    bits = constant("EVTCHN_FIFO_PENDING"), constant("EVTCHN_FIFO_MASKED")

    def of(port):
        if port // per_page >= int(queues["nr_pages"]):
            return 0, 0
        word = int(queues["page"][port // per_page][port % per_page])
        return tuple(word >> b & 1 for b in bits)
    return of


def uses_fifo(t):
    return int(t["fifo"]) and int(t["abi"]) != int(machine.symbol("evtchn_two_level").address)


def other_end(d, e):
    state = STATES[int(e["state"])]
    if state == "unbound":
        return f"for d{int(e['remote_domid'])}"
    if state == "interdomain" and not int(e["remote"]):
        return "to the hypervisor"
    if state == "interdomain":
        return f"to {machine.name_of(e['remote'])} port {int(e['remote_port'])}"
    return f"{int(e['virq'])}" if state == "virq" else ""


def ports(d):
    """(port, struct evtchn) of all that are open."""
    t, per_bucket = d["evtchn"], constant("PORTS_PER_BUCKET")
    for port in range(int(t["nr_valid"])):
        e = t["bucket"][port // per_bucket][port % per_bucket]
        if 0 < int(e["state"]) < len(STATES):
            yield port, e


def evtchn(domain=None):
    """evtchn [DOM]: the open event channels."""
    for d in machine.chosen(domain):
        t = d["evtchn"]
        if not int(t) or not int(d["shared"]):
            print(f"{machine.name_of(d)}: no event channels (not yet, or no more)")
            continue
        kind = "FIFO" if uses_fifo(t) else "2-level"
        state_of = (fifo if uses_fifo(t) else two_level)(d)
        print(f"{machine.name_of(d)}: {kind}, ports below {int(t['nr_valid'])}, {int(d['max_port'])} at most")
        for port, e in ports(d):
            pending, masked = state_of(port)
            print(f"    port {port:4} {STATES[int(e['state'])]:11} vcpu {int(e['notify_vcpu'])} "
                  f"{'pending' if pending else '-':7} {'masked' if masked else '-':6} {other_end(d, e)}")


def entry_v1(gt, ref):
    per_frame = constant("GRANTS_PER_FRAME")
    e = machine.at(int(gt["shared"][ref // per_frame]),
                   machine.struct("grant_entry_v1").array(per_frame - 1))
    e = e[ref % per_frame]
    return int(e["flags"]), int(e["domid"]), int(e["frame"])


def entry_v2(gt, ref):
    per_frame = constant("GRANTS_V2_PER_FRAME")
    union = machine.gdb.lookup_type("union grant_entry_v2")
    e = machine.at(int(gt["shared"][ref // per_frame]), union.array(per_frame - 1))[ref % per_frame]
    return int(e["hdr"]["flags"]), int(e["hdr"]["domid"]), int(e["full_page"]["frame"])


def handles(gt):
    """The mappings that this domain holds of others' frames."""
    per_page, live = constant("MAPTRACKS_PER_PAGE"), constant("GNTMAP_device_map") | constant("GNTMAP_host_map")
    for n in range(int(gt["nr_maptracks"])):
        m = gt["maptrack"][n // per_page][n % per_page]
        if int(m["flags"]) & live and int(m["granter"]):
            yield n, m


def grants(domain=None):
    """grants [DOM]: what it granted, and which grants of others it has mapped."""
    for d in machine.chosen(domain):
        gt = d["grant"]
        if not int(gt):
            print(f"{machine.name_of(d)}: no grant table (not yet, or no more)")
            continue
        version, per_page = int(gt["version"]), constant("PINS_PER_PAGE")
        print(f"{machine.name_of(d)}: version {version}, {int(gt['nr_frames'])} frames, {int(gt['nr_pins'])} pins")
        for ref in range(int(gt["nr_entries"])):
            flags, domid, gfn = (entry_v1 if version == 1 else entry_v2)(gt, ref)
            pins = gt["pins"][ref // per_page]
            readers, writers = (int(pins[ref % per_page][w])
                                for w in ("readers", "writers")) if int(pins) else (0, 0)
            if flags or readers or writers:
                pinned = f", pinned: frame {int(pins[ref % per_page]['mfn']):#x}" if readers or writers else ""
                print(f"    ref {ref:5} flags {flags:#06x} to d{domid} gfn {gfn:#x} "
                      f"readers {readers} writers {writers}{pinned}")
        for n, m in handles(gt):
            print(f"    handle {n:4} maps ref {int(m['ref'])} of {machine.name_of(m['granter'])} "
                  f"flags {int(m['flags']):#x}")
