/* The memory of a call, of which the pieces that were recorded may be of any size and order and may
 * overlap; and the ABI's structures in it, printed by their descriptions (gen/abi_layouts.c), each
 * field from what was recorded of it. Nothing is known here of any particular structure. Called by
 * the rest of the decoder. */
#include <string.h>

#include "tools/pvtrace/decode.h"

#include <public/xen.h>

enum shown { UNKNOWN, SHOWN, HIDDEN };

/* --- Memory ----------------------------------------------------------------------------------- */
/* What was read is what the first reading got; what was written is what the last writing left. */
static const struct copy *find(const struct call *c, enum side side, uint64_t va)
{
    const struct copy *found = NULL;

    for (const struct copy *p = c->copies; p < c->copies + c->nr_copies; p++)
        if (p->out == (side == OUT) && va - p->va < p->len) {
            found = p;
            if (side == IN)
                break;
        }
    return found;
}

size_t read_memory(const struct call *c, enum side side, uint64_t va, void *buf, size_t len)
{
    const struct copy *p;
    size_t done = 0;

    while (done < len && (p = find(c, side, va + done)) != NULL) {
        size_t skip = va + done - p->va, n = MIN(p->len - skip, len - done);

        memcpy((char *)buf + done, c->bytes + p->at + skip, n);
        done += n;
    }
    return done;
}

bool read_number(const struct call *c, enum side side, uint64_t va, unsigned size, uint64_t *value)
{
    *value = 0;
    return size <= sizeof(*value) && read_memory(c, side, va, value, size) == size;
}

/* --- Values ----------------------------------------------------------------------------------- */

void print_string(struct text *t, const char *s, size_t known, size_t len)
{
    size_t n = MIN(known, decode_options.max_string);

    text_put(t, "\"", 1);
    text_escape(t, s, n);
    text_put(t, "\"", 1);
    if (n < len)
        text_put(t, "...", 3);
}

void print_enum(struct text *t, const struct names *n, int64_t value)
{
    uint64_t i = n->negative ? -(uint64_t)value : (uint64_t)value;

    if (i < n->nr && n->list[i] != NULL)
        text_str(t, n->list[i]);
    else
        text_int(t, value);
}

static void print_flags(struct text *t, const struct names *n, uint64_t value)
{
    const char *bar = "";

    for (unsigned bit = 0; bit < n->nr && value != 0; bit++) {
        if (!(value >> bit & 1) || n->list[bit] == NULL)
            continue;
        text_str(t, bar);
        text_str(t, n->list[bit]);
        value &= ~(1ull << bit);
        bar = "|";
    }
    if (value != 0) {
        text_str(t, bar);
        text_hex(t, value);
    } else if (*bar == '\0') {
        text_put(t, "0", 1);
    }
}

void print_domid(struct text *t, uint64_t domid)
{
    const char *name = abi_domid_name((unsigned)MIN(domid, UINT32_MAX));

    if (name != NULL) {
        text_str(t, name);
    } else if (domid < DOMID_FIRST_RESERVED) {
        text_add(t, "d%lu", domid);
    } else {
        text_hex(t, domid);
    }
}

void print_virq(struct text *t, uint64_t virq)
{
    text_name(t, virq <= UINT32_MAX ? abi_virq_name((unsigned)virq) : NULL, virq);
}

static void print_number(struct text *t, const struct field *f, uint64_t value)
{
    unsigned unused = 64 - 8 * f->size;
    int64_t with_sign = (int64_t)(value << unused) >> unused;

    switch ((enum kind)f->kind) {
    case K_INT: text_int(t, with_sign); break;
    case K_HEX: text_hex(t, value); break;
    case K_DOMID: print_domid(t, value); break;
    case K_VIRQ: print_virq(t, value); break;
    case K_VECTOR: text_name(t, abi_trap_name((unsigned)value), value); break;
    case K_CODE: decode_address(t, value); break;
    case K_NS: text_seconds(t, value); break;
    case K_ENUM: print_enum(t, f->names, with_sign); break;
    case K_FLAGS: print_flags(t, f->names, value); break;
    default: text_dec(t, value); break;
    }
}

/* --- Structures ------------------------------------------------------------------------------- */
static enum shown print_bytes(struct text *t, const struct call *c, const struct field *f,
                              uint64_t va, enum side side)
{
    char buf[1024];
    size_t len = MIN(f->size, sizeof(buf)), known = read_memory(c, side, va + f->offset, buf, len);
    const char *end = memchr(buf, '\0', known);

    if (known == 0)
        return UNKNOWN;
    if (f->kind == K_STRING) {
        if (end != NULL)
            known = len = (size_t)(end - buf);
        print_string(t, buf, known, len);
        return SHOWN;
    }
    for (size_t i = 0; i < known; i++)
        text_add(t, "%02x", (uint8_t)buf[i]);
    if (known < len)
        text_put(t, "...", 3);
    return SHOWN;
}

bool print_array(struct text *t, const struct call *c, const struct layout *l, uint64_t va,
                 uint64_t count, enum side side)
{
    size_t start = t->len;

    text_put(t, "[", 1);
    for (uint64_t i = 0; i < count && !text_full(t); i++, va += l->size) {
        size_t here = t->len;
        bool shown;

        if (i != 0)
            text_put(t, ", ", 2);
        shown = i < decode_options.max_items && print_layout(t, c, l, va, side);
        if (!shown && (i == 0 && decode_options.max_items != 0)) {
            text_cut(t, start);
            return false;
        }
        if (!shown) {
            text_cut(t, here);
            text_str(t, i != 0 ? ", ..." : "...");
            break;
        }
    }
    text_put(t, "]", 1);
    return true;
}

/* An array that the structure points to. When it is written, the pointer is what was read, and the
 * count what was written if it was (so many entries came), else what was read (so many were
 * wanted). */
static enum shown print_pointed(struct text *t, const struct call *c, const struct field *f,
                                uint64_t va, enum side side)
{
    uint64_t pointer, count;
    bool counted = (side == OUT && read_number(c, OUT, va + f->count_at, f->count_size, &count)) ||
                   read_number(c, IN, va + f->count_at, f->count_size, &count);

    if (side == OUT && counted && count == 0)
        return UNKNOWN;                 /* nothing was written */
    if (!read_number(c, IN, va + f->offset, sizeof(pointer), &pointer) &&
        !read_number(c, OUT, va + f->offset, sizeof(pointer), &pointer))
        return UNKNOWN;
    if ((f->side & side) && counted && pointer != 0 &&
        print_array(t, c, f->layout, pointer, count, side))
        return SHOWN;
    if (side == OUT)
        return UNKNOWN;
    text_pointer(t, pointer);
    return SHOWN;
}

static enum shown print_field(struct text *t, const struct call *c, const struct field *f,
                              uint64_t va, enum side side)
{
    uint64_t value;

    switch ((enum kind)f->kind) {
    case K_STRING:
    case K_BYTES:
        return print_bytes(t, c, f, va, side);
    case K_STRUCT:
        return print_layout(t, c, f->layout, va + f->offset, side) ? SHOWN : UNKNOWN;
    case K_INLINE:
        return print_array(t, c, f->layout, va + f->offset, f->size / f->layout->size, side)
            ? SHOWN : UNKNOWN;
    case K_ARRAY:
        return print_pointed(t, c, f, va, side);
    case K_SPECIAL:
        return f->special(t, c, va) ? SHOWN : UNKNOWN;
    default:
        break;
    }
    if (!read_number(c, side, va + f->offset, f->size, &value))
        return UNKNOWN;
    if (f->optional && value == 0)
        return HIDDEN;
    print_number(t, f, value);
    return SHOWN;
}

bool print_layout(struct text *t, const struct call *c, const struct layout *l, uint64_t va,
                  enum side side)
{
    size_t start = t->len;
    bool any = false, missing = false;

    if (!l->bare)
        text_put(t, "{", 1);
    for (unsigned i = 0; i < l->nr; i++) {
        const struct field *f = &l->fields[i];
        const char *name = f->alias != NULL ? f->alias : f->name;
        size_t here = t->len;
        enum shown shown;

        if (!(f->side & side) && !(f->kind == K_ARRAY && side == IN))
            continue;
        if (any)
            text_put(t, ", ", 2);
        if (name != NULL && *name != '\0') {
            text_str(t, name);
            text_put(t, "=", 1);
        }
        shown = print_field(t, c, f, va, side);
        any |= shown == SHOWN;
        missing |= shown == UNKNOWN;
        if (shown != SHOWN)
            text_cut(t, here);
    }
    if (!any) {
        text_cut(t, start);
        return false;
    }
    if (missing && side == IN)
        text_put(t, ", ...", 5);
    if (!l->bare)
        text_put(t, "}", 1);
    return true;
}
