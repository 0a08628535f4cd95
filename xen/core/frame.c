/* Frames that belong to domains: allocation, the ring of a domain's frames, and freeing after the
 * last reference. Types are pv/pagetype.c's, free lists alloc.c's. Called by the builder, by
 * memory_op, grants and page types, and at the end of a domain. */
#include "common/string.h"
#include "xen/core/alloc.h"
#include "xen/core/bug.h"
#include "xen/core/domain.h"
#include "xen/core/flush.h"
#include "xen/core/frame.h"
#include "xen/core/lock.h"
#include "xen/core/sched.h"
#include "xen/core/sched_wake.h"

unsigned mm_preempted;

bool mm_preempt_point(struct domain *d)
{
    ASSERT(is_locked(&d->mm_lock) && locks_held() <= 1);
    spin_unlock(&d->mm_lock);
    locked_add(&mm_preempted, 1u);
    preempt_point();
    locked_add(&mm_preempted, -1u);
    spin_lock(&d->mm_lock);
    return d->state == DOM_RUNNING;
}

struct frame *frame_set_owner(mfn_t mfn, struct domain *d)
{
    struct frame *f = mfn_to_frame(mfn);

    WRITE_ONCE(f->owner, d->mfn);
    f->linear = 0;
    f->stamp = 0;
    return f;
}

/* F9: inserts the frames first..last, which are linked already, at the end of the ring: before the
 * one in d->frames. The ring has a lock of its own, because a frame is freed by the CPU that drops
 * its last reference, which may be one that runs another domain and does not hold d->mm_lock. */
static void ring_add(struct domain *d, uint32_t first, uint32_t last)
{
    uint32_t head, tail;

    spin_lock(&d->ring_lock);
    head = d->frames != 0 ? d->frames : first;
    tail = d->frames != 0 ? mfn_to_frame(head)->prev : last;
    mfn_to_frame(first)->prev = tail;
    mfn_to_frame(last)->next = head;
    mfn_to_frame(tail)->next = first;
    mfn_to_frame(head)->prev = last;
    d->frames = head;
    WRITE_ONCE(d->nr_frames, d->nr_frames + (last - first + 1));
    spin_unlock(&d->ring_lock);
}

static void ring_remove(struct domain *d, struct frame *f)
{
    uint32_t mfn = (uint32_t)frame_to_mfn(f);

    spin_lock(&d->ring_lock);
    if (d->frames == mfn)
        d->frames = f->next != mfn ? f->next : 0;
    mfn_to_frame(f->prev)->next = f->next;
    mfn_to_frame(f->next)->prev = f->prev;
    WRITE_ONCE(d->nr_frames, d->nr_frames - 1);
    spin_unlock(&d->ring_lock);
}

struct frame *next_of_ring(struct domain *d, uint64_t held)
{
    struct frame *f = NULL;

    spin_lock(&d->ring_lock);
    if (d->frames != 0) {
        f = mfn_to_frame(d->frames);
        d->frames = f->next;
        if (!(READ_ONCE(f->word) & held))
            f = NULL;
    }
    spin_unlock(&d->ring_lock);
    return f;
}

mfn_t alloc_domain_frames(struct domain *d, unsigned order, unsigned address_bits)
{
    mfn_t mfn;

    if (READ_ONCE(d->nr_frames) + (1ull << order) > d->max_frames || d->state >= DOM_DYING)
        return INVALID_MFN;
    mfn = alloc_frames_below(order, address_bits);
    if (mfn == INVALID_MFN)
        return INVALID_MFN;
    for (mfn_t i = 0; i < 1ull << order; i++) {
        struct frame *f = frame_set_owner(mfn + i, d);

        f->next = (uint32_t)(mfn + i + 1);
        f->prev = (uint32_t)(mfn + i - 1);
        store_release(&f->word, FRAME_ALLOCATED | FRAME_COUNTED | 1);
    }
    ring_add(d, (uint32_t)mfn, (uint32_t)(mfn + (1ull << order) - 1));
    return mfn;
}

void free_domain_frame(struct frame *f)
{
    struct domain *d = frame_owner(f);

    BUG_ON((f->word & (TYPE_COUNT_MASK | TYPE_PINNED)) || f->linear != 0);
    /* Before, no CPU has run it, and it may lack vCPUs; after, none runs it any more. */
    if (d->state > DOM_BUILDING && d->state < DOM_DYING) {
        /* d puts references on its frames under mm_lock; a page that the hypervisor shares with it
         * (shared_page.c) is freed under other locks. */
        if (current->domain == d && (f->word & FRAME_COUNTED))
            flush_since(d, f->stamp);
        else
            flush_foreign(d, f->stamp);
    }
    if (f->word & FRAME_COUNTED)
        ring_remove(d, f);
    else
        locked_add(&d->nr_hv_frames, -1ull);
    /* Its last frame, which another domain had mapped: d can be freed. domain_reap() waits for a
     * grace period first, so d exists until this CPU is done here. */
    if (unlikely(READ_ONCE(d->state) == DOM_DYING && READ_ONCE(d->nr_frames) == 0))
        sched_wake_idle();
    m2p_table[frame_to_mfn(f)] = INVALID_M2P_ENTRY;
    WRITE_ONCE(f->owner, 0);
    WRITE_ONCE(f->word, 0);
    free_frames(frame_to_mfn(f), 0, true);
}

int free_frame_and_return(struct frame *f, int rc)
{
    free_domain_frame(f);
    return rc;
}

bool release_domain_frame(struct frame *f)
{
    if (!(READ_ONCE(f->word) & FRAME_ALLOCATED))
        return false;
    put_refs(f, FRAME_ALLOCATED + 1);
    return true;
}
