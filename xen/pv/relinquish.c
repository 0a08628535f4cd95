/* Releases the frames of a domain that ends, and the references that its vCPUs hold on frames.
 * xen/hooks.c has the order in which all parts of a domain are released. Called by domain_reap
 * (core/domain.c) by way of these hooks. */
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/lock.h"
#include "xen/pv/desc.h"
#include "xen/pv/mmuext.h"
#include "xen/pv/pagetype.h"
#include "xen/pv/relinquish.h"
#include "xen/pv/vcpu_op.h"

#define WORK_PER_VCPU 5000u /* to release what one vCPU holds, without its page tables */
#define WORK_PER_FRAME 250u             /* to release one */

void domain_release_vcpus(struct domain *d)
{
    struct vcpu *v;
    unsigned i;

    spin_lock(&d->mm_lock);
    for_each_vcpu(d, v, i) {
        drop_ldt(v);
        destroy_gdt(v);
        drop_roots(v);
        vcpu_release_info(v);
        mm_preempt_after(d, WORK_PER_VCPU);
    }
    spin_unlock(&d->mm_lock);
}

/* Drops the pin, and the owner's own reference if the frame still has it. */
static void release_frame(struct frame *f)
{
    bool allocated = READ_ONCE(f->word) & FRAME_ALLOCATED;

    if (READ_ONCE(f->word) & TYPE_PINNED) {
        locked_and(&f->word, ~TYPE_PINNED);
        put_page_and_type(f);
    }
    if (allocated)
        release_domain_frame(f);
}

/* Goes once around the ring of d's frames, moving d->frames forward past those done. A frame
 * that a page table or another domain still maps stays in the ring until that mapping ends.
 * Frames that leave the ring meanwhile only make some frames be visited twice, which is
 * harmless. Each table is dropped once, with its last reference, whatever the order. */
void domain_release_frames(struct domain *d)
{
    spin_lock(&d->mm_lock);
    for (uint64_t left = d->nr_frames; left != 0 && READ_ONCE(d->frames) != 0; left--) {
        struct frame *f = next_of_ring(d, FRAME_ALLOCATED | TYPE_PINNED);

        if (f != NULL)
            release_frame(f);
        mm_preempt_after(d, WORK_PER_FRAME);
    }
    spin_unlock(&d->mm_lock);
}
