/* Filling and flushing the software TLB: see tlb.h. What goes in is decided by access.c; the
 * guest's instructions that flush are system.c's and msr.c's. */
#include <string.h>
#include "guest-pv/vmm/core/cpu.h"

/* T1. */
static uint64_t invalid_tag(unsigned i)
{
    return i == 0 ? GUEST_PAGE : 0;
}

/* Of an address all that tells its page of 2 MiB apart: kernels put things at round addresses. */
static unsigned large_bit(uint64_t linear)
{
    return (unsigned)(linear >> 21 ^ linear >> 30 ^ linear >> 39) & (TLB_ENTRIES - 1);
}

void tlb_fill(struct tlb *tlb, bool write, uint64_t linear, uint8_t *page, bool large)
{
    unsigned i = tlb_index(linear), bit = large_bit(linear);
    struct tlb_entry *e = write ? &tlb->write[i] : &tlb->read[i];

    linear &= ~(uint64_t)(GUEST_PAGE - 1);
    e->tag = linear;
    e->addend = (uint64_t)(uintptr_t)page - linear;
    if (large) {
        tlb->large[bit / 64] |= 1ull << bit % 64;
        tlb->any_large = true;
    }
    if (tlb->nr_filled < TLB_LOG)
        tlb->filled[tlb->nr_filled] = (uint16_t)i;
    tlb->nr_filled = MIN(tlb->nr_filled + 1, TLB_LOG + 1);
}

static void flush(struct tlb *tlb)
{
    if (tlb->nr_filled > TLB_LOG) {
        memset(tlb->read, 0, sizeof(tlb->read));
        memset(tlb->write, 0, sizeof(tlb->write));
        tlb->read[0].tag = tlb->write[0].tag = invalid_tag(0);
    } else {
        for (unsigned n = 0; n < tlb->nr_filled; n++) {
            unsigned i = tlb->filled[n];

            tlb->read[i].tag = tlb->write[i].tag = invalid_tag(i);
        }
    }
    if (tlb->any_large)
        memset(tlb->large, 0, sizeof(tlb->large));
    tlb->any_large = false;
    tlb->nr_filled = 0;
}

void tlb_init(struct cpu *c)
{
    c->tlbs[0].nr_filled = c->tlbs[1].nr_filled = TLB_LOG + 1;
    c->tlbs[0].any_large = c->tlbs[1].any_large = true;
    memset(&c->fetched, 0, sizeof(c->fetched));
    memset(c->flagged, 0, sizeof(c->flagged));
    tlb_flush(c);
}

void tlb_flush(struct cpu *c)
{
    flush(&c->tlbs[0]);
    flush(&c->tlbs[1]);
    c->mapping += 2; /* C4 */
    c->counters.tlb_flushes++;
}

/* Its 4 KiB pages have one index each. */
static void flush_large(struct tlb *tlb, uint64_t linear)
{
    for (unsigned i = 0; i < TLB_ENTRIES; i++) {
        if (tlb->read[i].tag >> 21 == linear >> 21)
            tlb->read[i].tag = invalid_tag(i);
        if (tlb->write[i].tag >> 21 == linear >> 21)
            tlb->write[i].tag = invalid_tag(i);
    }
}

void tlb_flush_page(struct cpu *c, uint64_t linear)
{
    unsigned i = tlb_index(linear), bit = large_bit(linear);

    c->mapping += 2;
    if (c->gigabyte_pages) { /* what `large` does not tell from 2 MiB */
        tlb_flush(c);
        return;
    }
    for (unsigned user = 0; user < 2; user++) {
        struct tlb *tlb = &c->tlbs[user];

        tlb->read[i].tag = tlb->write[i].tag = invalid_tag(i);
        if (tlb->large[bit / 64] >> bit % 64 & 1)
            flush_large(tlb, linear);
    }
}

void tlb_forget_writes(struct cpu *c)
{
    for (unsigned user = 0; user < 2; user++) {
        struct tlb *tlb = &c->tlbs[user];
        bool listed = tlb->nr_filled <= TLB_LOG; /* T4 */

        for (unsigned n = 0; n < (listed ? tlb->nr_filled : TLB_ENTRIES); n++) {
            unsigned i = listed ? tlb->filled[n] : n;

            tlb->write[i].tag = invalid_tag(i);
        }
    }
}
