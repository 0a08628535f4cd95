/* MOVS, STOS, LODS, CMPS, SCAS (SDM vol. 2), alone and repeated. One call does as many steps as lie
 * in one page, or one step where an element crosses a page's end; RIP stays at the instruction
 * until the count is 0. Only the first step of a call can fault, so registers are always those of
 * complete steps. INS and OUTS are port.c. */
#include <string.h>
#include "common/x86/alu.h"
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/handlers.h"
#include "guest-pv/vmm/core/operand.h"

/* What the steps of one call have in common. */
struct run {
    unsigned bytes;             /* of an element */
    unsigned n;                 /* steps, at least 1 unless the count is 0 */
    bool down;                  /* DF */
    uint64_t from, to;          /* linear addresses of the first elements */
};

static uint64_t count_of(const struct exec *x)
{
    return x->in->rep ? x->c->regs[RCX] & size_mask(x->in->ad_bytes) : 1;
}

/* The elements from linear on, in direction, that lie whole in its page. */
static unsigned steps_in_page(const struct run *r, uint64_t linear)
{
    unsigned offset = (unsigned)(linear & (GUEST_PAGE - 1));

    if (offset + r->bytes > GUEST_PAGE)
        return 0;
    return r->down ? offset / r->bytes + 1 : (GUEST_PAGE - offset) / r->bytes;
}

/* The linear address by RSI or RDI. Limits the run to its page, and to one step near the ends of
 * 32-bit offsets, which wrap. */
static uint64_t set_place(struct exec *x, struct run *r, unsigned reg, uint64_t base)
{
    uint64_t mask = size_mask(x->in->ad_bytes), offset = x->c->regs[reg] & mask;

    r->n = MIN(r->n, MAX(steps_in_page(r, base + offset), 1u));
    if (x->in->ad_bytes == 4 && offset - GUEST_PAGE > mask - 2 * GUEST_PAGE)
        r->n = MIN(r->n, 1u);
    return base + offset;
}

static struct run make_run(struct exec *x, bool by_rsi, bool by_rdi)
{
    struct run r = { .bytes = x->in->op_bytes, .down = x->c->regs[REG_RFLAGS] & FLAG_DF };

    r.n = (unsigned)MIN(count_of(x), GUEST_PAGE);
    if (by_rsi)
        r.from = set_place(x, &r, RSI, segment_base(x->c, x->in));
    if (by_rdi)
        r.to = set_place(x, &r, RDI, 0);
    return r;
}

/* The address in the vmm of n elements, that of the lowest; all of them count as written, if that
 * is what is asked. NULL: a fault, of the first element. */
static uint8_t *map_run(struct exec *x, const struct run *r, uint64_t linear, unsigned how)
{
    unsigned others = (r->n - 1) * r->bytes;

    if (!r->down || others == 0)
        return map_linear(x->c, linear, others + r->bytes, how);
    if (map_linear(x->c, linear, r->bytes, how) == NULL)
        return NULL;
    return map_linear(x->c, linear - others, others + r->bytes, how);
}

static void advance(struct exec *x, const struct run *r, unsigned reg)
{
    uint64_t *p = &x->c->regs[reg], distance = (uint64_t)r->n * r->bytes;

    write_reg(p, x->in->ad_bytes, r->down ? *p - distance : *p + distance);
}

/* After r->n steps. Each counts as an instruction, and takes as much of the time until the platform
 * is polled; the caller counts one of them. */
static bool end_run(struct exec *x, const struct run *r, bool ended)
{
    if (x->in->rep) {
        x->c->budget -= r->n - 1;
        write_reg(&x->c->regs[RCX], x->in->ad_bytes, x->c->regs[RCX] - r->n);
        if (!ended && count_of(x) != 0)
            return true;
    }
    return finish(x);
}

/* An element by its size. __builtin: freestanding code calls memcpy by its name even for constant
 * sizes. */
static uint64_t element(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    switch (bytes) {
    case 1:
        return *at;
    case 2:
        __builtin_memcpy(&value, at, 2);
        return value;
    case 4:
        __builtin_memcpy(&value, at, 4);
        return value;
    default:
        __builtin_memcpy(&value, at, 8);
        return value;
    }
}

static void set_element(uint8_t *at, unsigned bytes, uint64_t value)
{
    switch (bytes) {
    case 1:
        *at = (uint8_t)value;
        break;
    case 2:
        __builtin_memcpy(at, &value, 2);
        break;
    case 4:
        __builtin_memcpy(at, &value, 4);
        break;
    default:
        __builtin_memcpy(at, &value, 8);
    }
}

/* Half as many instructions as newlib's memcpy takes, and the CPU's own fast way. */
static void copy(uint8_t *to, const uint8_t *from, unsigned bytes)
{
    uint64_t quads = bytes / 8, rest = bytes % 8;

    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(quads) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
}

/* Element by element in direction. Where a later element is written before it is read, what was
 * written is read; elsewhere the order does not show. */
static void copy_run(uint8_t *to, const uint8_t *from, const struct run *r)
{
    unsigned total = r->n * r->bytes, step = r->down ? -r->bytes : r->bytes;
    unsigned at = r->down ? total - r->bytes : 0;
    uint64_t ahead = (uint64_t)(r->down ? from - to : to - from);

    if (ahead >= total && -ahead >= total) {
        copy(to, from, total);
        return;
    }
    if (ahead == 0 || ahead >= total) {
        memmove(to, from, total);
        return;
    }
    for (unsigned i = 0; i < r->n; i++, at += step)
        set_element(to + at, r->bytes, element(from + at, r->bytes));
}

static bool fits_a_page(const struct run *r, uint64_t linear)
{
    return steps_in_page(r, linear) != 0;
}

bool op_movs(struct exec *x)
{
    struct run r = make_run(x, true, true);
    uint64_t value;

    if (r.n == 0)
        return finish(x);
    if (fits_a_page(&r, r.from) && fits_a_page(&r, r.to)) {
        const uint8_t *from = map_run(x, &r, r.from, ACCESS_READ);
        uint8_t *to = from ? map_run(x, &r, r.to, ACCESS_WRITE) : NULL;

        if (to == NULL)
            return false;
        copy_run(to, from, &r);
    } else if (!read_number(x->c, r.from, r.bytes, &value) ||
               !write_number(x->c, r.to, r.bytes, value)) {
        return false;
    }
    advance(x, &r, RSI);
    advance(x, &r, RDI);
    return end_run(x, &r, false);
}

static void fill_run(uint8_t *to, uint64_t value, const struct run *r)
{
    uint64_t same = (value & 0xff) * 0x0101010101010101u;

    if (((same ^ value) & size_mask(r->bytes)) == 0) {
        memset(to, (int)(value & 0xff), r->n * r->bytes);
        return;
    }
    for (unsigned i = 0; i < r->n; i++)
        set_element(to + i * r->bytes, r->bytes, value);
}

bool op_stos(struct exec *x)
{
    struct run r = make_run(x, false, true);
    uint64_t value = x->c->regs[RAX];

    if (r.n == 0)
        return finish(x);
    if (fits_a_page(&r, r.to)) {
        uint8_t *to = map_run(x, &r, r.to, ACCESS_WRITE);

        if (to == NULL)
            return false;
        fill_run(to, value, &r);
    } else if (!write_number(x->c, r.to, r.bytes, value)) {
        return false;
    }
    advance(x, &r, RDI);
    return end_run(x, &r, false);
}

/* One step a call: nobody repeats it. */
bool op_lods(struct exec *x)
{
    struct run r = make_run(x, true, false);
    uint64_t value;

    if (r.n == 0)
        return finish(x);
    r.n = 1;
    if (!read_number(x->c, r.from, r.bytes, &value))
        return false;
    write_reg(&x->c->regs[RAX], r.bytes, value);
    advance(x, &r, RSI);
    return end_run(x, &r, false);
}

/* Elements of two runs, or of one and the accumulator. */
struct pair {
    const uint8_t *from, *to;   /* the first elements; from is NULL: SCAS */
    uint64_t a, b;              /* those compared last */
};

/* Compares until a pair ends the repetition. The number of steps. */
static unsigned compare_run(struct pair *p, const struct run *r, bool while_equal)
{
    unsigned i = 0, step = r->down ? -r->bytes : r->bytes;

    for (int at = 0; i < r->n; at += (int)step) {
        if (p->from != NULL)
            p->a = element(p->from + at, r->bytes);
        p->b = element(p->to + at, r->bytes);
        i++;
        if ((((p->a ^ p->b) & size_mask(r->bytes)) == 0) != while_equal)
            break;
    }
    return i;
}

/* The first pair, which may cross a page's end; or the run. False: a fault. CPUs read by RDI first,
 * which shows when neither may be read. */
static bool compare_elements(struct exec *x, struct run *r, struct pair *p, bool cmps)
{
    if (!read_number(x->c, r->to, r->bytes, &p->b))
        return false;
    if (cmps && !read_number(x->c, r->from, r->bytes, &p->a))
        return false;
    if (r->n > 1) {
        p->from = cmps ? map_linear(x->c, r->from, r->bytes, ACCESS_READ) : NULL;
        p->to = map_linear(x->c, r->to, r->bytes, ACCESS_READ);
        r->n = compare_run(p, r, x->in->rep == 0xf3);
    }
    return true;
}

/* CMPS compares what RSI and RDI point to, SCAS the accumulator and what RDI points to. */
bool op_cmps(struct exec *x)
{
    bool cmps = x->k->op == OP_CMPS, equal;
    struct run r = make_run(x, cmps, true);
    struct pair p = { .a = x->c->regs[RAX] };

    if (r.n == 0)
        return finish(x);
    if (!compare_elements(x, &r, &p, cmps))
        return false;
    equal = ((p.a ^ p.b) & size_mask(r.bytes)) == 0;
    compare(r.bytes, p.a, p.b, &x->c->regs[REG_RFLAGS]);
    if (cmps)
        advance(x, &r, RSI);
    advance(x, &r, RDI);
    return end_run(x, &r, equal != (x->in->rep == 0xf3));
}
