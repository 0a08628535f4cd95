#!/usr/bin/env python3
"""Plants bugs in copies of the hypervisor's files, one at a time, and expects the model to find each: in the scope that is
named, with the violation that is named. planted.py BUILD CC ARG... -- OBJECT...: compiler with its arguments, objects of the
model as it is. A bug that no scope finds stands in SURVIVORS, with the reason."""
import pathlib
import subprocess
import sys

# What includes the page types' inline functions.
USERS = "alloc frame grant_map linear memory mmu_update mmuext pagetype ptwr".split()
GLOBAL = "zones zones_in_use nr_free guest_frames_returned returned_stamp".split()

# name, file, text there (once), text instead, scope, violation
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
    ("the fast path forgets RW", "mmu_update.c", "(PTE_ADDR_MASK | PTE_RW | PTE_P)", "(PTE_ADDR_MASK | PTE_P)",
     "two", ""),
    ("the fast path forgets the address", "mmu_update.c", "(PTE_ADDR_MASK | PTE_RW | PTE_P)", "(PTE_RW | PTE_P)",
     "two", "not the domain's"),
    ("the old entry of a table keeps its references", "mmu_update.c",
     "    put_page_from_table_entry(old, table);\n", "    (void)old;\n", "two", "refer"),
    ("a writable entry of any frame", "mm.h", "if (unlikely(!is_valid_as(f, TYPE_WRITABLE)))",
     "if (unlikely((f->type & TYPE_COUNT_MASK) == 0))", "two", ""),
    ("an L1 entry that goes keeps its type reference", "mm.h", "    if (l1e & PTE_RW)\n        put_page_type(f);\n    else if",
     "    if", "two", "type references"),
    ("a second pin", "mmuext.c", "    if (f->type & TYPE_PINNED) {\n        put_page_and_type(f);\n", "    if (0) {\n",
     "two", "references"),
    ("an unpin of what is not pinned", "mmuext.c", "    if (!(f->type & TYPE_PINNED)) {\n", "    if (0) {\n", "two", ""),
    ("the old root keeps its references", "mmuext.c",
     "        arch_load_root(v);\n    if (old != 0)\n", "        arch_load_root(v);\n    if (0)\n", "two", "references"),
    ("a writable linear entry", "linear.c", "    if (entry & PTE_RW)\n        return -EINVAL;\n", "", "two", "writable"),
    ("linear entries of a table that is mapped linearly", "linear.c",
     "        if (table->type & LINEAR_USES)\n            return -EINVAL;\n", "", "three", "chain"),
    ("a linear entry to a table that has some", "linear.c", " && !(f->type & LINEAR_ENTRIES)", "", "three", "chain"),
    ("linear entries that go stay counted", "linear.c", "    table->type -= LINEAR_ENTRY;\n", "", "two", "linear"),
    ("no flush before a guest's frame is somebody's", "alloc.c", "    guest_frames_returned = true;\n", "",
     "two", "not its own"),
    ("a frame that goes stays in the number", "frame.c", "    d->nr_frames--;\n", "", "two", "numbers of frames"),
    ("a frame that goes stays linked", "frame.c", "    mfn_to_frame(f->next)->prev = f->prev;\n", "", "two", "ring"),
    ("a frame that is given back stays referenced", "memory.c",
     "    /* still mapped somewhere: it goes with the last mapping */\n        put_page(f);\n", "\n", "two", "references"),
    ("pins survive the domain", "frame.c", "    if (f->type & TYPE_PINNED) {\n        f->type &= ~TYPE_PINNED;\n",
     "    if (0) {\n", "death", ""),
    ("the round at the domain's end leaves one out", "frame.c", "left = d->nr_frames; left != 0 &&",
     "left = d->nr_frames; left > 1 &&", "death", ""),
)

SURVIVORS = (
    # The stamp of the last type reference comes at the same time on one CPU, and read-only mappings are of no danger before
    # the frame is given back, which flushes by a stamp of its own. Other CPUs may run between the two.
    ("no stamp when an L1 entry goes", "mm.h",
     "    f->flush_stamp = tlb_clock;     /* F8: the translation may be cached until the next full flush */\n", "",
     "below", ""),
)


def path_of(name):
    """A file of the hypervisor, in whichever room it lies: its name is the only one."""
    path, = pathlib.Path("xen").rglob(name)
    return path


def build(root, number, bug, compiler, objects):
    name, file, old, new, scope, _ = bug
    path = path_of(file)
    text = path.read_text()
    if text.count(old) != 1:
        sys.exit(f"planted.py: {name}: its place in {path} is there {text.count(old)} times")
    where = root / "planted" / str(number)
    (where / path).parent.mkdir(parents=True, exist_ok=True)
    (where / path).write_text(text.replace(old, new))
    mine, replaced = [], set()
    for c in [file] if file.endswith(".c") else [f"{u}.c" for u in USERS]:
        source = where / path if file.endswith(".c") else path_of(c)
        mine.append(where / c.replace(".c", ".o"))
        replaced.add(root / path_of(c).with_suffix(".o"))
        subprocess.run([compiler[0]] + compiler[1:2] + [f"-I{where}"] + compiler[2:] +
                       ["-Wno-unused", "-Wno-error", "-c", source, "-o", mine[-1]], check=True)
        if c == "alloc.c":
            subprocess.run(["objcopy"] + [f"--globalize-symbol={g}" for g in GLOBAL] + [mine[-1]], check=True)
    program = where / "model"
    subprocess.run(compiler[:2] + ["-o", program] + mine + [o for o in objects if pathlib.Path(o) not in replaced], check=True)
    return program


def main():
    root, cut = pathlib.Path(sys.argv[1]), sys.argv.index("--")
    compiler, objects = sys.argv[2:cut], sys.argv[cut + 1:]
    wrong = 0
    for number, bug in enumerate(BUGS + SURVIVORS):
        name, file, _, _, scope, violation = bug
        program = build(root, number, bug, compiler, objects)
        p = subprocess.run([program, scope], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=300)
        calls = p.stderr.count(";\n")
        found = p.returncode != 0 and "violation" in p.stderr and violation in p.stderr
        ok = found == (bug in BUGS)
        wrong += not ok
        print(f"{'' if ok else 'WRONG: '}{name} ({file}): " + (f"found in scope {scope}, after {calls} calls" if found
              else f"not found in scope {scope}"), flush=True)
        if not ok:
            print(p.stderr)
    print(f"{len(BUGS)} planted bugs, {len(SURVIVORS)} that cannot be found here, {wrong} not as expected")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
