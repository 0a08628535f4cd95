/* The x87's state: control and status words, the environment of FNSTENV, FNSAVE's image, and what
 * sets them. Numbers are x87.c's, FXSAVE's image fx.c's. The environment is that of 32-bit
 * protected mode, or with the operand-size prefix of 16-bit (SDM vol. 1, 8.1.10), and selectors are
 * 0. */
#include <string.h>
#include "guest-pv/vmm/core/handlers.h"
#include "guest-pv/vmm/core/x87.h"

#define FCW_WRITABLE 0x1f3fu
#define FCW_FIXED 0x40u
#define FSW_CLEARED_BY_FNCLEX 0x80ffu
#define FOP_BITS 0x7ffu

enum { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

void set_x87_status(struct fx_state *fx, uint16_t fsw)
{
    fsw &= (uint16_t)~(FSW_ES | FSW_B);
    fx->fsw = fsw & ~fx->fcw & FSW_EXCEPTIONS ? fsw | FSW_ES | FSW_B : fsw;
}

void set_x87_control(struct fx_state *fx, uint16_t fcw)
{
    fx->fcw = (fcw & FCW_WRITABLE) | FCW_FIXED;
    set_x87_status(fx, fx->fsw);
}

/* Two bits for each register, of which the image keeps only whether it is empty. */
static unsigned tag(const struct fx_state *fx, unsigned nr)
{
    const uint8_t *st = fx->st[(nr - (fx->fsw >> FSW_TOP_SHIFT)) & 7];
    uint64_t significand;
    uint16_t exponent;

    memcpy(&significand, st, 8);
    memcpy(&exponent, st + 8, 2);
    exponent &= 0x7fff;
    if (!(fx->ftw >> nr & 1))
        return TAG_EMPTY;
    if (exponent == 0 && significand == 0)
        return TAG_ZERO;
    return exponent == 0 || exponent == 0x7fff || !(significand >> 63) ? TAG_SPECIAL : TAG_VALID;
}

static uint16_t full_tags(const struct fx_state *fx)
{
    unsigned tags = 0;

    for (unsigned i = 0; i < 8; i++)
        tags |= tag(fx, i) << 2 * i;
    return (uint16_t)tags;
}

static void init_x87(struct fx_state *fx)
{
    set_x87_top(fx, 0);
    fx->fcw = FCW_AT_RESET;
    fx->fsw = fx->ftw = 0;
    fx->fop = 0;
    fx->fip = fx->fdp = 0;
}

/* --- Environments ----------------------------------------------------------------------------- */

/* The words of the format with 4 bytes each; the other one has the lower halves, and no opcode. */
struct environment {
    uint32_t words[7];          /* FCW, FSW, tags, FIP, CS and FOP, FDP, DS */
};

static bool is_short(const struct exec *x)
{
    return x->in->opsize && !(x->in->rex & 8);
}

static void make_environment(const struct fx_state *fx, struct environment *e)
{
    *e = (struct environment){ {
        0xffff0000u | fx->fcw, 0xffff0000u | fx->fsw, 0xffff0000u | full_tags(fx),
        (uint32_t)fx->fip, (uint32_t)(fx->fop & FOP_BITS) << 16, (uint32_t)fx->fdp, 0xffff0000u,
    } };
}

static unsigned pack_environment(const struct exec *x, const struct environment *e, uint8_t *to)
{
    if (!is_short(x)) {
        memcpy(to, e, sizeof(*e));
        return sizeof(*e);
    }
    for (unsigned i = 0; i < 7; i++)
        memcpy(to + 2 * i, &e->words[i], 2);
    return 14;
}

static unsigned unpack_environment(const struct exec *x, const uint8_t *from, struct environment *e)
{
    *e = (struct environment){ { 0 } };
    if (!is_short(x)) {
        memcpy(e, from, sizeof(*e));
        return sizeof(*e);
    }
    for (unsigned i = 0; i < 7; i++)
        memcpy(&e->words[i], from + 2 * i, 2);
    return 14;
}

static void set_environment(struct fx_state *fx, const struct environment *e)
{
    unsigned tags = e->words[2];

    set_x87_top(fx, e->words[1] >> FSW_TOP_SHIFT & 7);
    fx->fcw = (e->words[0] & FCW_WRITABLE) | FCW_FIXED;
    set_x87_status(fx, (uint16_t)e->words[1]);
    fx->ftw = 0;
    for (unsigned i = 0; i < 8; i++)
        if ((tags >> 2 * i & 3) != TAG_EMPTY)
            fx->ftw |= (uint8_t)(1u << i);
    fx->fip = e->words[3];
    fx->fop = e->words[4] >> 16 & FOP_BITS;
    fx->fdp = e->words[5];
}

/* --- Handlers --------------------------------------------------------------------------------- */

bool op_fwait(struct exec *x)
{
    if ((x->c->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS))
        return raise_fault(x->c, VECTOR_NM);
    return no_x87_pending(x->c) && finish(x);
}

/* FENI, FDISI and FSETPM of older coprocessors. */
bool op_x87_nop(struct exec *x)
{
    return x87_usable(x, false) && finish(x);
}

bool op_fninit(struct exec *x)
{
    if (!x87_usable(x, false))
        return false;
    init_x87(&x->c->fx);
    return finish(x);
}

bool op_fnclex(struct exec *x)
{
    if (!x87_usable(x, false))
        return false;
    x->c->fx.fsw &= (uint16_t)~FSW_CLEARED_BY_FNCLEX;
    return finish(x);
}

bool op_fnstcw(struct exec *x)
{
    return x87_usable(x, false) && write_operand(x, 0, x->c->fx.fcw) && finish(x);
}

bool op_fnstsw(struct exec *x)
{
    return x87_usable(x, false) && write_operand(x, 0, x->c->fx.fsw) && finish(x);
}

bool op_fldcw(struct exec *x)
{
    uint64_t fcw;

    if (!x87_usable(x, true) || !read_operand(x, 0, &fcw))
        return false;
    set_x87_control(&x->c->fx, (uint16_t)fcw);
    return finish(x);
}

/* Masks all exceptions afterwards. */
bool op_fnstenv(struct exec *x)
{
    struct fx_state *fx = &x->c->fx;
    uint8_t image[sizeof(struct environment)];
    struct environment e;
    unsigned bytes;

    if (!x87_usable(x, false))
        return false;
    make_environment(fx, &e);
    bytes = pack_environment(x, &e, image);
    if (!write_memory(x, 0, image, bytes))
        return false;
    set_x87_control(fx, fx->fcw | FSW_EXCEPTIONS);
    return finish(x);
}

bool op_fldenv(struct exec *x)
{
    uint8_t image[sizeof(struct environment)];
    struct environment e;

    if (!x87_usable(x, true) || !read_memory(x, 0, image, operand_size(x, 0)))
        return false;
    unpack_environment(x, image, &e);
    set_environment(&x->c->fx, &e);
    return finish(x);
}

/* Behind the environment ST(0) to ST(7), 10 bytes each. */
bool op_fnsave(struct exec *x)
{
    struct fx_state *fx = &x->c->fx;
    uint8_t image[sizeof(struct environment) + 80];
    struct environment e;
    unsigned bytes;

    if (!x87_usable(x, false))
        return false;
    make_environment(fx, &e);
    bytes = pack_environment(x, &e, image);
    for (unsigned i = 0; i < 8; i++, bytes += 10)
        memcpy(image + bytes, fx->st[i], 10);
    if (!write_memory(x, 0, image, bytes))
        return false;
    init_x87(fx);
    return finish(x);
}

bool op_frstor(struct exec *x)
{
    struct fx_state *fx = &x->c->fx;
    uint8_t image[sizeof(struct environment) + 80];
    struct environment e;
    unsigned bytes;

    if (!x87_usable(x, true) || !read_memory(x, 0, image, operand_size(x, 0)))
        return false;
    bytes = unpack_environment(x, image, &e);
    set_environment(fx, &e);
    for (unsigned i = 0; i < 8; i++, bytes += 10)
        memcpy(fx->st[i], image + bytes, 10);
    return finish(x);
}
