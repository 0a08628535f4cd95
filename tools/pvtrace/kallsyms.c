/* The symbols that a Linux kernel keeps of itself (CONFIG_KALLSYMS), found in its image by their
 * shape: no header and no symbol says where they are. As scripts/kallsyms.c of Linux 6.1 to 6.12
 * writes them, each table at a multiple of 8:
 *
 *   offsets       u32 for each symbol (up to 6.4 here, later behind token_index)
 *   relative_base u64, behind offsets
 *   num_syms      u32
 *   names         for each symbol: its length in tokens (one byte, or two for 128 and more), the
 *                 tokens; expanded, the first letter is nm's for its kind
 *   markers       u32: where each 256th name begins in names
 *   token_table   256 strings
 *   token_index   u16: where each of them begins in token_table
 *
 *   1. The tokens of the digits are the digits, one after the other: they give token_table, and
 *      token_index behind it, which must agree.
 *   2. Before them is a number of which as many names follow, with markers that agree behind them.
 *   3. The offsets that rise from symbol to symbol are the right ones of the two places.
 *
 * The image may hold anything: each table is believed only as far as it was checked. */
#define _GNU_SOURCE                     /* memmem */
#include "tools/pvtrace/pvtrace.h"

#include <string.h>

#include "common/compiler.h"

#define TOKENS 256u
#define MARKED 256u                     /* names from one marker to the next */
#define MIN_SYMBOLS 512u
#define MAX_SYMBOLS (1u << 22)
#define MAX_NAME_STEPS (1u << 26)  /* that the search for names may take, whatever the image says */
#define ALIGN(x) ALIGN_UP(x, (size_t)8)

struct tables {
    const uint8_t *image;
    size_t size;
    size_t token_table, token_index, names;
    uint32_t count;
    size_t offsets;
    uint64_t base;
    bool absolute_percpu;               /* offsets below 0 count from base, others are addresses */
};

static uint64_t load(const struct tables *t, size_t at, unsigned bytes)
{
    uint64_t value = 0;

    if (at <= t->size && bytes <= t->size - at)
        memcpy(&value, t->image + at, bytes);
    return value;
}

static const char *token(const struct tables *t, uint8_t i)
{
    return (const char *)t->image + t->token_table + load(t, t->token_index + 2u * i, 2);
}

/* --- 1. Tokens -------------------------------------------------------------------------------- */
/* The digits' tokens begin at zero. */
static bool tokens_agree(struct tables *t, size_t zero)
{
    size_t starts[TOKENS], end = zero;

    for (unsigned i = '0'; i < TOKENS; i++) {
        starts[i] = end;
        end += strnlen((const char *)t->image + end, t->size - end) + 1;
        if (end > t->size)
            return false;
    }
    t->token_index = ALIGN(end);
    if (t->token_index > t->size || t->size - t->token_index < 2 * TOKENS ||
        load(t, t->token_index + 2 * '0', 2) > zero)
        return false;
    t->token_table = zero - load(t, t->token_index + 2 * '0', 2);
    for (unsigned i = 0; i < TOKENS; i++) {
        size_t start = t->token_table + load(t, t->token_index + 2u * i, 2);

        if (i < '0' ? start > zero || (i > 0 && t->image[start - 1] != '\0') : start != starts[i])
            return false;
    }
    return load(t, t->token_index, 2) == 0;
}

static bool find_tokens(struct tables *t)
{
    static const char digits[] = "0\0001\0002\0003\0004\0005\0006\0007\0008\0009";
    const uint8_t *p = t->image;

    while ((p = memmem(p, t->size - (size_t)(p - t->image), digits, sizeof(digits))) != NULL) {
        if (tokens_agree(t, (size_t)(p - t->image)))
            return true;
        p++;
    }
    return false;
}

/* --- 2. Names --------------------------------------------------------------------------------- */
/* The tokens of the name at *at, of which *at becomes the end; NULL: it does not end before `end`.
 */
static const uint8_t *next_name(const struct tables *t, size_t *at, size_t end, size_t *len)
{
    const uint8_t *p = t->image + *at;
    size_t head = end - *at >= 2 && (p[0] & 0x80) != 0 ? 2 : 1;

    *len = head == 2 ? (p[0] & 0x7fu) | (size_t)p[1] << 7 : p[0];
    if (end - *at < head || *len == 0 || *len > end - *at - head)
        return NULL;
    *at += head + *len;
    return p + head;
}

static bool names_agree(const struct tables *t, unsigned *steps)
{
    size_t starts[MAX_SYMBOLS / MARKED], at = t->names, len, nr = 0;

    for (uint32_t i = 0; i < t->count; i++) {
        if (i % MARKED == 0)
            starts[nr++] = at - t->names;
        if (at >= t->token_table || *steps == 0 || next_name(t, &at, t->token_table, &len) == NULL)
            return false;
        --*steps;
    }
    for (size_t i = 0; i < nr; i++)
        if (load(t, ALIGN(at) + 4 * i, 4) != starts[i])
            return false;
    return true;
}

static bool find_names(struct tables *t)
{
    unsigned steps = MAX_NAME_STEPS;

    for (size_t at = ALIGN_DOWN(t->token_table, (size_t)8); at >= 8; at -= 8) {
        uint64_t count = load(t, at - 8, 8);

        t->names = at;
        t->count = (uint32_t)count;
        if (count >= MIN_SYMBOLS && count <= MAX_SYMBOLS && names_agree(t, &steps))
            return true;
    }
    return false;
}

/* --- 3. Addresses ----------------------------------------------------------------------------- */
static uint64_t address(const struct tables *t, uint32_t i)
{
    int32_t offset = (int32_t)load(t, t->offsets + 4 * (size_t)i, 4);

    if (!t->absolute_percpu)
        return t->base + (uint32_t)offset;
    return offset < 0 ? t->base - 1 - (uint64_t)offset : (uint64_t)offset;
}

static bool addresses_rise(struct tables *t, size_t offsets, size_t base)
{
    t->offsets = offsets;
    t->base = load(t, base, 8);
    t->absolute_percpu = false;
    for (uint32_t i = 0; i < t->count && !t->absolute_percpu; i++)
        t->absolute_percpu = (load(t, offsets + 4 * (size_t)i, 4) & 1u << 31) != 0;
    for (uint32_t i = 1; i < t->count; i++)
        if (address(t, i) < address(t, i - 1))
            return false;
    return t->base >> 47 == 0x1ffff;        /* in a kernel's half */
}

static bool find_addresses(struct tables *t)
{
    size_t bytes = ALIGN(4 * (size_t)t->count), behind = ALIGN(t->token_index + 2 * TOKENS);
    size_t base = t->names - 16;

    return (base <= t->names && bytes <= base && addresses_rise(t, base - bytes, base)) ||
           (behind + bytes + 8 <= t->size && addresses_rise(t, behind, behind + bytes));
}

static void add_name(const struct tables *t, uint64_t va, const uint8_t *tokens, size_t len)
{
    char name[MAX_SYMBOL_NAME + 1];
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        for (const char *s = token(t, tokens[i]); *s != '\0' && n < sizeof(name); s++)
            name[n++] = *s;
    if (n > 1)
        symbol_add_kind(va, name[0], name + 1, n - 1);
}

bool symbols_from_kallsyms(const uint8_t *image, size_t size)
{
    struct tables t = { .image = image, .size = size };
    size_t len;

    if (!find_tokens(&t) || !find_names(&t) || !find_addresses(&t))
        return false;
    for (uint32_t i = 0; i < t.count; i++) {
        const uint8_t *tokens = next_name(&t, &t.names, t.token_table, &len);

        add_name(&t, address(&t, i), tokens, len);
    }
    return true;
}
