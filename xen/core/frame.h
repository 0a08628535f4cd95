/* The frame table: one struct frame for each frame of RAM, with its owner, its general reference
 * count and its type word. The functions here are inline because each page-table update calls them
 * once or twice. Called by all rooms.
 *
 * The type word of a domain's frame changes only under its owner's mm_lock. Writers: pagetype.c and
 * pagetype.h (type, count, VALIDATED, VALIDATING), linear.c (LINEAR_*, with a reference), mmuext.c
 * and boot/build.c (set PINNED), mmuext.c and relinquish.c (clear it). Before a frame has an owner
 * or when it loses it: shared_page.c (writable for good), frame.c (none), alloc.c (bit 56).
 *
 *   count  31:0   general references             type  31:0   type references
 *          61     FRAME_COUNTED                        41:32  LINEAR_ENTRIES
 *          62     FRAME_SCRUB                          55:42  LINEAR_USES
 *          63     FRAME_ALLOCATED                      57     VALIDATING
 *                                                      58     PINNED
 *                                                      59     VALIDATED
 *                                                      63:60  the type: TYPE_*
 *
 * Invariants (frame_audit counts references from scratch and compares):
 *   F1  count > 0 exactly for frames that are not free; a frame with an owner is not free
 *   F2  a type changes only while its type count is 0; types are mutually exclusive
 *   F3  type count > 0 of a page-table or seg-desc type implies VALIDATED or VALIDATING
 *   F4  a writable L1 entry holds one general and one writable-type reference on its target; a
 *       read-only one a general one
 *   F5  an L(n) entry, n > 1, holds one general and one L(n-1) type reference on its target
 *   F6  every type reference is accompanied by a general reference of the same holder
 *   F7  PINNED stands for one type and one general reference
 *   F8  before a frame that was writable becomes a table or a descriptor page, and before any frame
 *       that was mapped gets another owner, the TLBs that may still translate to it have been
 *       flushed (flush_stamp)
 *   F9  the FRAME_COUNTED frames of a domain form a ring through next and prev; d->frames is one of
 *       them, and the ring has d->nr_frames members
 *   F10 an L(n) entry may also be linear (linear.c): without RW, it points to an L(n) table. An
 *       entry that points to its own table holds no reference. One that points to another table
 *       holds one general and one L(n) type reference on it, and is counted in LINEAR_ENTRIES of
 *       its own table and in LINEAR_USES of the other. No frame has both counts above zero, so
 *       there are no chains of such entries
 */
#ifndef XEN_FRAME_H
#define XEN_FRAME_H

#include "arch/arch.h"
#include "xen/core/alloc.h"
#include "xen/core/bug.h"
#include "xen/core/domain.h"
#include "xen/core/sched.h"

/* Bits of `count`. */
#define FRAME_ALLOCATED (1ull << 63)    /* the owner itself holds one of the references counted */
#define FRAME_SCRUB (1ull << 62)        /* first frame of a free block: the block held guest data */
#define FRAME_COUNTED (1ull << 61)      /* the frame is one of its owner's nr_frames */
#define FRAME_COUNT_MASK 0xffffffffull

/* The whole word, of a frame that is not RAM; such a frame has no owner. */
#define FRAME_NO_RAM FRAME_COUNT_MASK

#define TYPE_SHIFT 60
#define TYPE_MASK (15ull << TYPE_SHIFT)
#define TYPE_NONE 0ull
#define TYPE_L1 (1ull << TYPE_SHIFT)
#define TYPE_L2 (2ull << TYPE_SHIFT)
#define TYPE_L3 (3ull << TYPE_SHIFT)
#define TYPE_L4 (4ull << TYPE_SHIFT)
#define TYPE_SEGDESC (5ull << TYPE_SHIFT)
#define TYPE_WRITABLE (7ull << TYPE_SHIFT)
/* Next to the type, so that one comparison tests both; implies count > 0. */
#define TYPE_VALIDATED (1ull << 59)
#define TYPE_PINNED (1ull << 58)
#define TYPE_VALIDATING (1ull << 57)
#define TYPE_COUNT_MASK 0xffffffffull   /* cannot overflow before the general count does: F6 */
/* F10: the unit of LINEAR_ENTRIES, the table's linear entries to other tables: */
#define LINEAR_ENTRY (1ull << 32)
#define LINEAR_ENTRIES (0x3ffull << 32) /* at most 512, and one more while it replaces another */
/* The unit of LINEAR_USES, linear entries of other tables to this one. */
#define LINEAR_USE (1ull << 42)
#define LINEAR_USES (0x3fffull << 42)

struct frame {
    uint64_t count;
    uint64_t type;
    /* Frame number of its struct domain; 0: free, or the hypervisor's own. */
    uint32_t owner;
    /* F8: tlb_clock when a mapping or a use as a table last ended */
    uint32_t flush_stamp;
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

static inline bool is_no_ram(const struct frame *f)
{
    return f->owner == 0 && f->count == FRAME_NO_RAM;
}

static inline mfn_t frame_to_mfn(const struct frame *f)
{
    return (mfn_t)(f - frame_table);
}

/* NULL: free, or the hypervisor's own. */
static inline struct domain *frame_owner(const struct frame *f)
{
    return f->owner != 0 ? mfn_to_virt(f->owner) : NULL;
}

/* A general reference on a frame that d owns; false when it does not, or the frame is free or not
 * RAM. */
static inline bool get_page(struct frame *f, const struct domain *d)
{
    if (unlikely(f->owner != d->mfn || (f->count & FRAME_COUNT_MASK) == FRAME_COUNT_MASK))
        return false;
    f->count++;
    return true;
}

void free_domain_frame(struct frame *f);    /* the last reference was dropped */

static inline void put_page(struct frame *f)
{
    ASSERT(f->count & FRAME_COUNT_MASK);
    if (unlikely((--f->count & FRAME_COUNT_MASK) == 0))
        free_domain_frame(f);
}

/* The frame at mfn with a general reference, or NULL: not RAM, free, or not d's. */
static inline struct frame *get_frame(mfn_t mfn, const struct domain *d)
{
    return mfn < max_mfn && get_page(mfn_to_frame(mfn), d) ? mfn_to_frame(mfn) : NULL;
}

/* The frame is of that type, and its contents are validated. */
static inline bool is_valid_as(const struct frame *f, uint64_t type)
{
    return f->type >> 59 == (type | TYPE_VALIDATED) >> 59;
}

/* F8: makes sure that this CPU's TLB was flushed after tlb_clock stood at stamp. */
static inline void flush_tlb_since(uint32_t stamp)
{
    if ((int32_t)(this_cpu()->flush_stamp - stamp) <= 0)
        arch_flush_tlb();
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
/* Makes d the owner of a frame that was just allocated; no type, no references. */
struct frame *frame_set_owner(mfn_t mfn, struct domain *d);
/* 2^order contiguous new frames of d below 2^address_bits (0: anywhere), counted in d->nr_frames,
 * one general reference (FRAME_ALLOCATED), no type. INVALID_MFN: out of memory, or d is at
 * max_frames. They hold no data of other guests, but need not be zero. */
mfn_t alloc_domain_frames(struct domain *d, unsigned order, unsigned address_bits);
/* Drops the owner's own reference (FRAME_ALLOCATED); the frame is freed when there is no other.
 * False: it was dropped before. */
bool release_domain_frame(struct frame *f);
#endif
