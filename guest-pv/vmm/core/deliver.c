/* Exceptions and interrupts through the guest's IDT: see deliver.h. IDT, GDT, TSS and the stack are
 * the guest's memory and may be anything: all of it is read once and checked before a register
 * changes. What is delivered at last is bounded: benign, then contributory or #PF, then #DF. */
#include "common/x86/canonical.h"
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/deliver.h"
#include "guest-pv/vmm/core/descriptor.h"

#define DR6_BS (1ull << 14)
#define TSS_RSP0 4u
#define TSS_IST1 0x24u

/* HARDWARE: an exception or an interrupt, which a fault on the way calls external (EXT); SOFTWARE:
 * INT n, INT3, INTO, whose gates have to be open to the CPL. */
enum kind { EXCEPTION, INTERRUPT, SOFTWARE };

struct event {
    struct cpu_fault fault;         /* vector and error code */
    enum kind kind;
    uint64_t rip;               /* to return to */
};

struct gate {
    uint64_t offset;
    uint16_t selector;
    uint8_t ist, type;
};

static unsigned ext_of(const struct event *e)
{
    return e->kind != SOFTWARE;
}

static bool read_gate(struct cpu *c, const struct event *e, struct gate *g)
{
    unsigned at = e->fault.vector * 16u;
    uint32_t error = e->fault.vector * 8u | 2 | ext_of(e), access;
    uint64_t words[2];

    if (at + 15 > c->idtr.limit)
        return raise_gp(c, error);
    if (!read_system_number(c, c->idtr.base + at, &words[0]) ||
        !read_system_number(c, c->idtr.base + at + 8, &words[1]))
        return false;
    access = words[0] >> 40 & 0xff;
    g->offset = (words[0] & 0xffff) | (words[0] >> 48) << 16 | words[1] << 32;
    g->selector = (uint16_t)(words[0] >> 16);
    g->ist = words[0] >> 32 & 7;
    g->type = TYPE(access);
    if ((access & ACCESS_S) || g->type < TYPE_INTERRUPT_GATE)
        return raise_gp(c, error);
    if (e->kind == SOFTWARE && ACCESS_DPL(access) < c->cpl)
        return raise_gp(c, error);
    if (!(access & ACCESS_PRESENT))
        return raise_error(c, VECTOR_NP, error);
    return true;
}

/* The handler's code segment and the CPL that it will have. */
static bool read_handler(struct cpu *c, const struct event *e, const struct gate *g,
                         struct descriptor *code, unsigned *cpl)
{
    unsigned ext = ext_of(e);

    if (!read_code(c, g->selector, ext, code))
        return false;
    if (ACCESS_DPL(code->access) > c->cpl)
        return raise_gp(c, SELECTOR_INDEX(g->selector) | ext);
    if (!check_code(c, code, ext))
        return false;
    if (!is_canonical(g->offset))
        return raise_gp(c, ext);
    *cpl = code->access & TYPE_CONFORMING ? c->cpl : ACCESS_DPL(code->access);
    return mark_accessed(c, code);
}

static bool read_tss(struct cpu *c, const struct event *e, unsigned at, uint64_t *rsp)
{
    if (at + 7 > c->tr.limit)
        return raise_error(c, VECTOR_TS, SELECTOR_INDEX(c->tr.selector) | ext_of(e));
    return read_system_number(c, c->tr.base + at, rsp);
}

static bool find_stack(struct cpu *c, const struct event *e, const struct gate *g, unsigned cpl,
                       uint64_t *rsp)
{
    if (g->ist != 0)
        return read_tss(c, e, TSS_IST1 + 8 * (g->ist - 1u), rsp);
    if (cpl < c->cpl)
        return read_tss(c, e, TSS_RSP0 + 8 * cpl, rsp);
    *rsp = c->regs[RSP];
    return true;
}

/* RF: the instruction that a fault returns to is not to meet its own breakpoint again. */
static uint64_t flags_to_push(const struct cpu *c, const struct event *e)
{
    bool returns_to_instruction = e->kind == EXCEPTION && e->fault.vector != VECTOR_DB &&
                                  e->fault.vector != VECTOR_DF;

    return c->regs[REG_RFLAGS] | (returns_to_instruction ? FLAG_RF : 0);
}

/*      SS      rsp on entry was aligned to 16
 *      RSP
 *      RFLAGS
 *      CS
 *      RIP
 *      error   if there is one; rsp afterwards */
static bool push_frame(struct cpu *c, const struct event *e, unsigned cpl, uint64_t *rsp)
{
    uint64_t frame[6] = {
        e->fault.error, e->rip, c->seg[SEG_CS].selector, flags_to_push(c, e),
        c->regs[RSP],   c->seg[SEG_SS].selector,
    };
    unsigned first = e->fault.has_error ? 0 : 1, bytes = 8 * (6 - first);

    *rsp = (*rsp & ~15ull) - bytes;
    if (write_linear(c, *rsp, frame + first, bytes, cpl == 3 ? ACCESS_READ : ACCESS_SYSTEM))
        return true;
    if (c->fault.vector == VECTOR_GP)
        raise_error(c, VECTOR_SS, ext_of(e));
    return false;
}

static bool deliver(struct cpu *c, const struct event *e)
{
    struct gate g = { 0 };
    struct descriptor code;
    unsigned cpl = 0;
    uint64_t rsp;

    if (!read_gate(c, e, &g) || !read_handler(c, e, &g, &code, &cpl) ||
        !find_stack(c, e, &g, cpl, &rsp) || !push_frame(c, e, cpl, &rsp))
        return false;
    set_segment(&c->seg[SEG_CS], (uint16_t)(SELECTOR_INDEX(g.selector) | cpl), &code);
    if (cpl != c->cpl)
        set_null_segment(&c->seg[SEG_SS], (uint16_t)cpl);
    set_cpl(c, cpl);
    c->regs[RSP] = rsp;
    c->regs[REG_RIP] = g.offset;
    c->regs[REG_RFLAGS] &= ~(uint64_t)(FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM);
    if (g.type == TYPE_INTERRUPT_GATE)
        c->regs[REG_RFLAGS] &= ~(uint64_t)FLAG_IF;
    c->shadow = false;
    return true;
}

/* --- Faults on the way (SDM vol. 3, table 6-5) ------------------------------------------------ */

static bool is_contributory(unsigned vector)
{
    return vector == VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

static bool makes_double_fault(const struct event *first, const struct cpu_fault *second)
{
    if (first->kind != EXCEPTION)
        return false;
    if (first->fault.vector == VECTOR_PF)
        return is_contributory(second->vector) || second->vector == VECTOR_PF;
    return is_contributory(first->fault.vector) && is_contributory(second->vector);
}

/* A kernel that wants a restart loads an empty IDT and makes any exception. */
static void shut_down(struct cpu *c, const struct cpu_fault *first)
{
    bool restart = c->idtr.limit == 0;

    cpu_stop(c, restart ? STOP_RESET : STOP_SHUTDOWN,
             "triple fault%s: exception %u, error code %x, at RIP %llx, CR2 %llx",
             restart ? " with an empty IDT" : "", first->vector, (unsigned)first->error,
             (unsigned long long)c->regs[REG_RIP], (unsigned long long)c->cr2);
}

static void deliver_event(struct cpu *c, struct event e)
{
    struct cpu_fault first = e.fault;

    while (!deliver(c, &e)) {
        struct cpu_fault next = c->fault;

        if (e.kind == EXCEPTION && e.fault.vector == VECTOR_DF) {
            shut_down(c, &first);
            return;
        }
        if (next.vector == VECTOR_PF)
            c->cr2 = next.address;
        if (makes_double_fault(&e, &next))
            next = (struct cpu_fault){ .vector = VECTOR_DF, .has_error = true };
        e = (struct event){ .fault = next, .kind = EXCEPTION, .rip = c->regs[REG_RIP] };
    }
}

void deliver_fault(struct cpu *c)
{
    c->counters.exceptions[c->fault.vector & 31]++;
    if (c->fault.vector == VECTOR_PF)
        c->cr2 = c->fault.address;
    if (c->exception_raised != NULL)
        c->exception_raised(c);
    deliver_event(c, (struct event){ .fault = c->fault, .rip = c->regs[REG_RIP] });
}

void deliver_single_step(struct cpu *c)
{
    c->dr[6] |= DR6_BS;
    raise_fault(c, VECTOR_DB);
    deliver_fault(c);
}

void deliver_interrupt(struct cpu *c, uint8_t vector)
{
    c->counters.interrupts++;
    c->halted = false;
    deliver_event(c, (struct event){ .fault = { .vector = vector }, .kind = INTERRUPT,
                                     .rip = c->regs[REG_RIP] });
}

bool software_interrupt(struct cpu *c, uint8_t vector, uint64_t next_rip)
{
    return deliver(c, &(struct event){ .fault = { .vector = vector }, .kind = SOFTWARE,
                                       .rip = next_rip });
}
