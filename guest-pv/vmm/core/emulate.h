/* The emulator core: one instruction of the guest, decoded by common/x86, executed on struct cpu.
 * Used for every instruction that a way of running has no faster means for. Which function executes
 * which operation is said in tables: handlers_integer.def, handlers_system.def, handlers_sse.def.
 *
 * E1: when a handler returns false, no register and no memory has changed, except that steps of a
 *     REP that are complete count.
 * E2: a handler that returns true has set RIP, to x->next_rip unless it jumps. A REP that is not at
 *     its end leaves RIP at the instruction: it does a bounded number of steps at a time. */
#ifndef VMM_CORE_EMULATE_H
#define VMM_CORE_EMULATE_H

#include "common/x86/operands.h"
#include "guest-pv/vmm/core/cpu.h"

/* An instruction being executed. */
struct exec {
    struct cpu *c;
    const struct insn *in;
    const struct insn_case *k;
    uint64_t next_rip;
    uint64_t linear;            /* of the memory operand, if in->memory: segment base + offset */
    const struct operand *operands; /* the first two, if they have been found before; or NULL */
};

/* Of the memory operand, or of what RSI or RBX points to: in 64-bit code FS and GS have one. */
static inline uint64_t segment_base(const struct cpu *c, const struct insn *in)
{
    unsigned segment = operand_segment(in);

    return segment >= SEG_FS ? c->seg[segment].base : 0;
}

typedef bool handler_fn(struct exec *x);

/* Executes it; RIP is at the instruction. False: c->fault is raised, or c->stop is set. An
 * operation without a handler is #UD, as on a CPU whose CPUID does not have it. */
bool emulate(struct cpu *c, const struct insn *in);
/* The same, of an instruction whose row in the map is known. */
bool emulate_case(struct cpu *c, const struct insn *in, const struct insn_case *k);

/* The same, of an instruction whose first operands are known, too: DECODED_OPERANDS of them. */
bool emulate_found(struct cpu *c, const struct insn *in, const struct insn_case *k,
                   const struct operand *operands);

/* Fetches, decodes and executes the instruction at RIP, and delivers the exception if it raises
 * one. This is the whole of the simplest interpreter; way 1 falls back on it. False: it raised
 * one, or the guest is at its end. */
bool emulate_step(struct cpu *c);
/* The same, and behind it the #DB if TF was set. */
void emulate_single_step(struct cpu *c);

/* RIP, registers, the instruction's bytes and c->reason, one string with line ends, for people. */
void print_state(struct cpu *c, void (*print)(const char *line));

#endif
