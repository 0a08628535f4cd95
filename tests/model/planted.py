#!/usr/bin/env python3
"""Plants bugs in copies of the hypervisor's files, one at a time, and expects the model to find
each: in the scope that is named, with the violation that is named. planted.py BUILD CC ARG... --
OBJECT...: compiler with its arguments, objects of the model as it is. A bug that no scope finds
stands in SURVIVORS, with the reason."""
import os
import pathlib
import subprocess
import sys

GLOBAL = "zones zones_in_use nr_free guest_frames_returned returned_stamp".split()

# name, file, text there (once; several: one after the other), text instead, scope, violation
BUGS = (
    ("no stamp when the use as a type ends", "pagetype.c",
     "    f->type = type;\n    f->flush_stamp = tlb_clock;\n", "    f->type = type;\n",
     "below", "still walks"),
    ("no flush before a new type", "pagetype.c",
     "        flush_tlb_since(f->flush_stamp);\n    if (type == TYPE_W", "        (void)0;\n    if (type == TYPE_W",
     "below", "TLB still has a writable mapping"),
    ("no flush before a former table is writable", "pagetype.c",
     "if ((f->type & TYPE_MASK) != type)\n        flush", "if ((f->type & TYPE_MASK) != type && type != TYPE_WRITABLE)\n        flush",
     "below", "still walks"),
    ("a failed validation keeps the type", "pagetype.c",
     "    else\n        f->type = TYPE_NONE;\n", "", "two", ""),
    ("a failed L1 keeps its references", "pagetype.c",
     "        while (i-- > 0)\n            put_page_from_l1e(table[i], d);\n", "        (void)0;\n", "entries", "refer"),
    ("a failed table keeps its references", "pagetype.c",
     "            drop_entries(f, type, i);\n", "", "entries", "refer"),
    ("an L1 that goes keeps its references", "pagetype.c",
     "    if (type == TYPE_L1)\n        devalidate_l1(mfn_to_virt(frame_to_mfn(f)), frame_owner(f));\n    else if",
     "    if", "two", "the program ended"),
    ("the old entry goes before the new one is taken", "mmu_update.c",
     "        rc = get_page_from_l1e(nl1e, owner);\n", "        put_page_from_l1e(ol1e, d);\n        *slot = ol1e = 0;\n"
     "        rc = get_page_from_l1e(nl1e, owner);\n", "two", "a refused call changed something"),
    ("the fast path forgets RW", "mmu_update.c", "(PTE_ADDR_MASK | PTE_RW | PTE_P)",
     "(PTE_ADDR_MASK | PTE_P)",
     "two", ""),
    ("the fast path forgets the address", "mmu_update.c", "(PTE_ADDR_MASK | PTE_RW | PTE_P)",
     "(PTE_RW | PTE_P)",
     "two", "not the domain's"),
    ("the old entry of a table keeps its references", "mmu_update.c",
     "    put_page_from_table_entry(old, table);\n", "    (void)old;\n", "two", "refer"),
    ("a writable entry of any frame", "pagetype.h", "if (unlikely(!is_valid_as(f, TYPE_WRITABLE)))",
     "if (unlikely((f->type & TYPE_COUNT_MASK) == 0))", "two", ""),
    ("an L1 entry that goes keeps its type reference", "pagetype.h",
     "    if (l1e & PTE_RW)\n        put_page_type(f);\n    else if",
     "    if", "two", "type references"),
    ("a second pin", "mmuext.c",
     "    if (f->type & TYPE_PINNED) {\n        put_page_and_type(f);\n", "    if (0) {\n",
     "two", "references"),
    ("an unpin of what is not pinned", "mmuext.c", "    if (!(f->type & TYPE_PINNED)) {\n",
     "    if (0) {\n", "two", ""),
    ("the old root keeps its references", "mmuext.c",
     "        arch_load_root(v);\n    if (old != 0)\n", "        arch_load_root(v);\n    if (0)\n", "two", "references"),
    ("a writable linear entry", "linear.c", "    if (entry & PTE_RW)\n        return -EINVAL;\n",
     "", "two", "writable"),
    ("linear entries of a table that is mapped linearly", "linear.c",
     "        if (table->type & LINEAR_USES)\n            return -EINVAL;\n", "", "three", "chain"),
    ("a linear entry to a table that has some", "linear.c", " && !(f->type & LINEAR_ENTRIES)", "",
     "three", "chain"),
    ("linear entries that go stay counted", "linear.c", "    table->type -= LINEAR_ENTRY;\n", "",
     "two", "linear"),
    ("no flush before a guest's frame is somebody's", "alloc.c",
     "    guest_frames_returned = true;\n", "",
     "two", "not its own"),
    ("a frame that goes stays in the number", "frame.c", "    d->nr_frames--;\n", "", "two",
     "numbers of frames"),
    ("a frame that goes stays linked", "frame.c", "    mfn_to_frame(f->next)->prev = f->prev;\n",
     "", "two", "ring"),
    ("a frame that is given back stays referenced", "memory.c",
     "    /* still mapped somewhere: it is freed with the last mapping */\n        put_page(f);\n", "\n", "two", "references"),
    ("pins survive the domain", "relinquish.c",
     "    if (f->type & TYPE_PINNED) {\n        f->type &= ~TYPE_PINNED;\n",
     "    if (0) {\n", "death", ""),
    ("the round at the domain's end leaves one out", "relinquish.c",
     "left = d->nr_frames; left != 0 &&",
     "left = d->nr_frames; left > 1 &&", "death", ""),

    ("a grant's pin outlives unmap_and_replace", "grant_map.c", "        gone->unpin = true;\n",
     "        gone->unpin = new_addr == 0;\n", "grant", "pins of a grant"),
    ("a writable grant mapping is no writable use", "grant.c",
     "    if (!readonly && get_page_type(f, TYPE_WRITABLE) != 0) {\n",
     "    if (0) {\n", "grant", "type references"),
    ("a handle ends with its host mapping, the device's stays", "grant_map.c",
     "    if (!(t->flags & LIVE)) {\n        maptrack_free",
     "    if (!(t->flags & GNTMAP_host_map)) {\n        maptrack_free", "grant", "references"),
    ("a handle ends by an entry of another permission", "grant_map.c",
     " || !(old & PTE_RW) != !!(t->flags & GNTMAP_readonly))", ")", "grant", "without a handle"),
    ("a handle ends by an entry of another frame", "grant_map.c", " || PTE_MFN(old) != mfn ||",
     " ||", "grants", ""),
    ("no flush before a granter's frame is its own again", "grant_map.c",
     "    if (flush)\n        arch_flush_tlb();\n", "",
     "grant", "not its own"),
    ("a device's mapping holds no frame", "grant_map.c",
     "    if (unlikely(op->flags & GNTMAP_device_map))\n        rc =",
     "    if (0)\n        rc =", "grant", "references"),
    ("the entry that moves in stays where it was", "grant_map.c", "        WRITE_ONCE(*from, 0);\n",
     "", "grant", "without a handle"),
    ("a failed mapping keeps the pin", "grant_map.c",
     "    if (rc != GNTST_okay) {\n        grant_unpin(rd, op->ref, readonly);\n", "    if (rc != GNTST_okay) {\n", "grant", "pins"),
    ("the frame of a grant in use follows what the guest writes", "grant_pin.c",
     "    if (!in_use)\n        set_area(", "    if (1)\n        set_area(", "grants", "without a handle"),
    ("an unused grant is still said to be written", "grant_pin.c",
     "    if (p->writers == 0)\n        clear", "    if (0)\n        clear",
     "grant", "said to be in use"),
    ("a copy keeps the frame's references", "grant_copy.c",
     "    spin_lock(&e->area.owner->mm_lock);\n    grant_put_frame(e->f, e->readonly);\n", "    spin_lock(&e->area.owner->mm_lock);\n",
     "grants", "references"),
    ("a handle survives the granter", "grant.c",
     "    if (gt->nr_pins != 0)\n        grant_forget_granter(d);\n", "",
     "grant-end", "a handle for a grant of a domain that is gone"),
    ("a pin survives the mapper", "grant_map.c",
     "        grant_unpin(t->granter, t->ref, t->flags & GNTMAP_readonly);\n        maptrack_free(gt, t, i);\n",
     "        maptrack_free(gt, t, i);\n", "grant-end", "a grant that a domain uses that is gone"),
    ("a device's mapping survives its domain", "grant_map.c",
     "        if (t->flags & GNTMAP_device_map)\n"
     "            end_device_map(t->granter, t->ref, t->flags & GNTMAP_readonly);\n", "",
     "grant-end", ""),

    ("a table is used while it is being validated", "pagetype.c",
     "    while ((f->type & TYPE_MASK) == type && (f->type & TYPE_VALIDATING)) {\n", "    while (0) {\n", "preempted", ""),
    ("a table waits for itself", "pagetype.c",
     "    while ((f->type & TYPE_MASK) == type && (f->type & TYPE_VALIDATING)) {\n",
     "    while (f->type & TYPE_VALIDATING) {\n", "preempted", "waits for nobody"),
    ("a table that failed is no table before its entries are dropped", "pagetype.c",
     "            drop_entries(f, type, i);\n",
     "            f->type = TYPE_NONE;\n            drop_entries(f, type, i);\n", "preempted", ""),
    ("the old entry is read before others may have stored to it", "mmu_update.c",
     ("    uint64_t type = table->type & TYPE_MASK, old;\n",
      "    old = READ_ONCE(*slot);\n    store_entry(slot, entry"),
     ("    uint64_t type = table->type & TYPE_MASK, old = READ_ONCE(*slot);\n",
      "    store_entry(slot, entry"),
     "preempted", ""),
    ("whether it is pinned is asked before others may have pinned it", "mmuext.c",
     ("    struct frame *f;\n    int rc = get_page_and_type(op->arg1.mfn, d, types",
      "    if (f->type & TYPE_PINNED) {\n        put_page_and"),
     ("    struct frame *f;\n    bool pinned = mfn_valid(op->arg1.mfn) && (mfn_to_frame(op->arg1.mfn)->type & TYPE_PINNED);\n"
      "    int rc = get_page_and_type(op->arg1.mfn, d, types", "    if (pinned) {\n        put_page_and"),
     "preempted", "references"),
)

SURVIVORS = (
    # The stamp of the last type reference comes at the same time on one CPU, and read-only mappings
    # are of no danger before the frame is given back, which flushes by a stamp of its own. Other
    # CPUs may run between the two.
    ("no stamp when an L1 entry goes", "pagetype.h",
     "    f->flush_stamp = tlb_clock;\n", "",
     "below", ""),
)


def path_of(name):
    """A file of the hypervisor, in whichever room it lies: its name is the only one."""
    path, = pathlib.Path("xen").rglob(name)
    return path


def users_of(root, header):
    """Files of the hypervisor that include it, by what the compiler noted of each."""
    return [p for p in pathlib.Path("xen").rglob("*.c")
            if str(header) in (root / p.with_suffix(".d")).read_text().replace("./", "").split()]


def build(root, number, bug, compiler, objects):
    name, file, old, new, scope, _ = bug
    path = path_of(file)
    text = path.read_text()
    for there, instead in zip(*((t,) if isinstance(t, str) else t for t in (old, new))):
        if text.count(there) != 1:
            sys.exit(f"planted.py: {name}: its place in {path} is there {text.count(there)} times")
        text = text.replace(there, instead)
    where = root / "planted" / str(number)
    (where / path).parent.mkdir(parents=True, exist_ok=True)
    (where / path).write_text(text)
    mine, replaced = [], set()
    for source in [path] if file.endswith(".c") else users_of(root, path):
        mine.append(where / source.with_suffix(".o").name)
        replaced.add(root / source.with_suffix(".o"))
        subprocess.run([compiler[0]] + compiler[1:2] + [f"-I{where}"] + compiler[2:] +
                       ["-Wno-unused", "-Wno-error", "-c",
                        where / source if source == path else source,
                        "-o", mine[-1]], check=True)
        if source.name == "alloc.c":
            subprocess.run(["objcopy"] + [f"--globalize-symbol={g}" for g in GLOBAL] + [mine[-1]],
                           check=True)
    program = where / "model"
    others = [o for o in objects if pathlib.Path(o) not in replaced]
    subprocess.run(compiler[:2] + ["-Wl,--wrap=schedule_behind", "-o", program] + mine + others,
                   check=True)
    return program


def main():
    root, cut = pathlib.Path(sys.argv[1]), sys.argv.index("--")
    compiler, objects = sys.argv[2:cut], sys.argv[cut + 1:]
    wrong = 0
    wanted = os.environ.get("ONLY", "")     # in the name of the bug or of its scope
    for number, bug in enumerate(BUGS + SURVIVORS):
        name, file, _, _, scope, violation = bug
        if wanted not in name + scope:
            continue
        program = build(root, number, bug, compiler, objects)
        p = subprocess.run([program, scope], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                           text=True, timeout=300)
        calls = p.stderr.count(";\n")
        found = p.returncode != 0 and "violation" in p.stderr and violation in p.stderr
        ok = found == (bug in BUGS)
        wrong += not ok
        print(f"{'' if ok else 'WRONG: '}{name} ({file}): " +
              (f"found in scope {scope}, after {calls} calls" if found
              else f"not found in scope {scope}"), flush=True)
        if not ok:
            print(p.stderr)
    print(f"{len(BUGS)} planted bugs, {len(SURVIVORS)} that cannot be found here, {wrong} not as expected")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
