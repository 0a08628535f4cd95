/* Random instructions of the integer part, with registers and memory under which they do something:
 * for test_vmm_integer.c. A row is what the map says of one opcode (and of a group's ModRM field),
 * so that every row has its share. */
#ifndef TEST_VMM_CASES_H
#define TEST_VMM_CASES_H

#include "common/x86/map.h"

struct row {
    uint16_t opcode;            /* 0x100 added behind 0F */
    uint16_t op;                /* enum insn_op */
    uint8_t rep, rex;           /* prefixes without which it would be another */
};

struct test_case {
    uint8_t bytes[MAX_INSN];
    unsigned length;
    struct insn in;
    const struct insn_case *k;
    uint64_t start;             /* where it lies */
    uint64_t target;            /* of the memory operand, if there is one; linear */
    uint64_t regs[18];
};

extern uint64_t random_seed;    /* of random64(); not 0 */
uint64_t random64(void);
unsigned random_below(unsigned n);
bool one_in(unsigned n);

/* The rows whose operation is one of these, in the order of opcodes; how many there are. */
unsigned find_rows(const uint8_t *wanted, struct row *rows, unsigned max);

/* fs, gs: the bases. Memory at NATIVE_DATA (vmm_native.h) may be changed, so that something is
 * equal or can be jumped to. False: nothing that can be compared came out; try again. */
bool make_case(struct row row, uint64_t fs, uint64_t gs, struct test_case *t);

#endif
