/* Operations of SSE and SSE2: ops_sse.c (what computes), ops_sse_move.c (what moves bytes), and
 * build_sse.c, which chooses among them. XMM registers are named by their offset in c->fx.xmm. What
 * these do not have is generic: MMX registers, and the rest of the core's handlers_sse.def. */
#ifndef VMM_EMULATE_OPS_SSE_H
#define VMM_EMULATE_OPS_SSE_H

#include "common/x86/operands.h"
#include "guest-pv/vmm/emulate/ops.h"

/* How the operands lie; sizes of memory in bytes. */
enum sse_shape {
    SSE_RR,                     /* XMM registers */
    SSE_RM4, SSE_RM8,           /* the source is memory, of any alignment */
    SSE_RM16,                   /* aligned */
    SSE_RG4, SSE_RG8,           /* a general register is the source */
    SSE_GR,                     /* a general register is the destination */
    SSE_MR4, SSE_MR8, SSE_MR16, /* memory is the destination */
    NR_SSE_SHAPES,
};

/* What instructions that compute have in common, as sse_code runs them. */
enum sse_class {
    SSE_PLAIN,                  /* MXCSR has no part in it */
    SSE_SHIFT,                  /* the same, by op->disp */
    SSE_SIGNS,                  /* MOVMSKPS, PMOVMSKB */
    SSE_FLOAT, SSE_COMPARE,     /* COMISS and so on: into the flags */
    SSE_FROM_INTEGER, SSE_TO_INTEGER,
    NR_SSE_CLASSES,
};

/* NULL: none. op->imm of those that compute: the distance of their code from sse_code. */
op_fn *sse_compute_function(enum sse_class class, enum sse_shape shape);
op_fn *sse_move_function(enum insn_op op, enum sse_shape shape, bool full);
/* build_sse.c. Is it one of those, which can fault without a memory operand, too? */
bool is_sse(enum insn_op op);
/* Sets registers and code in op, whose memory operand is set. */
op_fn *sse_function(const struct insn *in, const struct insn_case *k, struct op *op);

#endif
