"""pv frame, pv walk: a frame's owner and type, and the page-table entries of an address."""

import gdb

import machine
from machine import constant

TYPES = ("NONE", "L1", "L2", "L3", "L4", "SEGDESC", "WRITABLE")
PTE_FLAGS = ("P", "RW", "US", "A", "D", "PS", "G", "NX")


def type_name(word):
    kind = word & constant("TYPE_MASK")
    return next((name.lower() for name in TYPES if constant(f"TYPE_{name}") == kind),
                f"type {kind:#x}")


def owner_name(f):
    owner = int(f["owner"])
    if not owner:
        names = {constant("FRAME_NO_RAM"): "no RAM",
                 constant("FRAME_HYPERVISOR"): "the hypervisor's"}
        return names.get(int(f["word"]), "free, or the hypervisor's since it was loaded")
    d = machine.owner_of(owner)
    if d is None:
        return f"a domain at frame {owner:#x} that is not in the list"
    return machine.name_of(d)


def frame_at(mfn):
    table, end = machine.symbol("frame_table"), int(machine.symbol("max_mfn"))
    if not int(table):
        raise machine.Fault("the frame table is not made yet")
    if mfn >= end:
        raise machine.Fault(f"frame {mfn:#x} is not in the table, which ends at {end:#x}")
    try:
        table[mfn]["word"].fetch_lazy()
    except gdb.MemoryError:
        raise machine.Fault(f"frame {mfn:#x} has never been used") from None
    return table[mfn]


def frame(mfn):
    """frame MFN: whose it is, its references and its type."""
    mfn = machine.number(mfn)
    f = frame_at(mfn)
    word, linear = int(f["word"]), int(f["linear"])
    refs, types = word & constant("FRAME_COUNT_MASK"), word & constant("TYPE_COUNT_MASK")
    print(f"frame {mfn:#x}: {owner_name(f)}")
    if not int(f["owner"]):
        return                      # the word has no references then
    print(f"    references {refs}, " +
          machine.flags(f, {w: word & constant(f"FRAME_{w.upper()}")
                            for w in ("allocated", "counted")}))
    print(f"    type {type_name(word)}, references {types // constant('TYPE_REF')}, " +
          machine.flags(f, {w: word & constant(f"TYPE_{w.upper()}")
                            for w in ("validated", "validating", "pinned")}))
    if linear:
        print(f"    linear entries {linear & constant('LINEAR_ENTRIES')}, "
              f"linear uses {linear // constant('LINEAR_USE')}")
    m2p = machine.symbol("m2p_table")
    if int(m2p):
        print(f"    m2p {int(m2p[mfn]):#x}, flush stamp {int(f['stamp'])}")


def root(domain):
    """(whose, machine address of the L4): the tables of a domain's vCPU 0, or those in CR3."""
    if domain is None:
        try:
            cr3 = int(gdb.parse_and_eval("$cr3"))
        except (gdb.error, TypeError):
            raise machine.Fault("the CPU's cr3 cannot be read: name a domain") from None
        if not int(gdb.parse_and_eval("$cr0")) >> 31 & 1:
            raise machine.Fault("paging is still off")
        return "cr3", cr3 & constant("PTE_ADDR_MASK")
    vcpus = machine.vcpus(machine.domain(domain))
    if not vcpus:
        raise machine.Fault(f"domain {domain} has no vCPU")
    v = vcpus[0]
    which = "root_kernel" if v["kernel_mode"] or not int(v["root_user"]) else "root_user"
    return f"{machine.vcpu_name(v)} {which}", int(v[which])


def steps(va, table):
    """(level, entry's machine address, entry), from the L4 down to where the walk ends."""
    for level in (4, 3, 2, 1):
        where = table + (va >> 12 + 9 * (level - 1) & 511) * 8
        entry = int.from_bytes(machine.physical(where, 8), "little")
        yield level, where, entry
        large = level in (2, 3) and entry & constant("PTE_PS")
        if not entry & constant("PTE_P") or large:
            return
        table = entry & constant("PTE_ADDR_MASK")


def walk(va, domain=None):
    """walk VA [DOM]: the page-table entries of an address, by the CPU's tables or a domain's."""
    va = machine.number(va)
    whose, table = root(domain)
    if not table:
        raise machine.Fault(f"{whose} has no page tables yet")
    print(f"{va:#x} by {whose} {table:#x}")
    for level, where, entry in steps(va, table):
        print(f"    L{level} at {where:#x}: {entry:#018x} " +
              machine.flags(entry, {w: entry & constant(f"PTE_{w}") for w in PTE_FLAGS}))
    if not entry & constant("PTE_P"):
        print(f"    not present at level {level}")
        return
    size = 1 << 12 + 9 * (level - 1)
    address = entry & constant("PTE_ADDR_MASK") & -size | va & size - 1
    print(f"    machine address {address:#x}, frame {address >> 12:#x}", end="")
    try:
        f = frame_at(address >> 12)
        print(f": {owner_name(f)}, type {type_name(int(f['word']))}")
    except machine.Fault as fault:
        print(f" ({fault})")
