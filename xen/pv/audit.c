/* Recounts the references of all frames (invariants F1 to F10 of core/frame.h; F12, and P2
 * of core/pci.h, are checked on the way). It computes from page tables, pins, roots, descriptor
 * tables and registered pages how many references and type references each frame must have, and
 * panics if the frame table differs. The pins of grants are recounted by grant_audit
 * (grant_maptrack.c). Debug builds run it when a domain ends; the host tests run it after every
 * operation. */
#include "arch/arch.h"
#include "xen/core/alloc.h"
#include "xen/core/bug.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/pci.h"
#include "xen/core/walk.h"
#include "xen/pv/audit.h"
#include "xen/pv/evtchn_table.h"
#include "xen/pv/grant.h"
#include "xen/pv/grant_maptrack.h"
#include "xen/pv/pagetype.h"

struct tally {
    uint32_t refs, types;
    uint16_t entries, uses;     /* F10 */
};

static void want(struct tally *t, mfn_t mfn, unsigned refs, unsigned types)
{
    BUG_ON(mfn >= max_mfn);
    t[mfn].refs += refs;
    t[mfn].types += types;
}

/* F10: an entry of table f that points to a table of the same level. */
static void tally_linear(struct tally *t, const struct frame *f, uint64_t entry)
{
    mfn_t child = PTE_MFN(entry);

    if (entry & PTE_RW)
        panic("frame %lx of d%u: a writable entry to table %lx of its own type %lx",
              frame_to_mfn(f), frame_owner(f)->id, child, f->word);
    if (child == frame_to_mfn(f))
        return;
    want(t, child, 1, 1);
    t[frame_to_mfn(f)].entries++;
    t[child].uses++;
}

/* P2: the entry is as pci.c makes them for the table's owner, and holds no references. */
static void check_device(const struct frame *f, uint64_t entry)
{
    if (pci_l1e(frame_owner(f), entry) != entry)
        panic("frame %lx of d%u: P2 broken, entry %lx is not for a device of its own",
              frame_to_mfn(f), frame_owner(f)->id, entry);
}

/* F12 */
static void check_global(const struct frame *f, uint64_t entry)
{
    if (entry != (frame_type(f) == TYPE_L1 ? l1e_to_store(entry) : entry & ~PTE_G))
        panic("frame %lx of d%u: F12 broken, entry %lx", frame_to_mfn(f), frame_owner(f)->id,
              entry);
}

/* F4, F5: the references that the entries of one validated table hold. */
static void tally_table(struct tally *t, const struct frame *f)
{
    uint64_t type = frame_type(f);
    const uint64_t *table = mfn_to_virt(frame_to_mfn(f));

    for (unsigned i = 0; i < PTES_PER_TABLE; i++) {
        if (!(table[i] & PTE_P) || (type == TYPE_L4 && i >= HOLE_FIRST_SLOT && i <= HOLE_LAST_SLOT))
            continue;
        check_global(f, table[i]);
        if (type == TYPE_L1 && (table[i] & PTE_PCD))
            check_device(f, table[i]);
        else if (type != TYPE_L1 && frame_type(mfn_to_frame(PTE_MFN(table[i]))) == type)
            tally_linear(t, f, table[i]);
        else
            want(t, PTE_MFN(table[i]), 1, type != TYPE_L1 || (table[i] & PTE_RW) ? 1 : 0);
    }
}

static void tally_vcpu(struct tally *t, const struct vcpu *v)
{
    if (v->root_kernel)
        want(t, v->root_kernel >> PAGE_SHIFT, 1, 1);
    if (v->root_user)
        want(t, v->root_user >> PAGE_SHIFT, 1, 1);
    for (unsigned i = 0; i < ARRAY_SIZE(v->gdt_frames); i++)
        if (v->gdt_frames[i])
            want(t, v->gdt_frames[i], 1, 1);
    for (unsigned i = 0; i < ARRAY_SIZE(v->ldt_mfn); i++)
        if (v->ldt_mfn[i])
            want(t, v->ldt_mfn[i], 1, 1);
    if (v->info_mfn)
        want(t, v->info_mfn, 1, 1);
}

static void tally_fifo(struct tally *t, const struct evtchn_fifo *f)
{
    for (unsigned i = 0; i < f->nr_pages; i++)
        want(t, virt_to_mfn(f->page[i]), 1, 1);
    for (unsigned i = 0; i < MAX_VCPUS; i++)
        if (f->vcpu[i].control != NULL)
            want(t, virt_to_mfn(f->vcpu[i].control), 1, 1);
}

/* G5 */
static void tally_device_map(void *t, mfn_t mfn, bool readonly)
{
    want(t, mfn, 1, readonly ? 0 : 1);
}

static void check_frame(const struct tally *t, const struct frame *f)
{
    uint64_t refs = nr_refs(f->word), types = nr_type_refs(f->word);
    bool validated = f->word & TYPE_VALIDATED;

    if (t->refs != refs || t->types != types)
        panic("frame %lx of d%u: word %lx, %u references and %u type references found",
              frame_to_mfn(f), frame_owner(f)->id, f->word, t->refs, t->types);
    if (types > refs)
        panic("frame %lx of d%u: F6 broken, word %lx", frame_to_mfn(f), frame_owner(f)->id,
              f->word);
    if (validated != (types != 0 || frame_type(f) == TYPE_WRITABLE))
        panic("frame %lx of d%u: F3 broken, word %lx", frame_to_mfn(f), frame_owner(f)->id,
              f->word);
    if (f->linear != t->entries * LINEAR_ENTRY + t->uses * LINEAR_USE ||
        (t->entries != 0 && t->uses != 0))
        panic("frame %lx of d%u: F10 broken, word %lx, %u linear entries and %u uses found",
              frame_to_mfn(f), frame_owner(f)->id, f->word, t->entries, t->uses);
}

_Static_assert(sizeof(struct tally) == AUDIT_BYTES_PER_FRAME, "what the caller gives");

/* F9 */
static void check_ring(const struct domain *d)
{
    uint32_t mfn = d->frames;

    for (uint64_t left = d->nr_frames; left != 0; left--) {
        const struct frame *f = mfn_to_frame(mfn);

        if (f->owner != d->mfn || !(f->word & FRAME_COUNTED) || mfn_to_frame(f->next)->prev != mfn)
            panic("d%u: F9 broken at frame %x", d->id, mfn);
        mfn = f->next;
    }
    BUG_ON(mfn != d->frames || (d->nr_frames == 0 && mfn != 0));
}

void frame_audit_in(void *zeroed)
{
    struct tally *t = zeroed;
    struct domain *d;
    struct vcpu *v;
    unsigned i;

    for (mfn_t mfn = 0; mfn < max_mfn; mfn++) {
        const struct frame *f = mfn_to_frame(mfn);
        uint64_t type = frame_type(f);

        if (f->owner == 0)
            continue;
        want(t, mfn, (f->word & FRAME_ALLOCATED) != 0, 0);
        if (f->word & TYPE_PINNED)
            want(t, mfn, 1, 1);
        if (!(f->word & FRAME_COUNTED))
            want(t, mfn, 1, 1);         /* a shared page of the hypervisor */
        if (type >= TYPE_L1 && type <= TYPE_L4 && (f->word & TYPE_VALIDATED))
            tally_table(t, f);
    }
    for_each_domain(d) {
        check_ring(d);
        if (d->console_ring != NULL)
            want(t, d->console_mfn, 1, 1);
        if (d->evtchn != NULL && d->evtchn->fifo != NULL)
            tally_fifo(t, d->evtchn->fifo);
        for_each_vcpu(d, v, i)
            tally_vcpu(t, v);
    }
    grant_for_each_device_map(tally_device_map, t);
    for (mfn_t mfn = 0; mfn < max_mfn; mfn++)
        if (mfn_to_frame(mfn)->owner != 0)
            check_frame(&t[mfn], mfn_to_frame(mfn));
}

void frame_audit(void)
{
    unsigned order = 0;
    void *zeroed;

    if (mm_preempted != 0)
        /* Another vCPU was preempted in the middle of an update, so references cannot be counted
         * now. */
        return;
    while ((PAGE_SIZE << order) < max_mfn * AUDIT_BYTES_PER_FRAME)
        order++;
    zeroed = alloc_pages(order);
    if (zeroed == NULL)
        return;     /* no memory for the recount: skip it */
    frame_audit_in(zeroed);
    free_pages(zeroed, order);
}
