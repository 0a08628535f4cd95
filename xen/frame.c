/* Owns the life of frames that belong to domains: from allocation to the last reference, and what a dying domain leaves
 * behind. Types are pagetype.c's, free lists alloc.c's. */
#include "common/string.h"
#include "xen/frame.h"
#include "xen/mm.h"

static void own_frame(mfn_t mfn, struct domain *d)
{
    struct frame *f = mfn_to_frame(mfn);

    f->count = FRAME_ALLOCATED | FRAME_COUNTED | 1;
    f->type = TYPE_NONE;
    f->owner = d;
    f->flush_stamp = tlb_clock - 1;
}

mfn_t alloc_domain_frames(struct domain *d, unsigned order)
{
    mfn_t mfn;

    if (d->nr_frames + (1ull << order) > d->max_frames || d->state >= DOM_DYING)
        return INVALID_MFN;
    mfn = alloc_frames(order);
    if (mfn == INVALID_MFN)
        return INVALID_MFN;
    for (mfn_t i = 0; i < 1ull << order; i++)
        own_frame(mfn + i, d);
    d->nr_frames += 1ull << order;
    return mfn;
}

void *alloc_shared_page(struct domain *d)
{
    mfn_t mfn = alloc_frames(0);

    if (mfn == INVALID_MFN)
        return NULL;
    own_frame(mfn, d);
    mfn_to_frame(mfn)->count = 1;           /* ours; not the guest's to give back */
    mfn_to_frame(mfn)->type = TYPE_WRITABLE | TYPE_VALIDATED | 1;   /* for good: never a table */
    d->nr_hv_frames++;
    memset(mfn_to_virt(mfn), 0, PAGE_SIZE);
    m2p_table[mfn] = INVALID_M2P_ENTRY;
    return mfn_to_virt(mfn);
}

void free_shared_page(void *page)
{
    struct frame *f;

    if (page == NULL)
        return;
    f = mfn_to_frame(virt_to_mfn(page));
    put_page_and_type(f);
}

void free_domain_frame(struct frame *f)
{
    struct domain *d = f->owner;

    BUG_ON((f->type & TYPE_COUNT_MASK) != 0 || (f->type & TYPE_PINNED));
    if (f->count & FRAME_COUNTED)
        d->nr_frames--;
    else
        d->nr_hv_frames--;
    if (unlikely(d->state == DOM_DYING && d->nr_frames == 0)) {
        boot_cpu.idle_has_work = true;  /* the last one that somebody else had mapped */
        current->work |= WORK_RESCHED;  /* who might never sleep */
    }
    m2p_table[frame_to_mfn(f)] = INVALID_M2P_ENTRY;
    f->owner = NULL;
    f->type = TYPE_NONE;
    f->count = 0;
    free_guest_frame(frame_to_mfn(f));
}

bool release_domain_frame(struct frame *f)
{
    if (!(f->count & FRAME_ALLOCATED))
        return false;
    f->count &= ~FRAME_ALLOCATED;
    put_page(f);
    return true;
}

/* Two passes, because a frame's own reference may be dropped while a table elsewhere still maps it: first all pins go,
 * top level first so that a tree is taken down once and from its root; then each owner's reference. */
void domain_release_frames(struct domain *d)
{
    for (uint64_t type = TYPE_L4; type >= TYPE_L1; type -= TYPE_L1)
        for (mfn_t mfn = 0; mfn < max_mfn; mfn++) {
            struct frame *f = mfn_to_frame(mfn);

            if (f->owner != d || (f->type & (TYPE_MASK | TYPE_PINNED)) != (type | TYPE_PINNED))
                continue;
            f->type &= ~TYPE_PINNED;
            put_page_and_type(f);
        }
    for (mfn_t mfn = 0; mfn < max_mfn; mfn++)
        if (mfn_to_frame(mfn)->owner == d)
            release_domain_frame(mfn_to_frame(mfn));
}
