/* XMM registers for operations: as values, and when they may be used. Only the files that use the
 * host's XMM registers include it. */
#ifndef VMM_EMULATE_XMM_H
#define VMM_EMULATE_XMM_H

#include "guest-pv/vmm/emulate/ops.h"

typedef int64_t xmm_t __attribute__((vector_size(16), may_alias));
typedef xmm_t xmm_unaligned __attribute__((aligned(1)));

#define XMM(offset) (*(xmm_t *)((char *)c->fx.xmm + (offset)))
/* Its lower or upper half, or the lowest quarter */
#define XMM_QUAD(offset, nr) (((uint64_t *)((char *)c->fx.xmm + (offset)))[nr])
#define XMM_DOUBLE(offset) (*(u32 *)((char *)c->fx.xmm + (offset)))

/* #UD, #NM and #GP(0) are the core's to raise. */
#define CHECK_SSE                                                                          \
    if (unlikely((c->cr0 & (CR0_EM | CR0_TS)) || !(c->cr4 & CR4_OSFXSR)))                  \
        return generic(c, op)
#define CHECK_ALIGNED(linear)                               \
    if (unlikely((linear) % 16 != 0))                       \
        return generic(c, op)

#endif
