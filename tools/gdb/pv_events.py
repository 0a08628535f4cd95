"""pv evtchn, pv grants: event channels and grant tables."""

import machine
from machine import constant

STATES = ("closed", "unbound", "interdomain", "pirq", "virq", "ipi")


def bit(array, port):
    """One bit of a bitmap of 64-bit words."""
    return int(array[port // 64]) >> port % 64 & 1


def two_level(d):
    """A function of a port: (pending, masked), from the bitmaps of the shared info page."""
    pending, mask = d["shared"]["evtchn_pending"], d["shared"]["evtchn_mask"]
    nr_bits = (pending.type.range()[1] + 1) * 64
    return lambda port: (bit(pending, port), bit(mask, port)) if port < nr_bits else (0, 0)


def fifo(d):
    """A function of a port: (pending, masked), from its word in a page of the guest's; a port whose
    page is not there yet is neither."""
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
        print(f"{machine.name_of(d)}: {kind}, ports below {int(t['nr_valid'])}, "
              f"{int(d['max_port'])} at most")
        for port, e in ports(d):
            pending, masked = state_of(port)
            print(f"    port {port:4} {STATES[int(e['state'])]:11} vcpu {int(e['notify_vcpu'])} "
                  f"{'pending' if pending else '-':7} {'masked' if masked else '-':6} "
                  f"{other_end(d, e)}")


def entry_v1(gt, ref):
    per_frame = constant("GRANTS_PER_FRAME")
    entries = machine.struct("grant_entry_v1").array(per_frame - 1)
    e = machine.at(int(gt["shared"][ref // per_frame]), entries)[ref % per_frame]
    return int(e["flags"]), int(e["domid"]), int(e["frame"])


def entry_v2(gt, ref):
    per_frame = constant("GRANTS_V2_PER_FRAME")
    entries = machine.gdb.lookup_type("union grant_entry_v2").array(per_frame - 1)
    e = machine.at(int(gt["shared"][ref // per_frame]), entries)[ref % per_frame]
    return int(e["hdr"]["flags"]), int(e["hdr"]["domid"]), int(e["full_page"]["frame"])


def handles(gt):
    """The mappings that this domain holds of others' frames."""
    per_page = constant("MAPTRACKS_PER_PAGE")
    live = constant("GNTMAP_device_map") | constant("GNTMAP_host_map")
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
        print(f"{machine.name_of(d)}: version {version}, {int(gt['nr_frames'])} frames, "
              f"{int(gt['nr_pins'])} pins")
        for ref in range(int(gt["nr_entries"])):
            flags, domid, gfn = (entry_v1 if version == 1 else entry_v2)(gt, ref)
            pins, readers, writers, pinned = gt["pins"][ref // per_page], 0, 0, ""
            if int(pins):
                pin = pins[ref % per_page]
                readers, writers = int(pin["readers"]), int(pin["writers"])
            if readers or writers:
                pinned = f", pinned: frame {int(pin['mfn']):#x}"
            if flags or readers or writers:
                print(f"    ref {ref:5} flags {flags:#06x} to d{domid} gfn {gfn:#x} "
                      f"readers {readers} writers {writers}{pinned}")
        for n, m in handles(gt):
            print(f"    handle {n:4} maps ref {int(m['ref'])} of {machine.name_of(m['granter'])} "
                  f"flags {int(m['flags']):#x}")
