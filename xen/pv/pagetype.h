/* What a frame may be used as: type references, and the references that page-table entries hold.
 * The rules are F2 to F8 and F10 of frame.h. */
#ifndef XEN_PAGETYPE_H
#define XEN_PAGETYPE_H

#include "xen/core/alloc.h"
#include "xen/core/bug.h"
#include "xen/core/domain.h"
#include "xen/core/flush.h"
#include "xen/core/frame.h"
#include "xen/core/walk.h"

/* The slow paths of the inline functions below. */
int get_page_type_slow(struct frame *f, uint64_t type);
int get_page_and_type_slow(struct frame *f, const struct domain *d, uint64_t type);
void put_page_type_last(struct frame *f);

/* A type reference: the frame becomes, or already is, of that type and stays so until
 * put_page_type. Validates the contents when the type is new. The caller holds a general
 * reference and the owner's mm_lock.
 *
 * May drop mm_lock meanwhile and sleep, when the type is that of a table (L1 to L4): to let
 * others run between two entries, or to wait for a vCPU that validates the same table. So a
 * caller that asks for a table's type obeys these rules:
 *   - mm_lock of the owner is the only lock that it holds (two domains' locks, as grants take
 *     them, only for TYPE_WRITABLE, which never waits);
 *   - it holds a general reference on the frame, and a type reference on each table that it goes
 *     on to change;
 *   - what it read of tables, types and roots before is to be read again.
 * Dropping the last type reference of a table (put_page_type) may do the same. Checked by
 * mm_preempt_point().
 *
 * -EINVAL: contents not acceptable as that type, or the frame is in use as another; -EBUSY: too
 * many references. */
static inline int get_page_type(struct frame *f, uint64_t type)
{
    uint64_t word = READ_ONCE(f->word);

    if (likely(word_valid_as(word, type)) &&
        likely(try_cmpxchg(&f->word, &word, word + TYPE_REF)))
        return 0;
    return get_page_type_slow(f, type);
}

/* The owner's mm_lock is held, except for TYPE_WRITABLE. That type needs no care for its last
 * reference: it stays valid, and stamps are set by those who had the frame mapped. */
static inline void put_page_type(struct frame *f)
{
    uint64_t word = READ_ONCE(f->word);

    ASSERT(nr_type_refs(word) != 0);
    if (likely(nr_type_refs(word) != 1 || (word & TYPE_MASK) == TYPE_WRITABLE))
        locked_add(&f->word, -TYPE_REF);
    else
        put_page_type_last(f);
}

/* With a general reference, in one step where the frame is of that type. *out: the frame. */
static inline int get_page_and_type(mfn_t mfn, const struct domain *d, uint64_t type,
                                    struct frame **out)
{
    struct frame *f;
    uint64_t word;

    if (unlikely(mfn >= max_mfn))
        return -EINVAL;
    f = *out = mfn_to_frame(mfn);
    if (unlikely(READ_ONCE(f->owner) != d->mfn))
        return -EINVAL;
    word = READ_ONCE(f->word);
    if (likely(word_valid_as(word, type)) && likely(try_get_refs(f, d, word, TYPE_REF + 1)))
        return 0;
    return get_page_and_type_slow(f, d, type);
}

static inline void put_page_and_type(struct frame *f)
{
    uint64_t word = READ_ONCE(f->word);

    ASSERT(nr_type_refs(word) != 0);
    if (likely(nr_type_refs(word) != 1 || (word & TYPE_MASK) == TYPE_WRITABLE)) {
        put_refs(f, TYPE_REF + 1);
        return;
    }
    put_page_type_last(f);
    put_page(f);
}

/* Bits that no present entry of a guest may have, from the CPU's features; called once before
 * any guest. */
void pagetype_init(void);
/* F5, F10: references of an entry of a table (L2..L4) on its child. The table is being
 * validated, or the caller holds a reference on its type. */
int get_page_from_table_entry(uint64_t entry, struct frame *table);
void put_page_from_table_entry(uint64_t entry, struct frame *table);

/* F12: what is stored for a present L1 entry of a guest. Its own G does not count. */
static inline uint64_t l1e_to_store(uint64_t l1e)
{
    if (likely(l1e & PTE_US) && likely(!(l1e & PTE_GUEST_KERNEL)))
        return l1e | PTE_G;
    return (l1e & ~PTE_G) | PTE_US | PTE_GUEST_KERNEL;
}

extern uint64_t l1_refused;
static inline bool l1e_flags_ok(uint64_t l1e)
{
    return (l1e & l1_refused) == 0;
}

/* The references that a present L1 entry holds on its frame (F4). */
static inline uint64_t refs_of_l1e(uint64_t l1e)
{
    return l1e & PTE_RW ? TYPE_REF + 1 : 1;
}

/* Takes them on f, its frame, where nothing stands against it. The caller compares the owner again.
 * False: nothing has changed, and get_l1e_slow() finds out what to do. */
static inline bool add_refs_of_l1e(struct frame *f, uint64_t l1e, const struct domain *owner)
{
    uint64_t word;

    if (unlikely(!l1e_flags_ok(l1e)) || unlikely(f >= frame_table_end) ||
        unlikely(READ_ONCE(f->owner) != owner->mfn))
        return false;
    word = READ_ONCE(f->word);
    if ((l1e & PTE_RW) && unlikely(!word_valid_as(word, TYPE_WRITABLE)))
        return false;
    return likely(may_get(word)) && likely(try_cmpxchg(&f->word, &word, word + refs_of_l1e(l1e)));
}

/* Takes the references that an L1 entry needs. Its frame belongs to owner: the table's domain
 * itself, or a foreign one that the caller was allowed to name. -EINVAL: bits that no guest may
 * set, or no address; -EPERM: no RAM; -EBUSY: another domain's frame, or one in use as a table.
 * Nothing changes on error. Inline, because a page table has 512 of them. */
int get_l1e_slow(uint64_t l1e, struct domain *owner);
static inline int get_page_from_l1e(uint64_t l1e, struct domain *owner)
{
    struct frame *f = pte_to_frame(l1e);

    if (unlikely(!add_refs_of_l1e(f, l1e, owner)))
        return get_l1e_slow(l1e, owner);
    if (likely(READ_ONCE(f->owner) == owner->mfn))
        return 0;
    put_refs(f, refs_of_l1e(l1e));
    return -EBUSY;
}

void put_segdesc_page(struct frame *f, struct domain *d);

/* It holds references: it is present, and not for a device's registers. */
static inline bool is_counted_l1e(uint64_t l1e)
{
    return (l1e & (PTE_P | PTE_PCD)) == PTE_P;
}

/* Gives back what an L1 entry held that was taken out of a table of d. *flushed: d's CPUs were
 * flushed since then, so F11 is kept; set when it is done here. */
static inline void put_page_from_old_l1e(uint64_t l1e, struct domain *d, bool *flushed)
{
    struct frame *f = pte_to_frame(l1e);

    if (!is_counted_l1e(l1e))
        return;
    if (likely(READ_ONCE(f->owner) == d->mfn)) {
        /* F8: the translation may be cached until the next full flush */
        f->stamp = d->epoch;
    } else if (!*flushed) {
        flush_domain(d);
        *flushed = true;
    }
    if (l1e & PTE_RW) {
        put_refs(f, TYPE_REF + 1);
        return;
    }
    if (unlikely(frame_type(f) == TYPE_SEGDESC))
        put_segdesc_page(f, d);
    put_page(f);
}

static inline void put_page_from_l1e(uint64_t l1e, struct domain *d)
{
    bool flushed = false;

    put_page_from_old_l1e(l1e, d, &flushed);
}

#endif
