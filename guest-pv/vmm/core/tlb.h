/* The software TLB: linear pages to the vmm's own memory, for reads and for writes, at one CPL.
 *
 * T1: an entry is valid when its tag is the page's address; an invalid one has a tag that belongs
 *     to another index, which no address that is looked up there can match.
 * T2: a write entry is valid only for a frame of RAM whose flags are 0, and whose leaf entry is
 *     dirty.
 * T3: a valid entry says what a walk of the guest's tables says, but for what the guest changed
 *     there without INVLPG or a load of CR3.
 * T4: entries that are not among filled, while nr_filled <= TLB_LOG, are invalid; so are all of a
 *     page of 2 MiB whose bit in large is 0. */
#ifndef VMM_CORE_TLB_H
#define VMM_CORE_TLB_H

#include "common/compiler.h"

#define TLB_ENTRIES 512u
#define TLB_LOG 64u

struct tlb_entry {
    uint64_t tag;
    uint64_t addend;            /* linear address + addend = address in the vmm */
};
struct tlb {
    struct tlb_entry read[TLB_ENTRIES], write[TLB_ENTRIES];
    uint64_t large[TLB_ENTRIES / 64]; /* by a hash of linear addresses: filled from a 2 MiB page */
    bool any_large;             /* one of these bits is set */
    uint16_t filled[TLB_LOG];   /* indices, so that a flush costs what has been filled */
    unsigned nr_filled;         /* more than TLB_LOG: too many to be listed */
};

/* A page that was written while its frame had flags, which keep it out of the TLB: so that the next
 * such write need not walk. Used while struct cpu's mapping is the same, which is at the CPL's
 * rights: accesses with the supervisor's are not kept. */
#define FLAGGED_PAGES 16u
struct flagged_page {
    uint64_t linear, mapping, frame;
    bool large;
};

static inline unsigned tlb_index(uint64_t linear)
{
    return (unsigned)(linear >> 12) & (TLB_ENTRIES - 1);
}
/* NULL: not there, or the access crosses the page's end. bytes: 1 to 4096. */
static inline uint8_t *tlb_look_up(const struct tlb_entry *entries, uint64_t linear, unsigned bytes)
{
    const struct tlb_entry *e = &entries[tlb_index(linear)];

    return (linear ^ e->tag) <= 4096u - bytes ? (uint8_t *)(uintptr_t)(linear + e->addend) : NULL;
}

struct cpu;
void tlb_init(struct cpu *c);                           /* whatever the memory has in it */
/* The page of linear is at page in the vmm. large: the guest maps it by a page of 2 MiB. */
void tlb_fill(struct tlb *tlb, bool write, uint64_t linear, uint8_t *page, bool large);
void tlb_flush(struct cpu *c);                          /* all of it, of both CPLs */
void tlb_flush_page(struct cpu *c, uint64_t linear);    /* INVLPG */
void tlb_forget_writes(struct cpu *c);                  /* a frame's flags were set: T2 */

#endif
