/* Whether MMX and SSE instructions may be executed, and their operands: see sse.h. General
 * registers are operand.c's. */
#include <string.h>
#include "guest-pv/vmm/core/sse.h"

enum kind { OTHER, XMM, XMM_RM, MMX, MMX_RM, MEMORY };

/* Of the forms that are not general registers: what they are, and how many bytes in memory. */
static const struct {
    uint8_t kind, bytes;
} forms[FORM_ST0 + 1] = {
    [FORM_Vx] = { XMM, 16 },
    [FORM_Wx] = { XMM_RM, 16 }, [FORM_Wq] = { XMM_RM, 8 }, [FORM_Wd] = { XMM_RM, 4 },
    [FORM_Pq] = { MMX, 8 },
    [FORM_Qq] = { MMX_RM, 8 },  [FORM_Qd] = { MMX_RM, 4 },
    [FORM_Mx] = { MEMORY, 16 }, [FORM_Mq] = { MEMORY, 8 },
};

static bool is_memory(const struct exec *x, unsigned kind)
{
    return x->in->memory && (kind == XMM_RM || kind == MMX_RM || kind == MEMORY);
}

bool is_mmx_operand(const struct exec *x, unsigned nr)
{
    unsigned kind = forms[x->k->forms[nr]].kind;

    return kind == MMX || (kind == MMX_RM && !x->in->memory);
}

static bool uses_mmx(const struct exec *x)
{
    return is_mmx_operand(x, 0) || is_mmx_operand(x, 1);
}

static bool uses_xmm(const struct exec *x)
{
    unsigned a = forms[x->k->forms[0]].kind, b = forms[x->k->forms[1]].kind;

    return a == XMM || a == XMM_RM || b == XMM || b == XMM_RM;
}

/* Without NE the CPU would raise IRQ 13 by a wire that this platform does not have: the exception
 * is ignored, as with IGNNE# (SDM vol. 1, 8.7.2). */
bool no_x87_pending(struct cpu *c)
{
    return !(c->fx.fsw & FSW_ES) || !(c->cr0 & CR0_NE) || raise_fault(c, VECTOR_MF);
}

bool sse_usable(struct exec *x)
{
    struct cpu *c = x->c;

    if ((c->cr0 & CR0_EM) || (!(c->cr4 & CR4_OSFXSR) && uses_xmm(x)))
        return raise_ud(c);
    if (c->cr0 & CR0_TS)
        return raise_fault(c, VECTOR_NM);
    return !uses_mmx(x) || no_x87_pending(c);
}

bool is_sse_aligned(struct exec *x, unsigned bytes)
{
    return x->linear % bytes == 0 || raise_gp(x->c, 0);
}

/* The registers have the numbers of the x87's, and the image begins with ST(0). */
static uint8_t *mmx_register(struct cpu *c, unsigned nr)
{
    return c->fx.st[(nr - (c->fx.fsw >> FSW_TOP_SHIFT)) & 7];
}

static uint8_t *sse_register(struct exec *x, unsigned kind)
{
    const struct insn *in = x->in;

    if (kind == XMM || kind == XMM_RM)
        return x->c->fx.xmm[kind == XMM ? modrm_reg(in) : modrm_rm(in)];
    return mmx_register(x->c, kind == MMX ? in->modrm >> 3 & 7 : in->modrm & 7);
}

static bool read_general(struct exec *x, unsigned nr, uint64_t *value)
{
    struct operand o;

    get_operand(x->in, x->k, nr, &o);
    if (!load(x, &o, value))
        return false;
    *value &= size_mask(o.bytes);
    return true;
}

bool read_sse_operand(struct exec *x, unsigned nr, union sse_value *value)
{
    unsigned kind = forms[x->k->forms[nr]].kind, bytes = forms[x->k->forms[nr]].bytes;

    if (kind == OTHER)
        return read_general(x, nr, &value->quads[0]);
    if (is_memory(x, kind))
        return bytes < 16 ? read_memory(x, 0, value, bytes)
                          : is_sse_aligned(x, 16) && read_xmm(x, value);
    memcpy(value, sse_register(x, kind), kind == XMM || kind == XMM_RM ? 16 : 8);
    return true;
}

bool write_sse_operand(struct exec *x, unsigned nr, const union sse_value *value)
{
    unsigned kind = forms[x->k->forms[nr]].kind, bytes = forms[x->k->forms[nr]].bytes;

    if (kind == OTHER) {
        if (!write_operand(x, nr, value->quads[0]))
            return false;
    } else if (is_memory(x, kind)) {
        if (!write_memory(x, 0, value, bytes))
            return false;
    } else if (kind == XMM || kind == XMM_RM) {
        memcpy(sse_register(x, kind), value, 16);
    } else {
        uint8_t *mmx = sse_register(x, kind);

        memcpy(mmx, value, 8);
        mmx[8] = mmx[9] = 0xff; /* SDM vol. 1, 9.5.1 */
    }
    return finish_sse(x);
}

void set_x87_top(struct fx_state *fx, unsigned top)
{
    unsigned old = fx->fsw >> FSW_TOP_SHIFT & 7;
    uint8_t st[8][16];

    memcpy(st, fx->st, sizeof(st));
    for (unsigned i = 0; i < 8; i++)
        memcpy(fx->st[i], st[(i + top - old) & 7], sizeof(st[i]));
    fx->fsw = (uint16_t)((fx->fsw & ~(7u << FSW_TOP_SHIFT)) | top << FSW_TOP_SHIFT);
}

bool finish_sse(struct exec *x)
{
    if (uses_mmx(x)) { /* SDM vol. 1, 9.5.1: all registers are valid, TOP is 0 */
        set_x87_top(&x->c->fx, 0);
        x->c->fx.ftw = 0xff;
    }
    return finish(x);
}
