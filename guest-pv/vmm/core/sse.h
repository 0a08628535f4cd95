/* What the handlers of MMX, SSE and SSE2 share: whether the guest may execute them now, and their
 * operands as bytes: sse_operand.c. The registers are in c->fx; MMX register i is register i of the
 * x87's eight, and not ST(i). */
#ifndef VMM_CORE_SSE_H
#define VMM_CORE_SSE_H

#include <string.h>
#include "common/x86/alu.h"
#include "guest-pv/vmm/core/operand.h"

#define FSW_ES 0x80u            /* an exception that FCW does not mask is in FSW */
#define FSW_TOP_SHIFT 11

/* Of an XMM or MMX operand, up to 16 bytes of it. */
union sse_value {
    uint8_t bytes[16];
    uint16_t words[8];
    uint32_t doubles[4];
    uint64_t quads[2];
    unsigned __int128 all;
} __attribute__((aligned(16), may_alias));

/* False: #UD, #NM or, where the instruction uses MMX registers, #MF (SDM vol. 3, 23.25). */
bool sse_usable(struct exec *x);
/* FWAIT and all but the FN... instructions of the x87 begin with it: false, #MF is raised. */
bool no_x87_pending(struct cpu *c);

/* The operand of that number: all of a register, of memory as many bytes as it has; the rest of
 * value stays. False: #GP(0) where 16 bytes are not aligned (SDM vol. 1, 4.1.1), or the access's
 * fault. */
bool read_sse_operand(struct exec *x, unsigned nr, union sse_value *value);
/* All of an XMM or MMX register; of a general one, or of memory, as many bytes as the operand has.
 * Ends the instruction: RIP, and the change from x87 to MMX registers if it uses them. */
bool write_sse_operand(struct exec *x, unsigned nr, const union sse_value *value);
bool finish_sse(struct exec *x);

bool is_mmx_operand(const struct exec *x, unsigned nr); /* a register */
bool is_sse_aligned(struct exec *x, unsigned bytes);    /* false: #GP(0) is raised */

/* The same for those that use XMM registers alone, which are most. */
static inline bool xmm_usable(struct exec *x)
{
    return likely(!(x->c->cr0 & (CR0_EM | CR0_TS)) && (x->c->cr4 & CR4_OSFXSR)) || sse_usable(x);
}
static inline union sse_value *xmm_register(struct exec *x, unsigned nr)
{
    return (union sse_value *)x->c->fx.xmm[nr];
}
/* So many bytes of the memory operand, a constant: where the TLB has it, a load. False: value,
 * which may be a register, stays. */
static inline __attribute__((always_inline)) bool read_part(struct exec *x, void *value,
                                                            unsigned bytes)
{
    const uint8_t *at = tlb_look_up(x->c->tlb->read, x->linear, bytes);
    union sse_value read;

    if (unlikely(at == NULL)) {
        if (!read_memory(x, 0, &read, bytes))
            return false;
        at = read.bytes;
    }
    memcpy(value, at, bytes);
    return true;
}
static inline __attribute__((always_inline)) bool write_part(struct exec *x, const void *value,
                                                             unsigned bytes)
{
    uint8_t *at = tlb_look_up(x->c->tlb->write, x->linear, bytes);

    if (unlikely(at == NULL))
        return write_memory(x, 0, value, bytes);
    memcpy(at, value, bytes);
    return true;
}

/* ST(0) becomes another register of the eight: the image keeps them in the stack's order. */
void set_x87_top(struct fx_state *fx, unsigned top);

#endif
