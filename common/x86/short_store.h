/* A store to an entry of a page table, in one of the forms that parse_short_store.h knows. Kept for
 * each vCPU. */
#ifndef COMMON_X86_SHORT_STORE_H
#define COMMON_X86_SHORT_STORE_H

#include <stdint.h>

/* Of 64-bit code: MOV, XCHG and CMPXCHG of a 64-bit register, and AND of a byte with an immediate,
 * to [base] or [base + disp8]; with LOCK, or the DS that Linux puts there for it on one CPU. */
struct short_store {
    uint8_t op;             /* OP_MOV, OP_XCHG, OP_CMPXCHG; OP_AND, of 1 byte */
    uint8_t length;
    uint8_t base, source;   /* registers; OP_AND has no source, */
    uint8_t imm;            /* but this */
    int8_t disp;
};

#endif
