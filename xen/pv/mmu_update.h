/* Single page-table entries: mmu_update.c. */
#ifndef XEN_MMU_UPDATE_H
#define XEN_MMU_UPDATE_H

#include "xen/core/frame.h"

/* Checks that a hypercall's bitmap of vCPUs can be read: 0 or -EFAULT. */
int check_vcpu_set(uint64_t bitmap);

/* Replaces an L1 entry of one of d's tables; checked and referenced for owner's frames. The
 * caller holds mm_lock. preserve_ad keeps the accessed and dirty bits that the CPU set
 * meanwhile. 0 or errno; nothing changes on error. */
int mod_l1_entry(uint64_t *slot, uint64_t nl1e, struct domain *d, struct domain *owner,
                 bool preserve_ad);

/* The same for d's own frames, if the slot still has the entry old. -EAGAIN: the CPU has set an
 * accessed or dirty bit in it meanwhile. */
int replace_l1_entry(uint64_t *slot, uint64_t nl1e, struct domain *d, uint64_t old);

/* Stores an L1 entry whose references the CALLER has already taken (grant mappings) and drops
 * what the old entry held. The slot's table is an L1 of d; the caller holds d's mm_lock.
 * Flushing the TLB is the caller's. */
void install_l1e(struct domain *d, uint64_t *slot, uint64_t nl1e);
/* The L1 slot at a machine address (GNTMAP_contains_pte); NULL: not in a live L1 table of d.
 * mm_lock held. */
static inline uint64_t *l1_slot_at(uint64_t maddr, const struct domain *d)
{
    const struct frame *f = mfn_to_frame(maddr >> PAGE_SHIFT);

    if (unlikely(maddr >> PAGE_SHIFT >= max_mfn || (maddr & 7) ||
                 READ_ONCE(f->owner) != d->mfn || !is_valid_as(f, TYPE_L1)))
        return NULL;
    return maddr_to_virt(maddr);
}

#endif
