/* Reading the guest's descriptors: see descriptor.h. Each is read once, with the supervisor's
 * rights, and then judged. */
#include <string.h>
#include "common/x86/canonical.h"
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/descriptor.h"

#define SELECTOR_TI 4u

/* False: outside of its table. */
static bool find_descriptor(const struct cpu *c, uint16_t selector, unsigned bytes, uint64_t *at)
{
    bool local = selector & SELECTOR_TI;
    uint64_t base = local ? c->ldtr.base : c->gdtr.base;
    uint32_t limit = local ? c->ldtr.limit : c->gdtr.limit, offset = selector & ~7u;

    *at = base + offset;
    return offset + bytes - 1 <= limit;
}

bool descriptor_exists(const struct cpu *c, uint16_t selector)
{
    uint64_t at;

    return !selector_is_null(selector) && find_descriptor(c, selector, 8, &at);
}

static void parse_descriptor(struct descriptor *d, uint16_t selector, uint64_t at, uint64_t low)
{
    *d = (struct descriptor){ .at = at, .selector = selector };
    d->access = (uint16_t)(low >> 40 & 0xf0ff);
    d->base = (low >> 16 & 0xffffff) | (low >> 56) << 24;
    d->limit = (uint32_t)((low & 0xffff) | (low >> 32 & 0xf0000));
    if (d->access & ACCESS_G)
        d->limit = d->limit << 12 | 0xfff;
}

bool read_descriptor(struct cpu *c, uint16_t selector, unsigned ext, struct descriptor *d)
{
    uint64_t at, low;

    if (!find_descriptor(c, selector, 8, &at))
        return raise_gp(c, SELECTOR_INDEX(selector) | ext);
    if (!read_system_number(c, at, &low))
        return false;
    parse_descriptor(d, selector, at, low);
    return true;
}

bool read_system_descriptor(struct cpu *c, uint16_t selector, struct descriptor *d)
{
    uint64_t at, words[2];

    if ((selector & SELECTOR_TI) || !find_descriptor(c, selector, 16, &at))
        return raise_gp(c, SELECTOR_INDEX(selector));
    if (!read_linear(c, at, words, sizeof(words), ACCESS_SYSTEM))
        return false;
    parse_descriptor(d, selector, at, words[0]);
    d->base |= words[1] << 32;
    if (!is_canonical(d->base))
        return raise_gp(c, SELECTOR_INDEX(selector));
    return true;
}

bool write_type(struct cpu *c, struct descriptor *d, unsigned type)
{
    uint8_t byte = (uint8_t)((d->access & 0xf0) | type);

    if (!write_linear(c, d->at + 5, &byte, 1, ACCESS_SYSTEM | ACCESS_WRITE))
        return false;
    d->access = (uint16_t)((d->access & ~15u) | type);
    return true;
}

bool mark_accessed(struct cpu *c, struct descriptor *d)
{
    return (d->access & TYPE_ACCESSED) || write_type(c, d, TYPE(d->access) | TYPE_ACCESSED);
}

bool read_code(struct cpu *c, uint16_t selector, unsigned ext, struct descriptor *d)
{
    if (selector_is_null(selector))
        return raise_gp(c, ext);
    if (!read_descriptor(c, selector, ext, d))
        return false;
    return is_code(d) || raise_gp(c, SELECTOR_INDEX(selector) | ext);
}

bool check_code(struct cpu *c, const struct descriptor *d, unsigned ext)
{
    if (!is_present(d))
        return raise_error(c, VECTOR_NP, SELECTOR_INDEX(d->selector) | ext);
    if (!(d->access & ACCESS_L) || (d->access & ACCESS_DB))
        return raise_gp(c, SELECTOR_INDEX(d->selector) | ext);
    return true;
}

void set_segment(struct segment *s, uint16_t selector, const struct descriptor *d)
{
    *s = (struct segment){ selector, d->access, d->limit, d->base };
}

void set_null_segment(struct segment *s, uint16_t selector)
{
    *s = (struct segment){ .selector = selector };
}
