/* Bytes of host code: the few instructions that translated code has besides those of the guest.
 * None of them changes a flag. Called by build.c, branch.c and sequence.c; patch_branch() by
 * cache.c too. */
#include <stddef.h>
#include <string.h>
#include "guest-pv/vmm/translate/region.h"

void emit_bytes(struct emitter *e, const void *bytes, unsigned n)
{
    uint8_t *to = e->t->host->memory + e->t->used;
    const uint8_t *from = bytes;

    e->t->used += n;
    while (n-- > 0) /* a call of memcpy takes longer */
        *to++ = *from++;
}

static void emit_byte(struct emitter *e, unsigned byte)
{
    uint8_t b = (uint8_t)byte;

    emit_bytes(e, &b, 1);
}
static void emit_word(struct emitter *e, int32_t word)
{
    __builtin_memcpy(e->t->host->memory + e->t->used, &word, 4);
    e->t->used += 4;
}

static void add_point(struct emitter *e, int32_t delta, unsigned fix)
{
    struct translator *t = e->t;
    struct point *p = &t->points[t->nr_points];
    uint16_t offset = (uint16_t)(t->used - e->b->start);

    if (e->b->nr_points != 0 && p[-1].offset == offset) {
        p--;
    } else {
        t->nr_points++;
        e->b->nr_points++;
    }
    *p = (struct point){ delta, offset, (uint16_t)fix };
}

void emit_point(struct emitter *e, uint64_t rip, unsigned fix)
{
    bool shadow = rip == e->shadow && rip != 0 && !(fix & RIP_OF_BRANCH);

    add_point(e, (int32_t)(rip - e->b->rip), fix | (shadow ? IN_SHADOW : 0));
}

void emit_point_of_stub(struct emitter *e, uint32_t stub)
{
    add_point(e, (int32_t)(stub - e->b->first_stub), RIP_OF_STUB);
}

/* 64 bits between a register and a word of the region. What is written behind it is overwritten. */
static void emit_move(struct emitter *e, unsigned opcode, unsigned reg, unsigned offset)
{
    struct translator *t = e->t;
    uint32_t displacement = offset - (t->used + 7);
    uint64_t bytes = 0x48u | (reg >= 8 ? 4u : 0) | opcode << 8 | (0x05u | (reg & 7) << 3) << 16 |
                     (uint64_t)displacement << 24;

    __builtin_memcpy(t->host->memory + t->used, &bytes, 8);
    t->used += 7;
}
void emit_load(struct emitter *e, unsigned reg, unsigned offset)
{
    emit_move(e, 0x8b, reg, offset);
}
void emit_store(struct emitter *e, unsigned reg, unsigned offset)
{
    emit_move(e, 0x89, reg, offset);
}

static unsigned place_of(unsigned reg)
{
    return reg == RAX   ? offsetof(struct state_page, rax)
           : reg == RCX ? offsetof(struct state_page, rcx)
           : reg == RDX ? offsetof(struct state_page, rdx)
                        : offsetof(struct state_page, r11);
}
void emit_save(struct emitter *e, unsigned reg)
{
    emit_store(e, reg, place_of(reg));
}
void emit_restore(struct emitter *e, unsigned reg)
{
    emit_load(e, reg, place_of(reg));
}

/* movq $value, offset(%rip) */
void emit_set(struct emitter *e, unsigned offset, int32_t value)
{
    emit_bytes(e, "\x48\xc7\x05", 3);
    emit_word(e, (int32_t)offset - (int32_t)(e->t->used + 8));
    emit_word(e, value);
}

/* movl $value, offset(%rip) */
uint32_t emit_set_host_address(struct emitter *e, unsigned offset)
{
    emit_bytes(e, "\xc7\x05", 2);
    emit_word(e, (int32_t)offset - (int32_t)(e->t->used + 8));
    emit_word(e, 0);
    return e->t->used - 4;
}

void set_host_address(struct translator *t, uint32_t at, uint32_t to)
{
    uint32_t low = (uint32_t)(t->host->base + to);

    memcpy(t->host->memory + at, &low, 4);
}

/* lea value(%rcx), %rcx */
void emit_add_to_rcx(struct emitter *e, int32_t value)
{
    emit_bytes(e, "\x48\x8d\x89", 3);
    emit_word(e, value);
}

void emit_jump_by(struct emitter *e, unsigned offset)
{
    emit_bytes(e, "\xff\x25", 2);
    emit_word(e, (int32_t)offset - (int32_t)(e->t->used + 4));
}

uint32_t emit_branch(struct emitter *e, unsigned cc)
{
    if (cc == JMP_ALWAYS) {
        emit_byte(e, 0xe9);
    } else {
        emit_byte(e, 0x0f);
        emit_byte(e, 0x80 | cc);
    }
    emit_word(e, 0);
    return e->t->used - 4;
}

void patch_branch(struct translator *t, uint32_t at, uint32_t to)
{
    int32_t displacement = (int32_t)to - (int32_t)(at + 4);

    memcpy(t->host->memory + at, &displacement, 4);
}

/* RCX and R11 are what SYSCALL overwrites. */
static void emit_callout(struct emitter *e, struct stub *s)
{
    emit_save(e, RCX);
    emit_save(e, R11);
    emit_bytes(e, e->t->host->callout, 2);
    s->at = e->t->used;
}

static struct stub *new_stub(struct emitter *e, enum exit_kind kind, uint64_t rip)
{
    struct translator *t = e->t;
    struct stub *s = &t->stubs[t->nr_stubs++];

    *s = (struct stub){ .rip = rip, .block = (uint32_t)(e->b - t->blocks), .kind = (uint8_t)kind };
    e->b->nr_stubs++;
    return s;
}

uint32_t emit_stub(struct emitter *e, enum exit_kind kind, uint64_t rip)
{
    struct stub *s = new_stub(e, kind, rip);

    emit_callout(e, s);
    return (uint32_t)(s - e->t->stubs);
}

uint32_t emit_exit(struct emitter *e, unsigned cc, uint64_t rip, unsigned slot)
{
    struct stub *s = new_stub(e, EXIT_OF_BRANCH, rip);

    s->patch = emit_branch(e, cc);
    s->slot = (uint16_t)slot;
    return (uint32_t)(s - e->t->stubs);
}

void emit_jump_of_return(struct emitter *e, uint64_t rip)
{
    emit_byte(e, 0xe3);
    new_stub(e, PLACE_OF_RETURN, rip)->patch = e->t->used;
    emit_byte(e, OVER_MISS);
}

/* A stub that has its callout already is not a branch's. */
void emit_stubs_of_exits(struct emitter *e)
{
    struct translator *t = e->t;

    for (uint32_t nr = e->b->first_stub; nr < t->nr_stubs; nr++) {
        struct stub *s = &t->stubs[nr];

        if (s->kind != EXIT_OF_BRANCH)
            continue;
        emit_point_of_stub(e, nr);
        patch_branch(t, s->patch, t->used);
        emit_callout(e, s);
    }
}

static bool is_legacy_prefix(uint8_t b)
{
    return b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 || b == 0x2e ||
           b == 0x36 || b == 0x3e || b == 0x26 || b == 0x64 || b == 0x65;
}

static bool is_of_address(uint8_t prefix)
{
    return prefix == 0x64 || prefix == 0x65 || prefix == 0x67;
}

/* The memory operand behind ModRM: as it was, or absolute where it was relative to RIP. */
static bool emit_address(struct emitter *e, const uint8_t *modrm, const struct insn *in,
                         unsigned reg)
{
    unsigned mod = *modrm >> 6, rm = *modrm & 7, n = 1;
    uint64_t target = e->rip + in->length + (uint64_t)in->disp;

    emit_byte(e, in->base == REG_RIP ? reg << 3 | 4 : (*modrm & 0xc7u) | reg << 3);
    if (in->base == REG_RIP) {
        emit_byte(e, 0x25);
        emit_word(e, (int32_t)target);
        return (uint64_t)(int64_t)(int32_t)target == target;
    }
    if (mod == 3)
        return true;
    if (rm == 4)
        n = 2 + (mod == 0 && (modrm[1] & 7) == 5 ? 4 : 0);
    n += mod == 1 ? 1 : mod == 2 ? 4 : 0;
    emit_bytes(e, modrm + 1, n - 1);
    return true;
}

bool emit_operand_of(struct emitter *e, const uint8_t *bytes, const struct insn *in, int opcode,
                     unsigned reg)
{
    unsigned at = 0, rex = 0, opcode_at, tail;

    for (;; at++) {
        if ((bytes[at] & 0xf0) == 0x40)
            rex = bytes[at];
        else if (!is_legacy_prefix(bytes[at]))
            break;
        else
            rex = 0; /* one that stands before another prefix does not count */
        if (is_legacy_prefix(bytes[at]) && (opcode == 0 || is_of_address(bytes[at])))
            emit_byte(e, bytes[at]);
    }
    if (in->base == REG_RIP)
        rex &= ~3u; /* with a SIB byte they would count */
    if (opcode != 0)
        rex = 0x48 | (rex & 3);
    if (rex != 0)
        emit_byte(e, rex);
    opcode_at = at;
    if (bytes[at++] == 0x0f)
        at += bytes[at] == 0x38 || bytes[at] == 0x3a ? 2 : 1;
    if (opcode != 0)
        emit_byte(e, (unsigned)opcode);
    else
        emit_bytes(e, bytes + opcode_at, at - opcode_at);
    if (!emit_address(e, bytes + at, in, opcode != 0 ? reg : bytes[at] >> 3 & 7))
        return false;
    tail = at + 5; /* ModRM and displacement; an immediate follows */
    if (opcode == 0)
        emit_bytes(e, bytes + tail, in->length - tail);
    return true;
}
