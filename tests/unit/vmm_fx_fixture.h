/* Instructions of SSE and x87 by the vmm's core and by the host's CPU, side by side: what the tests
 * of both share. State and memory are random, with a liking for the numbers that are special. */
#ifndef TEST_VMM_FX_FIXTURE_H
#define TEST_VMM_FX_FIXTURE_H

#include "common/x86/map.h"
#include "guest-pv/vmm/core/emulate.h"
#include "tests/unit/vmm_native.h"

/* A row of a map, as the tests read it. */
struct fx_row {
    const char *name;
    uint32_t select;
    uint16_t op;
    uint8_t forms[3];
};
struct fx_opcode {
    uint16_t opcode;
    const struct fx_row *rows;          /* the last has no name */
};

extern const struct fx_opcode fx_sse[], fx_x87[]; /* the maps; the last has no rows */
extern const struct fx_opcode fx_images[];        /* FXSAVE, FXRSTOR, LDMXCSR, STMXCSR */
/* Not SSE3 (FISTTP too), SSE4A, VMREAD and VMWRITE, which have opcodes among them. */
bool fx_is_served(const struct fx_row *row);

extern struct cpu *fx_cpu;              /* the core's, for the functions below */
struct cpu *fx_new_cpu(void);           /* at CPL 3, with the pages of vmm_native.h */

/* Runs it in a child of this process, with fx_cpu: what the host's CPU executes hurts nobody else.
 * The test fails where the child does. */
void fx_in_child(void (*function)(void));
void fx_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

uint64_t fx_random(void);
/* Registers, x87, XMM and, in a child, memory. */
void fx_randomize(uint64_t regs[18], struct fx_state *fx);
/* An address of data for the memory operand: mostly of 16 bytes alignment and writable. */
uint64_t fx_random_address(void);

/* An instruction that is that row, its ModRM, prefixes and immediate random where it leaves them
 * open; memory operands are at RBX or R11. Returns its length. */
unsigned fx_encode(const struct fx_opcode *opcode, const struct fx_row *row, uint8_t *bytes);

/* A number of times each row of a table by both; what is not served by the core alone: #UD. Before
 * each, if it is not NULL, prepare. */
void fx_run_rows(const struct fx_opcode *opcodes, unsigned times,
                 void (*prepare)(const struct fx_row *row, const uint64_t regs[18]));
/* By both, from the same state, and everything is compared: fx_fail() where they differ. FIP, FDP
 * and FOP are not compared: CPUs keep them for the last instruction, or for the last that raised an
 * exception, and the instruction lies elsewhere. Returns the vector, or FX_NONE. */
int fx_run_both(const char *name, const uint8_t *bytes, unsigned len, const uint64_t regs[18],
                const struct fx_state *fx);

/* For tests of the core alone: fx_cpu with nothing pending, everything masked, zeroes in registers
 * and in memory; RBX, R11 and RDI are at FX_DATA. */
#define FX_DATA (NATIVE_DATA + 256u)
int fx_setup(void **state);
int fx_teardown(void **state);
void fx_reset(void);
/* From fx_cpu's own state. The vector, or FX_NONE. */
#define FX_NONE -1
int fx_emulate(const uint8_t *bytes, unsigned len);
/* What fx_run_both() has the instruction executed by; at first fx_emulate. RIP is set. */
extern int (*fx_executed_by)(const uint8_t *bytes, unsigned len);

#endif
