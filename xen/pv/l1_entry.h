/* Entries of L1 tables: l1_entry.c. */
#ifndef XEN_L1_ENTRY_H
#define XEN_L1_ENTRY_H

#include "xen/core/frame.h"
#include "xen/core/walk.h"

/* A plain store; or one that keeps the accessed and dirty bits that the CPU sets, on any of the
 * guest's vCPUs; or one that is made only if the entry is still the old one. */
enum store { STORE, STORE_KEEPING_AD, STORE_IF_SAME };

/* False: not stored, because the entry is not `old` any more. All but accessed and dirty bits
 * change under mm_lock only. */
static inline bool store_entry(uint64_t *slot, uint64_t old, uint64_t entry, enum store how)
{
    uint64_t found;

    if (how == STORE) {
        WRITE_ONCE(*slot, entry);
        return true;
    }
    if (how == STORE_IF_SAME)
        return arch_cmpxchg64(slot, old, entry) == old;
    while ((found = arch_cmpxchg64(slot, old, entry | (old & (PTE_A | PTE_D)))) != old)
        old = found;
    return true;
}

static inline enum store plain_store(bool preserve_ad)
{
    _Static_assert(STORE == false && STORE_KEEPING_AD == true, "no instruction is needed");
    return (enum store)preserve_ad;
}

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
