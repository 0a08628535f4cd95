/* Owns the life of frames that belong to domains: from allocation to the last reference, and what a dying domain leaves
 * behind. Types are pagetype.c's, free lists alloc.c's. */
#include "common/string.h"
#include "xen/boot/build.h"
#include "xen/core/frame.h"
#include "xen/pv/mm.h"

#define WORK_PER_FRAME 250u             /* to release one */

static struct frame *own_frame(mfn_t mfn, struct domain *d)
{
    struct frame *f = mfn_to_frame(mfn);

    f->type = TYPE_NONE;
    f->owner = d->mfn;
    f->flush_stamp = tlb_clock - 1;
    return f;
}

/* F9: first to last, which are linked with each other, come at the end: before the one that d->frames names. */
static void ring_add(struct domain *d, uint32_t first, uint32_t last)
{
    uint32_t head = d->frames != 0 ? d->frames : first, tail = d->frames != 0 ? mfn_to_frame(head)->prev : last;

    mfn_to_frame(first)->prev = tail;
    mfn_to_frame(last)->next = head;
    mfn_to_frame(tail)->next = first;
    mfn_to_frame(head)->prev = last;
    d->frames = head;
    d->nr_frames += last - first + 1;
}

static void ring_remove(struct domain *d, struct frame *f)
{
    uint32_t mfn = (uint32_t)frame_to_mfn(f);

    if (d->frames == mfn)
        d->frames = f->next != mfn ? f->next : 0;
    mfn_to_frame(f->prev)->next = f->next;
    mfn_to_frame(f->next)->prev = f->prev;
    d->nr_frames--;
}

mfn_t alloc_domain_frames(struct domain *d, unsigned order, unsigned address_bits)
{
    mfn_t mfn;

    if (d->nr_frames + (1ull << order) > d->max_frames || d->state >= DOM_DYING)
        return INVALID_MFN;
    mfn = alloc_frames_below(order, address_bits);
    if (mfn == INVALID_MFN)
        return INVALID_MFN;
    for (mfn_t i = 0; i < 1ull << order; i++) {
        struct frame *f = own_frame(mfn + i, d);

        f->count = FRAME_ALLOCATED | FRAME_COUNTED | 1;
        f->next = (uint32_t)(mfn + i + 1);
        f->prev = (uint32_t)(mfn + i - 1);
    }
    ring_add(d, (uint32_t)mfn, (uint32_t)(mfn + (1ull << order) - 1));
    return mfn;
}

static inline uint64_t unused(uint64_t claim, uint64_t used)
{
    return claim > used ? claim - used : 0;
}

uint64_t claimed_frames(void)
{
    uint64_t claimed = service_claim();
    struct domain *d;

    for_each_domain(d)
        if (d->state < DOM_SHUTDOWN)
            claimed += unused(d->max_frames, d->nr_frames) + unused(DOMAIN_RESERVE, d->nr_hv_frames);
    return claimed;
}

uint64_t unclaimed_frames(void)
{
    return unused(nr_free_frames(), claimed_frames());
}

/* One that is being built takes what was found free for it. */
static bool may_have(const struct domain *d, uint64_t nr)
{
    return d->nr_hv_frames + nr <= DOMAIN_RESERVE || d->state == DOM_BUILDING || unclaimed_frames() >= nr;
}

void *alloc_pages_for(struct domain *d, unsigned order)
{
    void *p = may_have(d, 1ull << order) ? alloc_pages(order) : NULL;

    d->nr_hv_frames += p != NULL ? 1ull << order : 0;
    return p;
}

void free_pages_for(struct domain *d, void *p, unsigned order)
{
    d->nr_hv_frames -= p != NULL ? 1ull << order : 0;
    free_pages(p, order);
}

void *alloc_shared_page(struct domain *d)
{
    mfn_t mfn = may_have(d, 1) ? alloc_frames(0) : INVALID_MFN;
    struct frame *f;

    if (mfn == INVALID_MFN)
        return NULL;
    f = own_frame(mfn, d);
    f->count = 1;                           /* ours; not the guest's to give back */
    f->type = TYPE_WRITABLE | TYPE_VALIDATED | 1;   /* for good: never a table */
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
    struct domain *d = frame_owner(f);

    BUG_ON(f->type & (TYPE_COUNT_MASK | TYPE_PINNED | LINEAR_ENTRIES | LINEAR_USES));
    if (f->count & FRAME_COUNTED)
        ring_remove(d, f);
    else
        d->nr_hv_frames--;
    if (unlikely(d->state == DOM_DYING && d->nr_frames == 0))
        sched_wake_idle();              /* the last one that somebody else had mapped */
    m2p_table[frame_to_mfn(f)] = INVALID_M2P_ENTRY;
    f->owner = 0;
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

/* The pin goes, and the owner's own reference, which, if there is one, keeps the frame until then. */
static void release_frame(struct frame *f)
{
    bool allocated = f->count & FRAME_ALLOCATED;

    if (f->type & TYPE_PINNED) {
        f->type &= ~TYPE_PINNED;
        put_page_and_type(f);
    }
    if (allocated)
        release_domain_frame(f);
}

/* Once around the ring: what was seen is behind d->frames, wherever that is. A frame that a table elsewhere, or another
 * domain, still maps stays in the ring until that ends; frames that leave meanwhile only make the round longer than need
 * be, and a frame that is seen twice has nothing more to give. Each table is taken down once, when the last of its
 * references goes, in whichever order they are met. */
void domain_release_frames(struct domain *d)
{
    spin_lock(&d->mm_lock);
    for (uint64_t left = d->nr_frames; left != 0 && d->frames != 0; left--) {
        struct frame *f = mfn_to_frame(d->frames);

        d->frames = f->next;
        release_frame(f);
        mm_preempt_after(d, WORK_PER_FRAME);
    }
    spin_unlock(&d->mm_lock);
}
