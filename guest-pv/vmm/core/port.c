/* IN, OUT, INS, OUTS: who may (SDM vol. 1, 19.5: IOPL, or the I/O bitmap of the TSS), and the
 * transfer. What is behind a port is the platform's. */
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/handlers.h"
#include "guest-pv/vmm/core/operand.h"
#include "guest-pv/vmm/core/system.h"
#include "guest-pv/vmm/platform/platform.h"

#define TSS_BITMAP_AT 0x66u     /* where the TSS says at which offset the bitmap starts */
#define STEPS_AT_A_TIME 64u     /* of REP INS and REP OUTS, then the run loop has its turn */

/* The CPU reads two bytes of the bitmap, because the bits of a wide port may lie in both. */
static bool bitmap_allows(struct cpu *c, uint16_t port, unsigned bytes)
{
    uint16_t start, bits;
    uint32_t at;

    if (c->tr.limit < TSS_BITMAP_AT + 1)
        return raise_gp(c, 0);
    if (!read_linear(c, c->tr.base + TSS_BITMAP_AT, &start, 2, ACCESS_SYSTEM))
        return false;
    at = start + port / 8u;
    if (at + 1 > c->tr.limit)
        return raise_gp(c, 0);
    if (!read_linear(c, c->tr.base + at, &bits, 2, ACCESS_SYSTEM))
        return false;
    return (bits >> port % 8 & ((1u << bytes) - 1)) == 0 || raise_gp(c, 0);
}

static bool check_port(struct cpu *c, uint16_t port, unsigned bytes)
{
    return cpl_has_io(c) || bitmap_allows(c, port, bytes);
}

/* False: the guest has asked for a reset by it. */
static bool out(struct cpu *c, uint16_t port, unsigned bytes, uint64_t value)
{
    port_write(c->platform, port, bytes, (uint32_t)(value & size_mask(bytes)));
    if (c->platform->reset)
        return cpu_stop(c, STOP_RESET, "the guest reset its machine by port %x", port);
    return true;
}

bool op_in(struct exec *x)
{
    unsigned bytes = operand_size(x, 0);
    uint64_t port;

    if (!read_operand(x, 1, &port) || !check_port(x->c, (uint16_t)port, bytes))
        return false;
    return write_operand(x, 0, port_read(x->c->platform, (uint16_t)port, bytes)) && finish(x);
}

bool op_out(struct exec *x)
{
    unsigned bytes = operand_size(x, 1);
    uint64_t port, value;

    if (!read_operand(x, 0, &port) || !read_operand(x, 1, &value) ||
        !check_port(x->c, (uint16_t)port, bytes))
        return false;
    finish(x);
    return out(x->c, (uint16_t)port, bytes, value);
}

/* --- INS, OUTS -------------------------------------------------------------------------------- */

static void advance(struct exec *x, unsigned reg, unsigned bytes)
{
    uint64_t *regs = x->c->regs;
    bool down = regs[REG_RFLAGS] & FLAG_DF;

    write_reg(&regs[reg], x->in->ad_bytes, regs[reg] + (down ? -(uint64_t)bytes : bytes));
    if (x->in->rep)
        write_reg(&regs[RCX], x->in->ad_bytes, regs[RCX] - 1);
}

/* The port is read only when memory can take what it gives. */
static bool ins(struct exec *x, uint16_t port, unsigned bytes)
{
    struct cpu *c = x->c;
    uint64_t linear = c->regs[RDI] & size_mask(x->in->ad_bytes);

    if (!check_write(x, linear, bytes) ||
        !write_number(c, linear, bytes, port_read(c->platform, port, bytes)))
        return false;
    advance(x, RDI, bytes);
    return true;
}

static bool outs(struct exec *x, uint16_t port, unsigned bytes)
{
    struct cpu *c = x->c;
    uint64_t offset = c->regs[RSI] & size_mask(x->in->ad_bytes), value;

    if (!read_number(c, segment_base(c, x->in) + offset, bytes, &value))
        return operand_fault(x);
    advance(x, RSI, bytes);
    return out(c, port, bytes, value);
}

static bool is_finished(const struct exec *x)
{
    return x->in->rep && (x->c->regs[RCX] & size_mask(x->in->ad_bytes)) == 0;
}

/* The right to the port is asked for even if the count is 0. A fault of a later step is met again
 * when the instruction goes on. */
bool op_string_port(struct exec *x)
{
    struct cpu *c = x->c;
    unsigned bytes = MIN(x->in->op_bytes, 4u);
    uint16_t port = (uint16_t)c->regs[RDX];

    if (!check_port(c, port, bytes))
        return false;
    if (is_finished(x))
        return finish(x);
    for (unsigned i = 0; i < STEPS_AT_A_TIME; i++) {
        if (!(x->k->op == OP_INS ? ins(x, port, bytes) : outs(x, port, bytes)))
            return i > 0 && c->stop == STOP_NOT;
        c->budget -= i > 0; /* each step is an instruction to the run loop; it knows of one */
        if (!x->in->rep || is_finished(x))
            return finish(x);
    }
    return true;
}
