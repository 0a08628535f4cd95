/* A model of a CPU's TLB, which counts the walks of page tables that it needs (tlb.c). */
#ifndef COUNTS_TLB_H
#define COUNTS_TLB_H

#include <stdbool.h>
#include <stdint.h>

#define L1_ENTRIES 64                   /* of code, and as many of data */
#define L2_ENTRIES 1536

struct entry {
    uint64_t page, used;
    uint64_t flushes;       /* of its kind before it was filled in: a later one ended it */
    bool kept;                          /* global */
};

struct tlb {
    struct entry code[L1_ENTRIES], data[L1_ENTRIES], both[L2_ENTRIES];
    uint64_t loads, full;               /* loads of CR3 so far, and full flushes, plus 1 */
    uint64_t clock, last_code, last_data;
    uint64_t misses;
};

/* Not tlb_: QEMU exports functions of such names. */
void model_init(struct tlb *t);
/* The page is used by code or data; kept: it is global. */
void model_use(struct tlb *t, uint64_t page, bool is_code, bool kept);
void model_load_cr3(struct tlb *t);
void model_flush_all(struct tlb *t);

#endif
