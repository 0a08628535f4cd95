/* The frame table: one struct frame for each frame of RAM, with its owner, its references and its
 * type. The functions here are inline because each page-table update calls them once or twice.
 * Called by all rooms.
 *
 * Type and counts are one word, which is changed by locked instructions only:
 *
 *   63:60  the type: TYPE_*                        54     head of a free block (alloc.c)
 *   59     VALIDATED                               53     guard of the type references
 *   58     VALIDATING                              52:27  type references
 *   57     PINNED                                  26     guard of the general references
 *   56     FRAME_ALLOCATED                         25:0   general references
 *   55     FRAME_COUNTED; of a free block: SCRUB
 *
 * Any CPU may get and put references, and the one that puts the last frees the frame. get_page
 * finds a count that is not 0, adds one by compare and exchange, and only then compares the owner,
 * which cannot change while it holds the reference.
 * What else is in the word of a domain's frame changes only under its owner's mm_lock: pagetype.c
 * and pagetype.h (the type, VALIDATED, VALIDATING), mmuext.c and boot/build.c (set PINNED),
 * mmuext.c and relinquish.c (clear it). Under that lock, too: `linear` (linear.c), and a type
 * reference on a table or descriptor page; those on TYPE_WRITABLE may be put without it. Before a
 * frame has an owner or when it loses it: shared_page.c (writable for good), frame.c (none),
 * alloc.c (bit 54).
 *
 * Invariants (frame_audit counts references from scratch and compares):
 *   F1  count > 0 exactly for frames that are not free; a frame with an owner is not free
 *   F2  a type changes only while its type count is 0; types are mutually exclusive
 *   F3  type count > 0 of a page-table or seg-desc type implies VALIDATED or VALIDATING; VALIDATED
 *       implies type count > 0, or TYPE_WRITABLE, which it always goes with
 *   F4  a writable L1 entry holds one general and one writable-type reference on its target; a
 *       read-only one a general one
 *   F5  an L(n) entry, n > 1, holds one general and one L(n-1) type reference on its target
 *   F6  every type reference is accompanied by a general reference of the same holder
 *   F7  PINNED stands for one type and one general reference
 *   F8  before a frame that was writable becomes a table or a descriptor page, and before any frame
 *       that was mapped is free, the TLBs that may still translate to it have been flushed: those
 *       of CPUs that run the owner and have not flushed since the frame's stamp (flush.h)
 *   F9  the FRAME_COUNTED frames of a domain form a ring through next and prev; d->frames is one of
 *       them, and the ring has d->nr_frames members. It changes under d->ring_lock
 *   F10 an L(n) entry may also be linear (linear.c): without RW, it points to an L(n) table. An
 *       entry that points to its own table holds no reference. One that points to another table
 *       holds one general and one L(n) type reference on it, and is counted in LINEAR_ENTRIES of
 *       its own table and in LINEAR_USES of the other. No frame has both counts above zero, so
 *       there are no chains of such entries
 *   F11 an entry that maps another domain's frame is taken out, then the CPUs that run the mapper
 *       are flushed, and only then the entry's references are dropped; so F8 need not ask for the
 *       CPUs of others than the owner
 *   F12 a present L1 entry of a validated table has US, as the guest's kernel runs in ring 3, and
 *       either G or PTE_GUEST_KERNEL: G where the guest wrote US, for then its user mode may use
 *       the page with either root, and the translation may stay when only the mode changes. The
 *       other bit remembers that the guest wrote no US, also when it reads the entry and writes it
 *       back, or pins the table again. No other entry has G
 */
#ifndef XEN_FRAME_H
#define XEN_FRAME_H

#include "arch/arch.h"
#include "common/atomic.h"
#include "xen/core/alloc.h"
#include "xen/core/bug.h"
#include "xen/core/domain.h"
#include "xen/core/sched.h"
#include "xen/core/walk.h"

#define FRAME_COUNT_GUARD (1ull << 26)
#define FRAME_COUNT_MASK 0x7ffffffull
#define FRAME_ALLOCATED (1ull << 56)    /* the owner itself holds one of the references counted */
#define FRAME_COUNTED (1ull << 55)      /* the frame is one of its owner's nr_frames */
#define FRAME_SCRUB (1ull << 55)        /* first frame of a free block: the block held guest data */

/* The whole word, of a frame that is not RAM, and of one that the hypervisor uses for itself: they
 * have no owner, and a count that get_page refuses. */
#define FRAME_NO_RAM FRAME_COUNT_MASK
#define FRAME_HYPERVISOR (FRAME_COUNT_GUARD + 1)

#define TYPE_SHIFT 60
#define TYPE_MASK (15ull << TYPE_SHIFT)
#define TYPE_NONE 0ull
#define TYPE_L1 (1ull << TYPE_SHIFT)
#define TYPE_L2 (2ull << TYPE_SHIFT)
#define TYPE_L3 (3ull << TYPE_SHIFT)
#define TYPE_L4 (4ull << TYPE_SHIFT)
#define TYPE_SEGDESC (5ull << TYPE_SHIFT)
#define TYPE_WRITABLE (7ull << TYPE_SHIFT)
/* Next to the type, so that one comparison tests both. */
#define TYPE_VALIDATED (1ull << 59)
#define TYPE_VALIDATING (1ull << 58)
#define TYPE_PINNED (1ull << 57)
#define TYPE_REF (1ull << 27)           /* the unit of the type references */
#define TYPE_COUNT_MASK (FRAME_COUNT_MASK << 27) /* the guard of the others keeps it small: F6 */
/* F10: bits of `linear`. The unit of LINEAR_ENTRIES, the table's linear entries to other tables: */
#define LINEAR_ENTRY 1u
#define LINEAR_ENTRIES 0x3ffu           /* at most 512, and one more while it replaces another */
/* The unit of LINEAR_USES, linear entries of other tables to this one. */
#define LINEAR_USE (1u << 10)
#define LINEAR_USES (0x3fffu << 10)

struct frame {
    uint64_t word;
    /* F8: the owner's epoch when a mapping or a use as a table last ended */
    uint64_t stamp;
    /* Frame number of its struct domain; 0: free, or the hypervisor's own. */
    uint32_t owner;
    uint32_t linear;
    /* Frame numbers: in a free list of alloc.c, or in the owner's ring (F9). */
    uint32_t next, prev;
};
_Static_assert(sizeof(struct frame) == 32, "there is one for each page of RAM");

/* The table has an entry for it. Frames that are not RAM have entries too, but no owner, so
 * get_page fails on them. */
static inline bool mfn_valid(mfn_t mfn)
{
    return mfn < max_mfn;
}

static inline struct frame *mfn_to_frame(mfn_t mfn)
{
    return &frame_table[mfn];
}

/* The frame that a page-table entry names (PTE_ADDR_MASK of walk.h). It may be beyond the table. */
static inline struct frame *pte_to_frame(uint64_t pte)
{
    _Static_assert(sizeof(struct frame) == PAGE_SIZE >> 7, "one shift");
    return (struct frame *)((char *)frame_table + ((pte & PTE_ADDR_MASK) >> 7));
}

static inline bool is_no_ram(const struct frame *f)
{
    return READ_ONCE(f->owner) == 0 && READ_ONCE(f->word) == FRAME_NO_RAM;
}

static inline mfn_t frame_to_mfn(const struct frame *f)
{
    return (mfn_t)(f - frame_table);
}

/* NULL: free, or the hypervisor's own. */
static inline struct domain *frame_owner(const struct frame *f)
{
    uint32_t owner = READ_ONCE(f->owner);

    return owner != 0 ? mfn_to_virt(owner) : NULL;
}

static inline uint64_t nr_refs(uint64_t word)
{
    return word & FRAME_COUNT_MASK;
}

static inline uint64_t nr_type_refs(uint64_t word)
{
    return (word & TYPE_COUNT_MASK) / TYPE_REF;
}

/* A reference may be added to a frame with this word: it is not free, nor about to be, and there
 * are not too many. Minus 1, both no references and too many have the guard's bit. */
static inline bool may_get(uint64_t word)
{
    return likely(!((word - 1) & FRAME_COUNT_GUARD));
}

void free_domain_frame(struct frame *f);    /* the last reference was dropped */

/* Drops one general reference, and with it what else is in refs. */
static inline void put_refs(struct frame *f, uint64_t refs)
{
    uint64_t before = xadd(&f->word, -refs);

    ASSERT(nr_refs(before) != 0);
    if (unlikely(nr_refs(before) == 1))
        free_domain_frame(f);
}

/* The same, and rc: as the last thing that a function does, so that it saves no registers for what
 * may have to be called. */
int free_frame_and_return(struct frame *f, int rc);
static inline int put_refs_and_return(struct frame *f, uint64_t refs, int rc)
{
    uint64_t word = xadd(&f->word, -refs);

    ASSERT(nr_refs(word) != 0);
    return likely(nr_refs(word) != 1) ? rc : free_frame_and_return(f, rc);
}

static inline void put_page(struct frame *f)
{
    put_refs(f, 1);
}

/* Adds references to a frame of d whose word was just read. False: nothing is added, because it
 * changed meanwhile, or there are too many, or it is not d's any more. */
static inline bool try_get_refs(struct frame *f, const struct domain *d, uint64_t word,
                                uint64_t refs)
{
    if (unlikely(!may_get(word)) || unlikely(!try_cmpxchg(&f->word, &word, word + refs)))
        return false;
    if (likely(READ_ONCE(f->owner) == d->mfn))
        return true;
    put_refs(f, refs);
    return false;
}

/* A general reference on a frame that d owns; false when it does not, or the frame is free or not
 * RAM, or has too many. The owner is compared first, too, so that nobody can add to the counts of
 * another domain's frames, if only for a moment. */
static inline bool get_page(struct frame *f, const struct domain *d)
{
    uint64_t word;

    do {
        if (unlikely(READ_ONCE(f->owner) != d->mfn))
            return false;
        word = READ_ONCE(f->word);
        if (unlikely(!may_get(word)))
            return false;
    } while (unlikely(!try_get_refs(f, d, word, 1)));
    return true;
}

/* The frame at mfn with a general reference, or NULL: not RAM, free, or not d's. */
static inline struct frame *get_frame(mfn_t mfn, const struct domain *d)
{
    return mfn < max_mfn && get_page(mfn_to_frame(mfn), d) ? mfn_to_frame(mfn) : NULL;
}

/* The frame with this word is of that type, and its contents are validated. */
static inline bool word_valid_as(uint64_t word, uint64_t type)
{
    return word >> 59 == (type | TYPE_VALIDATED) >> 59;
}

static inline bool is_valid_as(const struct frame *f, uint64_t type)
{
    return word_valid_as(READ_ONCE(f->word), type);
}

static inline uint64_t frame_type(const struct frame *f)
{
    return READ_ONCE(f->word) & TYPE_MASK;
}

/* Drops d->mm_lock, calls preempt_point(), takes the lock again. False: the domain is ending, begin
 * nothing new. */
bool mm_preempt_point(struct domain *d);
/* Counts units of work; calls mm_preempt_point() when the budget is used up (work_done()). Same
 * result. */
static inline bool mm_preempt_after(struct domain *d, unsigned units)
{
    return work_done(units) ? mm_preempt_point(d) : d->state == DOM_RUNNING;
}
/* vCPUs in mm_preempt_point(): they hold references that no table shows */
extern unsigned mm_preempted;
/* Makes d the owner of a frame that was just allocated; its word is still 0, so that nobody can get
 * it. The caller stores the word last. */
struct frame *frame_set_owner(mfn_t mfn, struct domain *d);
/* 2^order contiguous new frames of d below 2^address_bits (0: anywhere), counted in d->nr_frames,
 * one general reference (FRAME_ALLOCATED), no type. INVALID_MFN: out of memory, or d is at
 * max_frames. They hold no data of other guests, but need not be zero. */
mfn_t alloc_domain_frames(struct domain *d, unsigned order, unsigned address_bits);
/* The end of a domain goes through its ring: returns the frame in d->frames, which then names the
 * next one. NULL: the frame's word has none of the bits `held`, each of which stands for a
 * reference that is dropped only under d->mm_lock; so the frame may be freed at any time. */
struct frame *next_of_ring(struct domain *d, uint64_t held);
/* Drops the owner's own reference (FRAME_ALLOCATED); the frame is freed when there is no other.
 * False: it was dropped before. The owner's mm_lock is held. */
bool release_domain_frame(struct frame *f);
#endif
