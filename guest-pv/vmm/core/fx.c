/* The state of x87, MMX and SSE as a whole: FXSAVE and FXRSTOR, whose image is c->fx itself, and
 * MXCSR and EMMS. The x87's own images are x87_control.c's. */
#include <string.h>
#include "guest-pv/vmm/core/handlers.h"
#include "guest-pv/vmm/core/x87.h"

#define MXCSR_VALID 0xffffu             /* others are #GP; FXSAVE says it as MXCSR_MASK */
#define FXSAVE_STORES offsetof(struct fx_state, rest) /* what is behind stays as it is */

/* Without REX.W the pointers have 4 bytes and a selector, which is 0 (SDM vol. 2, FXSAVE). */
static void cut_pointers(const struct exec *x, struct fx_state *fx)
{
    if (!(x->in->rex & 8)) {
        fx->fip = (uint32_t)fx->fip;
        fx->fdp = (uint32_t)fx->fdp;
    }
}

static bool fx_usable(struct exec *x)
{
    if (x->c->cr0 & CR0_EM)
        return raise_ud(x->c);
    if (x->c->cr0 & CR0_TS)
        return raise_fault(x->c, VECTOR_NM);
    return true;
}

bool op_fxsave(struct exec *x)
{
    struct fx_state image = x->c->fx;

    if (!fx_usable(x) || !is_sse_aligned(x, 16))
        return false;
    cut_pointers(x, &image);
    image.mxcsr_mask = MXCSR_VALID;
    return write_memory(x, 0, &image, FXSAVE_STORES) && finish(x);
}

bool op_fxrstor(struct exec *x)
{
    struct cpu *c = x->c;
    struct fx_state image = { .fcw = 0 };

    if (!fx_usable(x) || !is_sse_aligned(x, 16) || !read_memory(x, 0, &image, FXSAVE_STORES))
        return false;
    if (image.mxcsr & ~MXCSR_VALID)
        return raise_gp(c, 0);
    cut_pointers(x, &image);
    c->fx = image;
    c->fx.reserved = 0;
    c->fx.fop &= 0x7ff;
    c->fx.mxcsr_mask = MXCSR_VALID;
    for (unsigned i = 0; i < 8; i++)
        memset(c->fx.st[i] + 10, 0, 6);
    set_x87_control(&c->fx, c->fx.fcw);
    return finish(x);
}

static bool mxcsr_usable(struct exec *x)
{
    if (!(x->c->cr4 & CR4_OSFXSR))
        return raise_ud(x->c);
    return fx_usable(x);
}

bool op_ldmxcsr(struct exec *x)
{
    uint64_t mxcsr;

    if (!mxcsr_usable(x) || !read_operand(x, 0, &mxcsr))
        return false;
    if (mxcsr & ~(uint64_t)MXCSR_VALID)
        return raise_gp(x->c, 0);
    x->c->fx.mxcsr = (uint32_t)mxcsr;
    return finish(x);
}

bool op_stmxcsr(struct exec *x)
{
    return mxcsr_usable(x) && write_operand(x, 0, x->c->fx.mxcsr) && finish(x);
}

bool op_emms(struct exec *x)
{
    if (!fx_usable(x) || !no_x87_pending(x->c))
        return false;
    set_x87_top(&x->c->fx, 0);
    x->c->fx.ftw = 0;
    return finish(x);
}
