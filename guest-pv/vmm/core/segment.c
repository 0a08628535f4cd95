/* Segment registers in 64-bit mode (SDM vol. 2; vol. 3, 5.6 and 5.7): loads of DS, ES, FS, GS and
 * SS, LDTR and TR, and what programs may ask about selectors. Null selectors are legal but for SS
 * at CPL 3; of what is loaded only the bases of FS and GS and the rights are ever used. CS is
 * loaded by transfer.c and deliver.c; descriptors are read by descriptor.c. */
#include "guest-pv/vmm/core/handlers.h"
#include "guest-pv/vmm/core/operand.h"
#include "guest-pv/vmm/core/segment.h"
#include "guest-pv/vmm/core/system.h"

bool check_stack_segment(struct cpu *c, uint16_t selector, unsigned cpl, struct descriptor *d)
{
    *d = (struct descriptor){ .selector = selector };
    if (selector_is_null(selector))
        return (cpl != 3 && SELECTOR_RPL(selector) == cpl) || raise_gp(c, 0);
    if (!read_descriptor(c, selector, 0, d))
        return false;
    if (SELECTOR_RPL(selector) != cpl || ACCESS_DPL(d->access) != cpl || !is_writable_data(d))
        return raise_gp(c, SELECTOR_INDEX(selector));
    if (!is_present(d))
        return raise_error(c, VECTOR_SS, SELECTOR_INDEX(selector));
    return mark_accessed(c, d);
}

static unsigned weakest(const struct cpu *c, uint16_t selector)
{
    return MAX(c->cpl, SELECTOR_RPL(selector));
}

static bool is_conforming(const struct descriptor *d)
{
    return is_code(d) && (d->access & TYPE_CONFORMING);
}

static bool is_readable(const struct descriptor *d)
{
    return (d->access & ACCESS_S) && (!is_code(d) || (d->access & TYPE_READABLE));
}

static bool check_data_segment(struct cpu *c, uint16_t selector, struct descriptor *d)
{
    *d = (struct descriptor){ .selector = selector };
    if (selector_is_null(selector))
        return true;
    if (!read_descriptor(c, selector, 0, d))
        return false;
    if (!is_readable(d) ||
        (!is_conforming(d) && weakest(c, selector) > ACCESS_DPL(d->access)))
        return raise_gp(c, SELECTOR_INDEX(selector));
    if (!is_present(d))
        return raise_error(c, VECTOR_NP, SELECTOR_INDEX(selector));
    return mark_accessed(c, d);
}

bool load_segment(struct exec *x, unsigned seg, uint16_t selector)
{
    struct cpu *c = x->c;
    struct descriptor d;

    if (!(seg == SEG_SS ? check_stack_segment(c, selector, c->cpl, &d)
                        : check_data_segment(c, selector, &d)))
        return false;
    set_segment(&c->seg[seg], selector, &d);
    c->bases_set |= seg >= SEG_FS;
    return true;
}

bool mov_to_segment(struct exec *x)
{
    unsigned seg = x->in->modrm >> 3 & 7;
    uint64_t selector;

    if (!read_operand(x, 1, &selector) || !load_segment(x, seg, (uint16_t)selector))
        return false;
    if (seg == SEG_SS)
        x->c->shadow = true; /* so that the next instruction can load RSP */
    return finish(x);
}

/* POP FS, POP GS */
bool op_pop_segment(struct exec *x)
{
    unsigned seg = x->in->opcode == 0x1a1 ? SEG_FS : SEG_GS;
    uint64_t selector;

    if (!read_stack(x, 0, x->in->op_bytes, &selector) ||
        !load_segment(x, seg, (uint16_t)selector))
        return false;
    x->c->regs[RSP] += x->in->op_bytes;
    return finish(x);
}

/* LSS, LFS, LGS: the offset comes first. */
bool op_load_pointer(struct exec *x)
{
    unsigned seg = x->k->op == OP_LSS ? SEG_SS : x->k->op == OP_LFS ? SEG_FS : SEG_GS;
    unsigned bytes = x->in->op_bytes;
    uint64_t offset = 0;
    uint16_t selector;

    if (!read_memory(x, 0, &offset, bytes) || !read_memory(x, bytes, &selector, 2) ||
        !load_segment(x, seg, selector))
        return false;
    return write_operand(x, 0, offset) && finish(x);
}

/* --- LDTR and TR ------------------------------------------------------------------------------ */

static bool read_system_segment(struct cpu *c, uint16_t selector, unsigned type,
                                struct descriptor *d)
{
    if (!read_system_descriptor(c, selector, d))
        return false;
    if ((d->access & ACCESS_S) || TYPE(d->access) != type)
        return raise_gp(c, SELECTOR_INDEX(selector));
    return is_present(d) || raise_error(c, VECTOR_NP, SELECTOR_INDEX(selector));
}

bool op_lldt(struct exec *x)
{
    struct cpu *c = x->c;
    struct descriptor d = { 0 };
    uint64_t selector;

    if (!check_cpl_0(x) || !read_operand(x, 0, &selector))
        return false;
    if (!selector_is_null((uint16_t)selector) &&
        !read_system_segment(c, (uint16_t)selector, TYPE_LDT, &d))
        return false;
    set_segment(&c->ldtr, (uint16_t)selector, &d);
    return finish(x);
}

bool op_ltr(struct exec *x)
{
    struct cpu *c = x->c;
    struct descriptor d;
    uint64_t selector;

    if (!check_cpl_0(x) || !read_operand(x, 0, &selector))
        return false;
    if (selector_is_null((uint16_t)selector))
        return raise_gp(c, 0);
    if (!read_system_segment(c, (uint16_t)selector, TYPE_TSS, &d) ||
        !write_type(c, &d, TYPE_TSS_BUSY))
        return false;
    set_segment(&c->tr, (uint16_t)selector, &d);
    return finish(x);
}

bool op_store_selector(struct exec *x)
{
    const struct segment *s = x->k->op == OP_SLDT ? &x->c->ldtr : &x->c->tr;

    return write_operand(x, 0, s->selector) && finish(x);
}

/* --- Questions about selectors ---------------------------------------------------------------- */

/* Types of system descriptors that LAR tells of; LSL tells of those with a limit. */
static bool is_known_type(unsigned op, unsigned type)
{
    enum { LAR_TYPES = 1 << TYPE_LDT | 1 << TYPE_TSS | 1 << TYPE_TSS_BUSY | 1 << TYPE_CALL_GATE };
    enum { LSL_TYPES = 1 << TYPE_LDT | 1 << TYPE_TSS | 1 << TYPE_TSS_BUSY };

    return ((op == OP_LAR ? LAR_TYPES : op == OP_LSL ? LSL_TYPES : 0) >> type & 1) != 0;
}

static bool may_see(const struct cpu *c, unsigned op, const struct descriptor *d)
{
    if (!(d->access & ACCESS_S) && !is_known_type(op, TYPE(d->access)))
        return false;
    if (op == OP_VERR && !is_readable(d))
        return false;
    if (op == OP_VERW && !is_writable_data(d))
        return false;
    return is_conforming(d) || weakest(c, d->selector) <= ACCESS_DPL(d->access);
}

/* LAR, LSL, VERR, VERW: ZF says whether the selector, their last operand, is one that they may see;
 * nothing about it raises a fault. */
bool op_ask_selector(struct exec *x)
{
    struct cpu *c = x->c;
    unsigned op = x->k->op;
    bool has_result = op == OP_LAR || op == OP_LSL;
    struct descriptor d = { 0 };
    uint64_t selector;
    bool seen = false;

    if (!read_operand(x, has_result ? 1 : 0, &selector))
        return false;
    if (descriptor_exists(c, (uint16_t)selector)) {
        if (!read_descriptor(c, (uint16_t)selector, 0, &d))
            return false;
        seen = may_see(c, op, &d);
    }
    if (seen && has_result)
        write_operand(x, 0, op == OP_LAR ? (uint64_t)d.access << 8 : d.limit);
    c->regs[REG_RFLAGS] = (c->regs[REG_RFLAGS] & ~(uint64_t)FLAG_ZF) | (seen ? FLAG_ZF : 0);
    return finish(x);
}
