/* What a domain gives back when it ends, of frames and of what vCPUs hold on them. The order of
 * all that is given back is xen/hooks.c's. */
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/lock.h"
#include "xen/pv/desc.h"
#include "xen/pv/mmuext.h"
#include "xen/pv/pagetype.h"
#include "xen/pv/relinquish.h"
#include "xen/pv/vcpu_op.h"

#define WORK_PER_VCPU 5000u             /* to take back what one holds, but for its page tables */
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

/* The pin goes, and the owner's own reference, which, if there is one, keeps the frame until
 * then. */
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

/* Once around the ring: what was seen is behind d->frames, wherever that is. A frame that a
 * table elsewhere, or another domain, still maps stays in the ring until that ends; frames that
 * leave meanwhile only make the round longer than need be, and a frame that is seen twice has
 * nothing more to give. Each table is taken down once, when the last of its references goes, in
 * whichever order they are met. */
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
