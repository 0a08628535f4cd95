/* Changes one entry of an L1 table. A new entry is validated and its references are taken before it
 * is stored; the references of the old entry are dropped after that. Called by mmu_update.c, ptwr.c
 * and grant_map.c, under mm_lock: nothing here sleeps, so no type reference on the table is
 * needed. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/pci.h"
#include "xen/core/walk.h"
#include "xen/pv/l1_entry.h"
#include "xen/pv/pagetype.h"

/* If none of these bits change, the general reference stays as it is; and the one on the type, if
 * PTE_RW does not change either (XSA-182). */
#define SAME_PAGE (PTE_ADDR_MASK | PTE_P | PTE_PCD)

/* For an entry that no frame of RAM can be behind: it is a device's, and holds no references, or rc
 * says why it was refused. The owner that was named is d or DOMID_IO: both are right here. */
static __attribute__((noinline)) int set_device_entry(uint64_t *slot, uint64_t ol1e, uint64_t nl1e,
                                                      struct domain *d, enum store how, int rc)
{
    nl1e = pci_l1e(d, nl1e);
    if (nl1e == 0)
        return rc;
    if (!store_entry(slot, ol1e, nl1e, how))
        return -EAGAIN;
    put_page_from_l1e(ol1e, d);
    return 0;
}

/* The rare parts of change_l1_page(), each in a function of its own that it calls last: so it saves
 * no registers for them. */
static __attribute__((noinline)) int not_stored(uint64_t nl1e, struct domain *d)
{
    put_page_from_l1e(nl1e, d);
    return -EAGAIN;
}

static __attribute__((noinline)) int drop_old_slow(uint64_t ol1e, struct domain *d)
{
    put_page_from_l1e(ol1e, d);
    return 0;
}

/* The new entry's frame was given away when its references were taken. */
static __attribute__((noinline)) int owner_changed(uint64_t nl1e)
{
    return put_refs_and_return(pte_to_frame(nl1e), refs_of_l1e(nl1e), -EBUSY);
}

static __attribute__((noinline)) int change_l1_slow(uint64_t *slot, uint64_t nl1e,
                                                    struct domain *d, struct domain *owner,
                                                    enum store how, uint64_t ol1e)
{
    int rc = get_page_from_l1e(nl1e, owner);

    if (rc != 0)
        return set_device_entry(slot, ol1e, nl1e, d, how, rc);
    return store_entry(slot, ol1e, nl1e, how) ? drop_old_slow(ol1e, d) : not_stored(nl1e, d);
}

/* put_page_from_l1e(), and 0. */
static inline __attribute__((always_inline)) int drop_old(uint64_t ol1e, struct domain *d)
{
    struct frame *f = pte_to_frame(ol1e);

    if (!is_counted_l1e(ol1e))
        return 0;
    if (unlikely(READ_ONCE(f->owner) != d->mfn) ||
        (!(ol1e & PTE_RW) && unlikely(frame_type(f) == TYPE_SEGDESC)))
        return drop_old_slow(ol1e, d);
    f->stamp = d->epoch;        /* F8: the translation may be cached until the next full flush */
    return put_refs_and_return(f, refs_of_l1e(ol1e), 0);
}

/* The references of a new entry are taken before it is stored, those of the old one are dropped
 * behind that. */
static inline __attribute__((always_inline)) int change_l1_page(uint64_t *slot, uint64_t nl1e,
                                                                struct domain *d,
                                                                struct domain *owner,
                                                                enum store how, uint64_t ol1e)
{
    if (nl1e & PTE_P) {
        struct frame *f = pte_to_frame(nl1e);

        nl1e = l1e_to_store(nl1e);
        if (unlikely(!add_refs_of_l1e(f, nl1e, owner)))
            return change_l1_slow(slot, nl1e, d, owner, how, ol1e);
        if (unlikely(READ_ONCE(f->owner) != owner->mfn))
            return owner_changed(nl1e);
    }
    if (unlikely(!store_entry(slot, ol1e, nl1e, how)))
        return not_stored(nl1e, d);
    return drop_old(ol1e, d);
}

/* An entry for one of d's own frames gets PTE_RW, or loses it: its general reference stays, and the
 * one on the type is taken or dropped. */
static __attribute__((noinline)) int give_l1_rw_slow(uint64_t *slot, uint64_t nl1e, enum store how,
                                                     uint64_t ol1e)
{
    struct frame *f = pte_to_frame(nl1e);

    if (get_page_type(f, TYPE_WRITABLE) != 0)
        return -EBUSY;
    if (store_entry(slot, ol1e, nl1e, how))
        return 0;
    put_page_type(f);
    return -EAGAIN;
}

static inline int give_l1_rw(uint64_t *slot, uint64_t nl1e, enum store how, uint64_t ol1e)
{
    struct frame *f = pte_to_frame(nl1e);
    uint64_t word = READ_ONCE(f->word);

    if (unlikely(!word_valid_as(word, TYPE_WRITABLE)) ||
        unlikely(!try_cmpxchg(&f->word, &word, word + TYPE_REF)))
        return give_l1_rw_slow(slot, nl1e, how, ol1e);
    if (likely(store_entry(slot, ol1e, nl1e, how)))
        return 0;
    put_page_type(f);
    return -EAGAIN;
}

static inline int take_l1_rw(uint64_t *slot, uint64_t nl1e, struct domain *d, enum store how,
                             uint64_t ol1e)
{
    struct frame *f = pte_to_frame(nl1e);

    if (unlikely(!store_entry(slot, ol1e, nl1e, how)))
        return -EAGAIN;
    f->stamp = d->epoch;        /* F8: the entry may be cached with PTE_RW */
    locked_add(&f->word, -TYPE_REF);
    return 0;
}

static __attribute__((noinline)) int change_foreign_l1(uint64_t *slot, uint64_t nl1e,
                                                       struct domain *d, struct domain *owner,
                                                       enum store how, uint64_t ol1e)
{
    return change_l1_page(slot, nl1e, d, owner, how, ol1e);
}

/* Both entries are present, and for the same page. */
static inline __attribute__((always_inline)) int change_l1_flags(uint64_t *slot, uint64_t nl1e,
                                                                 struct domain *d,
                                                                 struct domain *owner,
                                                                 enum store how, uint64_t ol1e)
{
    nl1e = l1e_to_store(nl1e);
    if (unlikely(!l1e_flags_ok(nl1e)))
        return set_device_entry(slot, ol1e, nl1e, d, how, -EINVAL);
    if (!((ol1e ^ nl1e) & PTE_RW))
        return store_entry(slot, ol1e, nl1e, how) ? 0 : -EAGAIN;
    if (unlikely(owner != d || READ_ONCE(pte_to_frame(nl1e)->owner) != d->mfn))
        return change_foreign_l1(slot, nl1e, d, owner, how, ol1e);
    return nl1e & PTE_RW ? give_l1_rw(slot, nl1e, how, ol1e)
                         : take_l1_rw(slot, nl1e, d, how, ol1e);
}

/* Separate, so that it saves no registers for what change_l1_page() does. */
static __attribute__((noinline)) int mod_l1_flags(uint64_t *slot, uint64_t nl1e, struct domain *d,
                                                  struct domain *owner, bool preserve_ad,
                                                  uint64_t ol1e)
{
    return change_l1_flags(slot, nl1e, d, owner, plain_store(preserve_ad), ol1e);
}

int mod_l1_entry(uint64_t *slot, uint64_t nl1e, struct domain *d, struct domain *owner,
                 bool preserve_ad)
{
    uint64_t ol1e = READ_ONCE(*slot);

    if ((nl1e & PTE_P) && ((ol1e ^ nl1e) & SAME_PAGE) == 0)
        return mod_l1_flags(slot, nl1e, d, owner, preserve_ad, ol1e);
    return change_l1_page(slot, nl1e, d, owner, plain_store(preserve_ad), ol1e);
}

/* The same. */
static __attribute__((noinline)) int replace_l1_page(uint64_t *slot, uint64_t nl1e,
                                                     struct domain *d, uint64_t old)
{
    return change_l1_page(slot, nl1e, d, d, STORE_IF_SAME, old);
}

int replace_l1_entry(uint64_t *slot, uint64_t nl1e, struct domain *d, uint64_t old)
{
    if ((nl1e & PTE_P) && ((old ^ nl1e) & SAME_PAGE) == 0)
        return change_l1_flags(slot, nl1e, d, d, STORE_IF_SAME, old);
    return replace_l1_page(slot, nl1e, d, old);
}

void install_l1e(struct domain *d, uint64_t *slot, uint64_t nl1e)
{
    uint64_t ol1e = READ_ONCE(*slot);

    WRITE_ONCE(*slot, nl1e);
    put_page_from_l1e(ol1e, d);
}
