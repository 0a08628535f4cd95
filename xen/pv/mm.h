/* What other subsystems ask of page-table code: page-table entries of the current address space, roots, pins. */
#ifndef XEN_MM_H
#define XEN_MM_H

#include "xen/core/frame.h"

/* Page-table entry bits, Intel SDM vol. 3, 4.5. What a guest may say of them is decided in pagetype.c. */
#define PTE_P (1ull << 0)
#define PTE_RW (1ull << 1)
#define PTE_US (1ull << 2)
#define PTE_PWT (1ull << 3)
#define PTE_PCD (1ull << 4)
#define PTE_A (1ull << 5)
#define PTE_D (1ull << 6)
#define PTE_PS (1ull << 7)          /* L2 and L3: a superpage; L1: PAT */
#define PTE_G (1ull << 8)
#define PTE_NX (1ull << 63)
#define PTE_ADDR_MASK 0x000ffffffffff000ull
#define PTE_NO_MFN (PTE_ADDR_MASK >> PAGE_SHIFT)       /* all ones: what INVALID_MFN becomes in an entry */
#define PTE_MFN(pte) ((uint64_t)(pte) << 12 >> 24)     /* bits 12..51 */

static inline unsigned table_index(uint64_t va, unsigned level)
{
    return (va >> (PAGE_SHIFT + 9 * (level - 1))) & (PTES_PER_TABLE - 1);
}

/* The L1 slot that maps va under the root, in our own mapping of the table; NULL: no L1 there. What a linear entry shows
 * at va as if it were an L1 is none. */
uint64_t *walk_to_l1(uint64_t root_maddr, uint64_t va);
/* The L1 entry itself, read once; 0 when there is none. */
uint64_t read_guest_pte(struct vcpu *v, uint64_t va);

/* preempt_point() with the domain's mm_lock let go meanwhile. False: the domain is ending, begin nothing new. */
bool mm_preempt_point(struct domain *d);
/* Counts work, and is one when enough has been done since the last: see work_done(). */
static inline bool mm_preempt_after(struct domain *d, unsigned units)
{
    return work_done(units) ? mm_preempt_point(d) : d->state == DOM_RUNNING;
}
extern unsigned mm_preempted;           /* vCPUs that are in one: they hold references that no table shows */
/* mmu_update.c: what a hypercall's argument says of a domain whose frames it is about, and of a set of vCPUs. */
int foreign_domain(domid_t domid, struct domain **owner);
int check_vcpu_set(uint64_t bitmap);
/* Bits that no present entry of a guest may have, from the CPU's features; called once before any guest. */
void pagetype_init(void);
bool l1e_flags_ok(uint64_t l1e);
/* F5, F10: references of an entry of a table (L2..L4) on its child. The table is being validated, or the caller holds a
 * reference on its type. */
int get_page_from_table_entry(uint64_t entry, struct frame *table);
void put_page_from_table_entry(uint64_t entry, struct frame *table);

/* linear.c */
int get_linear_table(uint64_t entry, struct frame *table);
void put_linear_table(struct frame *table, struct frame *child);
uint64_t *walk_past_linear(uint64_t root_maddr, uint64_t va);

extern uint64_t l1_refused;
int get_l1e_slow(struct frame *f);              /* the frame is not of type writable yet, or cannot be */
int refuse_l1e_frame(mfn_t mfn);                /* it is not the guest's */
void put_segdesc_page(struct frame *f, struct domain *d);

/* References that an L1 entry needs (F4). Its frame belongs to owner: the table's domain itself, or a foreign one that the
 * caller was allowed to name. -EINVAL: bits that no guest may set, or no address; -EPERM: no RAM; -EBUSY: somebody else's
 * frame, or one in use as a table. Nothing changes on error. Inline, because a page table has 512 of them. */
static inline int get_page_from_l1e(uint64_t l1e, struct domain *owner)
{
    struct frame *f = mfn_to_frame(PTE_MFN(l1e));

    if (unlikely(l1e & l1_refused))
        return -EINVAL;
    if (unlikely(PTE_MFN(l1e) >= max_mfn || !get_page(f, owner)))
        return refuse_l1e_frame(PTE_MFN(l1e));
    if (l1e & PTE_RW) {
        if (unlikely(!is_valid_as(f, TYPE_WRITABLE)))
            return get_l1e_slow(f);
        f->type++;
    }
    return 0;
}

/* Gives back what an L1 entry of a table of d held. */
static inline void put_page_from_l1e(uint64_t l1e, struct domain *d)
{
    struct frame *f = mfn_to_frame(PTE_MFN(l1e));

    if (!(l1e & PTE_P))
        return;
    f->flush_stamp = tlb_clock;     /* F8: the translation may be cached until the next full flush */
    if (l1e & PTE_RW)
        put_page_type(f);
    else if (unlikely(f->type >> TYPE_SHIFT == TYPE_SEGDESC >> TYPE_SHIFT))
        put_segdesc_page(f, d);
    put_page(f);
}

/* Replaces an L1 entry of one of d's tables; checked and referenced for owner's frames. The caller holds mm_lock.
 * preserve_ad keeps the accessed and dirty bits that the CPU set meanwhile. 0 or errno; nothing changes on error. */
int mod_l1_entry(uint64_t *slot, uint64_t nl1e, struct domain *d, struct domain *owner, bool preserve_ad);

/* Stores an L1 entry whose references the CALLER has already taken (grant mappings) and drops what the old entry held.
 * The slot's table is an L1 of d; the caller holds d's mm_lock. Flushing the TLB is the caller's. */
void install_l1e(struct domain *d, uint64_t *slot, uint64_t nl1e);
/* The L1 slot at a machine address (GNTMAP_contains_pte); NULL: not in a live L1 table of d. mm_lock held. */
uint64_t *l1_slot_at(uint64_t maddr, struct domain *d);

/* Roots (V1). mfn 0 for the user root: none. */
int new_guest_root(struct vcpu *v, mfn_t mfn);
int new_user_root(struct vcpu *v, mfn_t mfn);
void drop_roots(struct vcpu *v);

/* Writable page tables: a write fault by v's kernel at va on a present read-only entry. True: done, resume at regs. */
bool ptwr_fault(struct vcpu *v, uint64_t va, struct cpu_user_regs *regs);

#endif
