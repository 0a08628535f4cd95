/* Transfers of control that may change CS or the CPL: IRET, far RET, far JMP and CALL, SYSCALL and
 * SYSRET, INT n, INT3, INT1, and SWAPGS beside them (SDM vol. 2). The guest has 64-bit code only: a
 * segment without L is #GP(selector), and so are call gates, which no 64-bit kernel uses.
 * Exceptions and interrupts are deliver.c, near transfers control.c. */
#include "common/x86/canonical.h"
#include "guest-pv/vmm/core/deliver.h"
#include "guest-pv/vmm/core/handlers.h"
#include "guest-pv/vmm/core/operand.h"
#include "guest-pv/vmm/core/segment.h"
#include "guest-pv/vmm/core/system.h"

/* --- Returns ---------------------------------------------------------------------------------- */

struct destination {
    struct descriptor code, stack;
    uint64_t rip, rsp;
    unsigned cpl;
};

/* To the RPL of the selector, which is the CPL or outer. */
static bool check_return(struct cpu *c, uint16_t cs, uint64_t rip, struct destination *to)
{
    bool fits;

    if (!read_code(c, cs, 0, &to->code))
        return false;
    to->cpl = SELECTOR_RPL(cs);
    to->rip = rip;
    fits = to->code.access & TYPE_CONFORMING ? ACCESS_DPL(to->code.access) <= to->cpl
                                             : ACCESS_DPL(to->code.access) == to->cpl;
    if (to->cpl < c->cpl || !fits)
        return raise_gp(c, SELECTOR_INDEX(cs));
    if (!check_code(c, &to->code, 0))
        return false;
    return is_canonical(rip) || raise_gp(c, 0);
}

/* An outer level does not keep an inner one's data segments. */
static void drop_inner_segments(struct cpu *c)
{
    static const uint8_t segments[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };

    for (unsigned i = 0; i < ARRAY_SIZE(segments); i++) {
        struct segment *s = &c->seg[segments[i]];
        bool conforming = (s->access & TYPE_CODE) && (s->access & TYPE_CONFORMING);

        if (!selector_is_null(s->selector) && !conforming && ACCESS_DPL(s->access) < c->cpl)
            set_null_segment(s, 0);
    }
}

static void go_to(struct cpu *c, const struct destination *to)
{
    bool outwards = to->cpl > c->cpl;

    set_segment(&c->seg[SEG_CS], to->code.selector, &to->code);
    set_cpl(c, to->cpl);
    c->regs[REG_RIP] = to->rip;
    c->regs[RSP] = to->rsp;
    if (outwards)
        drop_inner_segments(c);
}

/* As of POPF, at the CPL of before. RF is not kept: there are no breakpoints that it would stop. */
static uint64_t flags_of_return(const struct cpu *c, unsigned bytes, uint64_t popped)
{
    uint64_t old = c->regs[REG_RFLAGS];
    uint64_t which = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_TF | FLAG_DF | FLAG_OF |
                     FLAG_NT;

    if (bytes > 2)
        which |= FLAG_AC | FLAG_ID;
    if (c->cpl == 0)
        which |= FLAG_IOPL;
    if (c->cpl <= (old & FLAG_IOPL) >> FLAG_IOPL_SHIFT)
        which |= FLAG_IF;
    return (old & ~which) | (popped & which);
}

/* RIP, CS, RFLAGS, RSP, SS, in that order from RSP on; in 64-bit mode always all five. */
static bool read_frame(struct exec *x, uint64_t frame[5])
{
    unsigned bytes = x->in->op_bytes;

    if (bytes == 8)
        return read_stack_bytes(x, frame, 40);
    for (unsigned i = 0; i < 5; i++)
        if (!read_stack(x, (uint64_t)i * bytes, bytes, &frame[i]))
            return false;
    return true;
}

bool op_iret(struct exec *x)
{
    struct cpu *c = x->c;
    unsigned bytes = x->in->op_bytes;
    uint64_t frame[5], flags;
    struct destination to;

    if (c->regs[REG_RFLAGS] & FLAG_NT)
        return raise_gp(c, 0);
    if (!read_frame(x, frame))
        return false;
    if (!check_return(c, (uint16_t)frame[1], frame[0], &to) ||
        !check_stack_segment(c, (uint16_t)frame[4], to.cpl, &to.stack) ||
        !mark_accessed(c, &to.code))
        return false;
    flags = flags_of_return(c, bytes, frame[2]);
    to.rsp = frame[3];
    set_segment(&c->seg[SEG_SS], (uint16_t)frame[4], &to.stack);
    go_to(c, &to);
    c->regs[REG_RFLAGS] = flags;
    return true;
}

/* RIP, CS, so many bytes as the instruction says, and for an outer level RSP, SS. */
bool op_ret_far(struct exec *x)
{
    struct cpu *c = x->c;
    unsigned bytes = x->in->op_bytes;
    uint64_t rip, cs, rsp, ss, more = x->k->forms[0] == FORM__ ? 0 : x->in->imm & 0xffff;
    struct destination to;

    if (!read_stack(x, 0, bytes, &rip) || !read_stack(x, bytes, bytes, &cs) ||
        !check_return(c, (uint16_t)cs, rip, &to))
        return false;
    to.rsp = c->regs[RSP] + 2 * bytes + more;
    if (to.cpl != c->cpl) {
        if (!read_stack(x, 2 * bytes + more, bytes, &rsp) ||
            !read_stack(x, 3 * bytes + more, bytes, &ss) ||
            !check_stack_segment(c, (uint16_t)ss, to.cpl, &to.stack) ||
            !mark_accessed(c, &to.code))
            return false;
        to.rsp = rsp + more;
        set_segment(&c->seg[SEG_SS], (uint16_t)ss, &to.stack);
    } else if (!mark_accessed(c, &to.code)) {
        return false;
    }
    go_to(c, &to);
    return true;
}

/* --- Far jumps and calls ---------------------------------------------------------------------- */

/* To a code segment of the same level, through a pointer in memory: the offset first. */
static bool read_target(struct exec *x, struct destination *to)
{
    struct cpu *c = x->c;
    unsigned bytes = x->in->op_bytes, dpl;
    uint16_t cs;

    *to = (struct destination){ .cpl = c->cpl, .rsp = c->regs[RSP] };
    if (!read_memory(x, 0, &to->rip, bytes) || !read_memory(x, bytes, &cs, 2) ||
        !read_code(c, cs, 0, &to->code))
        return false;
    dpl = ACCESS_DPL(to->code.access);
    if (to->code.access & TYPE_CONFORMING ? dpl > c->cpl
                                          : dpl != c->cpl || SELECTOR_RPL(cs) > c->cpl)
        return raise_gp(c, SELECTOR_INDEX(cs));
    if (!check_code(c, &to->code, 0))
        return false;
    to->code.selector = (uint16_t)(SELECTOR_INDEX(cs) | c->cpl);
    return is_canonical(to->rip) || raise_gp(c, 0);
}

bool op_jmp_far(struct exec *x)
{
    struct destination to;

    if (!read_target(x, &to) || !mark_accessed(x->c, &to.code))
        return false;
    go_to(x->c, &to);
    return true;
}

bool op_call_far(struct exec *x)
{
    struct cpu *c = x->c;
    unsigned bytes = x->in->op_bytes;
    struct destination to;

    if (!read_target(x, &to) || !mark_accessed(c, &to.code) ||
        !check_stack_write(x, c->regs[RSP] - 2 * bytes, 2 * bytes))
        return false;
    push(x, bytes, c->seg[SEG_CS].selector);
    push(x, bytes, x->next_rip);
    to.rsp = c->regs[RSP];
    go_to(c, &to);
    return true;
}

/* --- System calls ----------------------------------------------------------------------------- */

/* CS and SS of SYSCALL and SYSRET: flat, whatever the GDT has. */
static void set_flat_segments(struct cpu *c, uint16_t cs, uint16_t ss, unsigned cpl)
{
    uint16_t dpl = (uint16_t)(cpl << 5);

    c->seg[SEG_CS] = (struct segment){ cs, (uint16_t)(0xa09b | dpl), ~0u, 0 };
    c->seg[SEG_SS] = (struct segment){ ss, (uint16_t)(0xc093 | dpl), ~0u, 0 };
    set_cpl(c, cpl);
}

bool op_syscall(struct exec *x)
{
    struct cpu *c = x->c;
    uint16_t cs = (uint16_t)SELECTOR_INDEX(c->star >> 32);

    if (!(c->efer & EFER_SCE))
        return raise_ud(c);
    c->regs[RCX] = x->next_rip;
    c->regs[R11] = c->regs[REG_RFLAGS];
    c->regs[REG_RFLAGS] = (c->regs[REG_RFLAGS] & ~c->sfmask) | FLAG_MBS;
    set_flat_segments(c, cs, (uint16_t)(cs + 8), 0);
    c->regs[REG_RIP] = c->lstar;
    return true;
}

/* To 64-bit code; without REX.W it would be 32-bit code, which the guest does not have. */
bool op_sysret(struct exec *x)
{
    const uint64_t from_r11 = 0x3c7fd7 & ~(uint64_t)(FLAG_RF | FLAG_VM);
    struct cpu *c = x->c;
    uint16_t base = (uint16_t)(c->star >> 48);

    if (!(c->efer & EFER_SCE))
        return raise_ud(c);
    if (!check_cpl_0(x))
        return false;
    if (x->in->op_bytes != 8)
        return raise_gp(c, SELECTOR_INDEX(base));
    if (!is_canonical(c->regs[RCX]))
        return raise_gp(c, 0);
    c->regs[REG_RIP] = c->regs[RCX];
    c->regs[REG_RFLAGS] = (c->regs[R11] & from_r11) | FLAG_MBS;
    set_flat_segments(c, (uint16_t)((base + 16) | 3), (uint16_t)((base + 8) | 3), 3);
    return true;
}

bool op_swapgs(struct exec *x)
{
    struct cpu *c = x->c;
    uint64_t base = c->seg[SEG_GS].base;

    if (!check_cpl_0(x))
        return false;
    c->seg[SEG_GS].base = c->kernel_gs_base;
    c->kernel_gs_base = base;
    c->bases_set = true;
    return finish(x);
}

/* --- Software interrupts ---------------------------------------------------------------------- */

bool op_int(struct exec *x)
{
    return software_interrupt(x->c, (uint8_t)x->in->imm, x->next_rip);
}

bool op_int3(struct exec *x)
{
    return software_interrupt(x->c, VECTOR_BP, x->next_rip);
}

/* INT1 is the hardware's #DB, and a trap: no gate's DPL is asked. Delivered here, because a fault
 * would return to the instruction. */
bool op_int1(struct exec *x)
{
    finish(x);
    raise_fault(x->c, VECTOR_DB);
    deliver_fault(x->c);
    return x->c->stop == STOP_NOT;
}
