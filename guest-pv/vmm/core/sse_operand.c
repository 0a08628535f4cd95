/* Whether MMX and SSE instructions may be executed, and their operands: see sse.h. General
 * registers are operand.c's. */
#include <string.h>
#include "guest-pv/vmm/core/sse.h"

enum kind { OTHER = 0, XMM = 1, XMM_RM = 2, MMX = 4, MMX_RM = 8, MEMORY = 16 }; /* bits */

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

static unsigned kind_of(const struct exec *x, unsigned nr)
{
    return forms[x->k->forms[nr]].kind;
}

static bool is_memory(const struct exec *x, unsigned kind)
{
    return x->in->memory && (kind & (XMM_RM | MMX_RM | MEMORY));
}

static bool is_mmx(const struct exec *x, unsigned kinds)
{
    return (kinds & MMX) || ((kinds & MMX_RM) && !x->in->memory);
}

bool is_mmx_operand(const struct exec *x, unsigned nr)
{
    return is_mmx(x, kind_of(x, nr));
}

/* Without NE the CPU would raise IRQ 13 by a wire that this platform does not have: the exception
 * is ignored, as with IGNNE# (SDM vol. 1, 8.7.2). */
bool no_x87_pending(struct cpu *c)
{
    return !(c->fx.fsw & FSW_ES) || !(c->cr0 & CR0_NE) || raise_fault(c, VECTOR_MF);
}

bool sse_usable(struct exec *x)
{
    unsigned kinds = kind_of(x, 0) | kind_of(x, 1);
    struct cpu *c = x->c;

    if ((c->cr0 & CR0_EM) || (!(c->cr4 & CR4_OSFXSR) && (kinds & (XMM | XMM_RM))))
        return raise_ud(c);
    if (c->cr0 & CR0_TS)
        return raise_fault(c, VECTOR_NM);
    return !is_mmx(x, kinds) || no_x87_pending(c);
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

    if (kind & (XMM | XMM_RM))
        return x->c->fx.xmm[kind == XMM ? modrm_reg(in) : modrm_rm(in)];
    return mmx_register(x->c, kind == MMX ? in->modrm >> 3 & 7 : in->modrm & 7);
}

/* Of Ey, Gy, Gd and EdMw; NULL: it is in memory. */
static uint64_t *general_register(struct exec *x, unsigned nr)
{
    unsigned form = x->k->forms[nr];

    if (form == FORM_Gy || form == FORM_Gd)
        return &x->c->regs[modrm_reg(x->in)];
    return x->in->memory ? NULL : &x->c->regs[modrm_rm(x->in)];
}

static unsigned general_bytes(const struct exec *x, unsigned nr)
{
    unsigned form = x->k->forms[nr];

    return (form == FORM_Gy || form == FORM_Ey) && (x->in->rex & 8) ? 8 : 4;
}

static bool read_general(struct exec *x, unsigned nr, uint64_t *value)
{
    uint64_t *reg = general_register(x, nr);

    if (reg == NULL)
        return read_operand(x, nr, value);
    *value = *reg & size_mask(general_bytes(x, nr));
    return true;
}

static bool write_general(struct exec *x, unsigned nr, uint64_t value)
{
    uint64_t *reg = general_register(x, nr);

    if (reg == NULL)
        return write_operand(x, nr, value);
    write_reg(reg, general_bytes(x, nr), value);
    return true;
}

bool read_sse_operand(struct exec *x, unsigned nr, union sse_value *value)
{
    unsigned kind = kind_of(x, nr), bytes = forms[x->k->forms[nr]].bytes;

    if (kind == OTHER)
        return read_general(x, nr, &value->quads[0]);
    if (is_memory(x, kind))
        return bytes == 8   ? read_part(x, value, 8)
               : bytes == 4 ? read_part(x, value, 4)
                            : is_sse_aligned(x, 16) && read_part(x, value, 16);
    if (kind & (XMM | XMM_RM))
        memcpy(value, sse_register(x, kind), 16);
    else
        memcpy(value, sse_register(x, kind), 8);
    return true;
}

static bool write_sse_memory(struct exec *x, const union sse_value *value, unsigned bytes)
{
    return bytes == 8 ? write_part(x, value, 8) : write_memory(x, 0, value, bytes);
}

bool write_sse_operand(struct exec *x, unsigned nr, const union sse_value *value)
{
    unsigned kind = kind_of(x, nr);

    if (kind == OTHER) {
        if (!write_general(x, nr, value->quads[0]))
            return false;
    } else if (is_memory(x, kind)) {
        if (!write_sse_memory(x, value, forms[x->k->forms[nr]].bytes))
            return false;
    } else if (kind & (XMM | XMM_RM)) {
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
    /* SDM vol. 1, 9.5.1: all registers are valid, TOP is 0 */
    if (is_mmx(x, kind_of(x, 0) | kind_of(x, 1))) {
        set_x87_top(&x->c->fx, 0);
        x->c->fx.ftw = 0xff;
    }
    return finish(x);
}
