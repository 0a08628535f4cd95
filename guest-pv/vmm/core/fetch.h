/* The instruction at RIP, decoded: fetch.c. A kernel's own instructions trap, or are left to the
 * core, at the same few hundred places again and again, so what was decoded there is kept.
 *
 * F1: a page is used while struct cpu's mapping is what it was when the page was looked up.
 * F2: a decoded instruction is used while its bytes in memory are what they were. */
#ifndef VMM_CORE_FETCH_H
#define VMM_CORE_FETCH_H

#include "common/x86/operands.h"

#define FETCHED_PAGES 8u
#define FETCHED_INSNS 256u
#define DECODED_OPERANDS 2u

struct fetched_page {
    uint64_t rip, mapping;
    const uint8_t *page;
};

struct decoded {
    const uint8_t *at;          /* in the vmm's memory; NULL: none, or it may cross a page's end */
    uint64_t bytes[2], mask[2]; /* mask: of the instruction's own bytes */
    const struct insn_case *k;  /* NULL: there is no such instruction */
    struct insn in;
    struct operand operands[DECODED_OPERANDS];
};

struct fetched {
    struct fetched_page pages[2][FETCHED_PAGES]; /* of the supervisor, of the user */
    struct decoded insns[FETCHED_INSNS], at_end;
};

struct cpu;
/* Valid until the next call. NULL: a fault was raised. */
const struct decoded *fetch_insn(struct cpu *c);

#endif
