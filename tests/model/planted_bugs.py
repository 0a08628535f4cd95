"""The bugs that planted.py plants: where each is, and in which scope the model has to find it, with
which violation. One that no scope can find is in SURVIVORS, with the reason."""

from dataclasses import dataclass


@dataclass
class Bug:
    name: str
    file: str  # of the hypervisor
    old: object  # text that is there once, or several that are replaced one after the other
    new: object
    scope: str
    violation: str = ""  # part of the model's message
    two_cpus: bool = False  # no scope of one CPU finds it


BUGS = (
    Bug("no stamp when the use as a type ends", "pagetype.c",
        old="    f->stamp = d->epoch;\n", new="",
        scope="below", violation="still walks"),
    Bug("no flush before a new type", "pagetype.c",
        old="        flush_since(frame_owner(f), f->stamp);\n", new="        (void)0;\n",
        scope="below", violation="TLB still has a writable mapping"),
    Bug("no flush before a former table is writable", "pagetype.c",
        old="    if ((*word & TYPE_MASK) != type)\n"
            "        flush",
        new="    if ((*word & TYPE_MASK) != type && type != TYPE_WRITABLE)\n"
            "        flush",
        scope="below", violation="still walks"),
    Bug("a failed validation keeps the type", "pagetype.c",
        old="        locked_add(&f->word, -(type | TYPE_VALIDATING | TYPE_REF));\n",
        new="        locked_add(&f->word, -(TYPE_VALIDATING | TYPE_REF) + TYPE_VALIDATED);\n",
        scope="two"),
    Bug("a failed L1 keeps its references", "pagetype.c",
        old="    while (e-- > table)\n"
            "        put_page_from_l1e(*e, d);\n",
        new="    (void)0;\n",
        scope="entries", violation="refer"),
    Bug("a failed table keeps its references", "pagetype.c",
        old="            drop_entries(f, type, i);\n", new="",
        scope="entries", violation="refer"),
    Bug("an L1 that goes keeps its references", "pagetype.c",
        old="    if (type == TYPE_L1)\n"
            "        devalidate_l1(mfn_to_virt(frame_to_mfn(f)), frame_owner(f));\n"
            "    else if",
        new="    if",
        scope="two", violation="the program ended"),
    Bug("the old entry goes before the new one is taken", "l1_entry.c",
        old="    int rc = get_page_from_l1e(nl1e, owner);\n",
        new="    put_page_from_l1e(ol1e, d);\n"
            "    *slot = ol1e = 0;\n"
            "    int rc = get_page_from_l1e(nl1e, owner);\n",
        scope="two", violation="a refused call changed something"),
    Bug("the fast path forgets RW", "l1_entry.c",
        old="    if (!((ol1e ^ nl1e) & PTE_RW))\n", new="    if (true)\n",
        scope="two"),
    Bug("an entry that loses RW keeps its type reference", "l1_entry.c",
        old="    locked_add(&f->word, -TYPE_REF);\n", new="",
        scope="two", violation="type references"),
    Bug("an entry that loses RW drops its general reference", "l1_entry.c",
        old="    locked_add(&f->word, -TYPE_REF);\n", new="    put_refs(f, TYPE_REF + 1);\n",
        scope="two", violation="references"),
    Bug("no stamp when an entry loses RW", "l1_entry.c",
        old="    f->stamp = d->epoch;        /* F8: the entry", new="    /* F8: the entry",
        scope="below", violation="TLB still has a writable mapping"),
    Bug("an entry gets RW without a type reference", "l1_entry.c",
        old="        unlikely(!try_cmpxchg(&f->word, &word, word + TYPE_REF)))\n"
            "        return give",
        new="        false)\n        return give",
        scope="two"),
    Bug("the fast path forgets the address", "l1_entry.c",
        old="(PTE_ADDR_MASK | PTE_P | PTE_PCD)", new="(PTE_P | PTE_PCD)",
        scope="two", violation="not the domain's"),
    Bug("the old entry of a table keeps its references", "mmu_update.c",
        old="    put_page_from_table_entry(old, table);\n", new="    (void)old;\n",
        scope="two", violation="refer"),
    Bug("a writable entry of any frame", "pagetype.h",
        old="unlikely(!word_valid_as(word, TYPE_WRITABLE))",
        new="unlikely(nr_type_refs(word) == 0)",
        scope="two"),
    Bug("an L1 entry that goes keeps its type reference", "pagetype.h",
        old="        put_refs(f, TYPE_REF + 1);\n"
            "        return;\n"
            "    }\n"
            "    if (unlikely(frame",
        new="        put_refs(f, 1);\n"
            "        return;\n"
            "    }\n"
            "    if (unlikely(frame",
        scope="two", violation="type references"),
    Bug("an L1 entry that is replaced keeps its type reference", "l1_entry.c",
        old="    return put_refs_and_return(f, refs_of_l1e(ol1e), 0);\n",
        new="    return put_refs_and_return(f, 1, 0);\n",
        scope="two", violation="type references"),
    Bug("no stamp when a table of L1 entries goes", "pagetype.h",
        old="        f->stamp = d->epoch;\n", new="",
        scope="below", violation="not its own"),
    Bug("no stamp when an L1 entry goes", "l1_entry.c",
        old="    f->stamp = d->epoch;        /* F8: the translation",
        new="    /* F8: the translation",
        scope="below", violation="not its own"),
    Bug("a second pin", "mmuext.c",
        old="    if (READ_ONCE(f->word) & TYPE_PINNED) {\n"
            "        put_page_and_type(f);\n",
        new="    if (0) {\n",
        scope="two", violation="references"),
    Bug("an unpin of what is not pinned", "mmuext.c",
        old="    if (!(READ_ONCE(f->word) & TYPE_PINNED)) {\n", new="    if (0) {\n",
        scope="two"),
    Bug("an LDT is not flushed", "desc.c",
        old="    flush_vcpu(v);\n    for", new="    for",
        scope="descriptors", violation="descriptor table"),
    Bug("the old root keeps its references", "mmuext.c",
        old="        load_and_flush(v);\n"
            "    if (old != 0)\n",
        new="        load_and_flush(v);\n"
            "    if (0)\n",
        scope="two", violation="references"),
    Bug("a writable linear entry", "linear.c",
        old="    if (entry & PTE_RW)\n"
            "        return -EINVAL;\n",
        new="",
        scope="two", violation="writable"),
    Bug("linear entries of a table that is mapped linearly", "linear.c",
        old="        if (table->linear & LINEAR_USES)\n"
            "            return -EINVAL;\n",
        new="",
        scope="three", violation="chain"),
    Bug("a linear entry to a table that has some", "linear.c",
        old=" && !(f->linear & LINEAR_ENTRIES)", new="",
        scope="three", violation="chain"),
    Bug("linear entries that go stay counted", "linear.c",
        old="    table->linear -= LINEAR_ENTRY;\n", new="",
        scope="two", violation="linear"),
    Bug("no flush before a guest's frame is somebody's", "frame.c",
        old="            flush_since(d, f->stamp);\n", new="            (void)0;\n",
        scope="two", violation="not its own"),
    Bug("a CPU is flushed only if it flushed before the stamp", "flush.c",
        old="        if (v->flushed <= stamp)\n", new="        if (v->flushed < stamp)\n",
        scope="below", violation="not its own"),
    Bug("no flush before a foreign frame's references go", "pagetype.h",
        old="        flush_domain(d);\n", new="        (void)0;\n",
        scope="grant", violation="still leads"),
    Bug("a frame that goes stays in the number", "frame.c",
        old="    WRITE_ONCE(d->nr_frames, d->nr_frames - 1);\n", new="",
        scope="two", violation="numbers of frames"),
    Bug("a frame that goes stays linked", "frame.c",
        old="    mfn_to_frame(f->next)->prev = f->prev;\n", new="",
        scope="two", violation="ring"),
    Bug("a frame that is given back stays referenced", "memory.c",
        old="    /* still mapped somewhere: it is freed with the last mapping */\n"
            "        put_page(f);\n",
        new="\n",
        scope="two", violation="references"),
    Bug("pins survive the domain", "relinquish.c",
        old="    if (READ_ONCE(f->word) & TYPE_PINNED) {\n"
            "        locked_and(&f->word, ~TYPE_PINNED);\n",
        new="    if (0) {\n",
        scope="death"),
    Bug("the round at the domain's end leaves one out", "relinquish.c",
        old="left = d->nr_frames; left != 0 &&", new="left = d->nr_frames; left > 1 &&",
        scope="death"),

    Bug("a grant's pin outlives unmap_and_replace", "grant_map.c",
        old="        gone->unpin = true;\n", new="        gone->unpin = new_addr == 0;\n",
        scope="grant", violation="pins of a grant"),
    Bug("a writable grant mapping is no writable use", "grant.c",
        old="    if (!readonly && get_page_type(f, TYPE_WRITABLE) != 0) {\n", new="    if (0) {\n",
        scope="grant", violation="type references"),
    Bug("a handle ends with its host mapping, the device's stays", "grant_map.c",
        old="    if (!(t->flags & MAPTRACK_LIVE)) {\n"
            "        maptrack_free",
        new="    if (!(t->flags & GNTMAP_host_map)) {\n"
            "        maptrack_free",
        scope="grant", violation="references"),
    Bug("a handle ends by an entry of another permission", "grant_map.c",
        old=" || !(old & PTE_RW) != !!(t->flags & GNTMAP_readonly))", new=")",
        scope="grant", violation="without a handle"),
    Bug("a handle ends by an entry of another frame", "grant_map.c",
        old=" || PTE_MFN(old) != mfn ||", new=" ||",
        scope="grants"),
    Bug("no flush before a granter's frame is its own again", "grant_map.c",
        old="    if (flush)\n"
            "        flush_own_domain();\n",
        new="",
        scope="grant", violation="not its own"),
    Bug("a device's mapping holds no frame", "grant_map.c",
        old="    if (unlikely(op->flags & GNTMAP_device_map))\n"
            "        rc =",
        new="    if (0)\n"
            "        rc =",
        scope="grant", violation="references"),
    Bug("the entry that moves in stays where it was", "grant_map.c",
        old="        WRITE_ONCE(*from, 0);\n", new="",
        scope="grant", violation="without a handle"),
    Bug("a failed mapping keeps the pin", "grant_map.c",
        old="    if (rc != GNTST_okay) {\n"
            "        grant_unpin(rd, op->ref, readonly);\n",
        new="    if (rc != GNTST_okay) {\n",
        scope="grant", violation="pins"),
    Bug("the frame of a grant in use follows what the guest writes", "grant_pin.c",
        old="    if (!in_use)\n"
            "        set_area(",
        new="    if (1)\n"
            "        set_area(",
        scope="grants", violation="without a handle"),
    Bug("an unused grant is still said to be written", "grant_pin.c",
        old="    if (p->writers == 0)\n"
            "        clear",
        new="    if (0)\n"
            "        clear",
        scope="grant", violation="said to be in use"),
    Bug("a copy keeps the frame's references", "grant_copy.c",
        old="    spin_lock(&e->area.owner->mm_lock);\n"
            "    grant_put_frame(e->f, e->readonly);\n",
        new="    spin_lock(&e->area.owner->mm_lock);\n",
        scope="grants", violation="references"),
    Bug("a handle survives the granter", "grant.c",
        old="    if (gt->nr_pins != 0)\n"
            "        grant_forget_granter(d);\n",
        new="",
        scope="grant-end", violation="a handle for a grant of a domain that is gone"),
    Bug("a pin survives the mapper", "grant_maptrack.c",
        old="        grant_unpin(t->granter, t->ref, t->flags & GNTMAP_readonly);\n"
            "        maptrack_free(gt, t, i);\n",
        new="        maptrack_free(gt, t, i);\n",
        scope="grant-end", violation="a grant that a domain uses that is gone"),
    Bug("a device's mapping survives its domain", "grant_maptrack.c",
        old="        if (t->flags & GNTMAP_device_map)\n"
            "            grant_end_device_map(t->granter, "
            "grant_pins_of(t->granter->grant, t->ref)->mfn,\n"
            "                                 t->flags & GNTMAP_readonly);\n",
        new="",
        scope="grant-end"),

    Bug("a table is used while it is being validated", "pagetype.c",
        old="    while (is_validating_as(READ_ONCE(f->word), type)) {\n",
        new="    while (0) {\n",
        scope="preempted"),
    Bug("a table waits for itself", "pagetype.c",
        old=("    while (is_validating_as(READ_ONCE(f->word), type)) {\n",
             "    if (unlikely(is_validating_as(word, type))) {\n"),
        new=("    while (READ_ONCE(f->word) & TYPE_VALIDATING) {\n",
             "    if (unlikely(word & TYPE_VALIDATING)) {\n"),
        scope="preempted", violation="waits for nobody"),
    Bug("a table that failed is no table before its entries are dropped", "pagetype.c",
        old="            drop_entries(f, type, i);\n",
        new="            f->word &= ~(TYPE_MASK | TYPE_COUNT_MASK | TYPE_VALIDATING);\n"
            "            drop_entries(f, type, i);\n",
        scope="preempted"),
    Bug("the old entry is read before others may have stored to it", "mmu_update.c",
        old=("    uint64_t type = frame_type(table), old;\n",
             "    old = READ_ONCE(*slot);\n"
             "    if (unlikely(d->linear"),
        new=("    uint64_t type = frame_type(table), old = READ_ONCE(*slot);\n",
             "    if (unlikely(d->linear"),
        scope="preempted"),
    Bug("whether it is pinned is asked before others may have pinned it", "mmuext.c",
        old=("    struct frame *f;\n"
             "    int rc = get_page_and_type(op->arg1.mfn, d, types",
             "    if (READ_ONCE(f->word) & TYPE_PINNED) {\n"
             "        put_page_and"),
        new=("    struct frame *f;\n"
             "    bool pinned = mfn_valid(op->arg1.mfn) && (mfn_to_frame(op->arg1.mfn)->word & "
             "TYPE_PINNED);\n"
             "    int rc = get_page_and_type(op->arg1.mfn, d, types",
             "    if (pinned) {\n"
             "        put_page_and"),
        scope="preempted", violation="references"),

    # With two CPUs.
    Bug("a frame is a table before the flush", "pagetype.c",
        old=("        flush_since(frame_owner(f), f->stamp);\n    claimed |=",
             "    return type == TYPE_WRITABLE ? 0 : validate_claimed(f, type);"),
        new=("        (void)0;\n    claimed |=",
             "    flush_since(frame_owner(f), f->stamp);\n"
             "    return type == TYPE_WRITABLE ? 0 : validate_claimed(f, type);"),
        scope="cpus", violation="TLB still has a writable mapping", two_cpus=True),
    Bug("a frame is free before the flush", "frame.c",
        old=("            flush_since(d, f->stamp);\n",
             "    free_frames(frame_to_mfn(f), 0, true);\n"),
        new=("            (void)0;\n",
             "    free_frames(frame_to_mfn(f), 0, true);\n"
             "    if (d->state > DOM_BUILDING && d->state < DOM_DYING && current->domain == d)\n"
             "        flush_since(d, f->stamp);\n"),
        scope="cpus", violation="not its own", two_cpus=True),
    Bug("only this CPU is flushed", "flush.c",
        old="    flush_elsewhere(d, stamp);\n}\n\nvoid flush_foreign",
        new="}\n\nvoid flush_foreign",
        scope="cpus", violation="still", two_cpus=True),
    Bug("the CPU of the first vCPU is flushed for each", "flush.c",
        old="READ_ONCE(v->on_cpu);\n\n        if (c == NULL || READ_ONCE(v->flushed)",
        new="READ_ONCE(d->vcpu[0]->on_cpu);\n\n        if (c == NULL || READ_ONCE(v->flushed)",
        scope="cpus", violation="still", two_cpus=True),
    Bug("other CPUs are asked to flush, and not waited for", "flush.c",
        old="    while (nr-- > 0)\n        wait_for_flush(asked[nr], number[nr]);\n}\n\n"
            "void flush_since",
        new="    (void)asked;\n}\n\nvoid flush_since",
        scope="cpus", violation="still", two_cpus=True),
    Bug("this CPU's last flush is taken for the other's", "flush.c",
        old="READ_ONCE(v->flushed) > stamp)", new="READ_ONCE(current->flushed) > stamp)",
        scope="cpus", violation="still", two_cpus=True),
    Bug("another CPU is flushed only if it flushed before the stamp", "flush.c",
        old="READ_ONCE(v->flushed) > stamp)", new="READ_ONCE(v->flushed) >= stamp)",
        scope="cpus", violation="still", two_cpus=True),
    Bug("an LDT that goes is flushed on this CPU only", "flush.c",
        old="    else if (c != NULL)\n        wait_for_flush(c, request_flush(c));\n", new="",
        scope="cpus-descriptors", violation="descriptor table", two_cpus=True),
    Bug("an LDT's references are dropped before the flush", "desc.c",
        old=("    flush_vcpu(v);\n    for",
             "            put_page_and_type(mfn_to_frame(old[i]));\n}"),
        new=("    for",
             "            put_page_and_type(mfn_to_frame(old[i]));\n    flush_vcpu(v);\n}"),
        scope="cpus-descriptors", violation="is no descriptor page", two_cpus=True),
    Bug("a guest's flush of all CPUs is one of its own", "mmuext.c",
        old="        flush_others_unlocked(d);\n    return 0;\n}\n\nint mmuext_invlpg(",
        new="        (void)0;\n    return 0;\n}\n\nint mmuext_invlpg(",
        scope="cpus-below", violation="all CPUs", two_cpus=True),
    Bug("an update that is flushed on all CPUs is on its own", "mmu_update.c",
        old="    flush_others(current->domain);\n", new="",
        scope="cpus", violation="all CPUs", two_cpus=True),
    Bug("no flush of the owner when another domain frees its frame", "frame.c",
        old="            flush_foreign(d, f->stamp);\n", new="            (void)0;\n",
        scope="cpus-grant", violation="not its own", two_cpus=True),
    Bug("before a foreign frame's references go only this CPU is flushed", "pagetype.h",
        old="        flush_domain(d);\n", new="        arch_flush_all();\n",
        scope="cpus-foreign", violation="may not write any more", two_cpus=True),
    Bug("a grant is given up before the flush", "grant_map.c",
        old="    if (flush)\n"
            "        flush_own_domain();\n"
            "    for (unsigned i = 0; i < done; i++)\n"
            "        unmap_finish(d, &gone[i]);\n",
        new="    for (unsigned i = 0; i < done; i++)\n"
            "        unmap_finish(d, &gone[i]);\n"
            "    if (flush)\n"
            "        flush_own_domain();\n",
        scope="cpus-foreign", violation="still leads", two_cpus=True),
    Bug("no stamp when an L1 entry goes, with two CPUs", "l1_entry.c",
        old="    f->stamp = d->epoch;        /* F8: the translation",
        new="    /* F8: the translation",
        scope="cpus", violation="no flush is owed"),
    Bug("an L1 entry's references are dropped before it is overwritten", "l1_entry.c",
        old=("    if (unlikely(!store_entry(slot, ol1e, nl1e, how)))\n"
             "        return not_stored(nl1e, d);\n"
             "    return drop_old(ol1e, d);\n"),
        new=("    (void)drop_old(ol1e, d);\n"
             "    if (unlikely(!store_entry(slot, ol1e, nl1e, how)))\n"
             "        return not_stored(nl1e, d);\n"
             "    return 0;\n"),
        scope="cpus", two_cpus=True),
    # A load of CR3 where a full flush is owed leaves the global translations.
    Bug("a change of use leaves global translations on this CPU", "flush.c",
        old="        if (v->flushed <= stamp)\n            arch_flush_all();\n",
        new="        if (v->flushed <= stamp)\n            arch_load_root(v);\n",
        scope="three", violation="not its own"),
    Bug("a new root leaves global translations", "mmuext.c",
        old="    arch_load_root_and_flush(v);\n", new="    arch_load_root(v);\n",
        scope="three", violation="a flush has left a translation"),
    Bug("an unmapped grant leaves global translations", "flush.h",
        old="    arch_flush_all();\n    if (d->nr_vcpus != 1)\n",
        new="    arch_load_root(current);\n    if (d->nr_vcpus != 1)\n",
        scope="grant", violation="not its own"),
    Bug("a request of another CPU leaves global translations", "request.c",
        old="    arch_flush_all();\n    store_release(&c->flush.done, number);\n",
        new="    arch_load_root(current);\n    store_release(&c->flush.done, number);\n",
        scope="cpus", violation="has left a translation", two_cpus=True),
    Bug("a guest's flush leaves global translations", "mmuext.c",
        old="    arch_flush_all();\n    if (op->cmd != MMUEXT_TLB_FLUSH_LOCAL)\n",
        new="    arch_load_root(current);\n    if (op->cmd != MMUEXT_TLB_FLUSH_LOCAL)\n",
        scope="cpus", violation="all CPUs"),
)

SURVIVORS = (
    # Only another CPU can give the frame to another domain between the two comparisons:
    # tests/spin/frame.pml finds it (OWNER_FIRST).
    Bug("the owner is not compared after the count", "frame.h",
        old="    if (likely(READ_ONCE(f->owner) == d->mfn))\n"
            "        return true;\n",
        new="    if (1)\n"
            "        return true;\n",
        scope="grant"),
)
