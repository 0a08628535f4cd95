/* Fetching and decoding of the instruction at RIP: see fetch.h. What may be fetched is access.c's,
 * the decoder common/x86's. Called by emulate.c. */
#include <string.h>
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/emulate.h"
#include "guest-pv/vmm/core/fetch.h"
#include "guest-pv/vmm/core/unaligned.h"

/* F1. */
static const uint8_t *map_code(struct cpu *c, uint64_t rip)
{
    uint64_t offset = rip % GUEST_PAGE;
    struct fetched_page *p = &c->fetched.pages[c->cpl == 3][rip / GUEST_PAGE % FETCHED_PAGES];
    const uint8_t *at;

    if (likely(p->rip == rip - offset && p->mapping == c->mapping))
        return p->page + offset;
    at = map_linear(c, rip, 1, ACCESS_FETCH);
    if (at != NULL)
        *p = (struct fetched_page){ rip - offset, c->mapping, at - offset };
    return at;
}

/* F2. */
static bool is_same(const struct decoded *d, const uint8_t *at)
{
    const u64_unaligned *now = (const u64_unaligned *)at;

    return d->at == at && (((now[0] ^ d->bytes[0]) & d->mask[0]) |
                           ((now[1] ^ d->bytes[1]) & d->mask[1])) == 0;
}

static void set_mask(struct decoded *d)
{
    unsigned bits = 8u * d->in.length;

    d->mask[0] = bits >= 64 ? ~0ull : (1ull << bits) - 1;
    d->mask[1] = bits <= 64 ? 0 : (1ull << (bits - 64)) - 1;
}

static bool decode(struct decoded *d, unsigned len)
{
    if (!decode_insn((const uint8_t *)d->bytes, len, MODE_64, &d->in))
        return false;
    d->k = find_case(&d->in);
    for (unsigned i = 0; i < DECODED_OPERANDS && d->k != NULL; i++)
        get_operand(&d->in, d->k, i, &d->operands[i]);
    set_mask(d);
    return true;
}

/* Near a page's end. Bytes that end too early at a page that may not be fetched are #PF, others
 * that are no instruction #UD. */
static const struct decoded *fetch_at_end(struct cpu *c, uint64_t rip)
{
    struct decoded *d = &c->fetched.at_end;
    unsigned len = fetch_bytes(c, rip, (uint8_t *)d->bytes);
    uint8_t more;

    if (len == 0)
        return NULL;
    if (decode(d, len))
        return d;
    if (len == MAX_INSN || read_linear(c, rip + len, &more, 1, ACCESS_FETCH))
        raise_ud(c);
    return NULL;
}

const struct decoded *fetch_insn(struct cpu *c)
{
    uint64_t rip = c->regs[REG_RIP];
    const uint8_t *at;
    struct decoded *d;

    if (rip % GUEST_PAGE > GUEST_PAGE - sizeof(d->bytes))
        return fetch_at_end(c, rip);
    at = map_code(c, rip);
    if (at == NULL)
        return NULL;
    d = &c->fetched.insns[((uintptr_t)at ^ (uintptr_t)at >> 9) % FETCHED_INSNS];
    if (likely(is_same(d, at)))
        return d;
    d->at = NULL;
    memcpy(d->bytes, at, sizeof(d->bytes));
    if (!decode(d, MAX_INSN)) {
        raise_ud(c);
        return NULL;
    }
    d->at = at;
    return d;
}
