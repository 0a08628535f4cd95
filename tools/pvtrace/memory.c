/* The memory of a call: the pieces that were recorded, found by their guest address. They may be of
 * any size and order and may overlap; what a trace file says is not trusted. Called by the decoder.
 */
#include <string.h>

#include "tools/pvtrace/decode.h"

static bool covers(const struct copy *p, enum side side, uint64_t va)
{
    return p->out == (side == OUT) && va - p->va < p->len && p->len <= MAX_COPY_BYTES &&
           p->at <= MAX_COPY_BYTES - p->len;
}

/* What was read is what the first reading got; what was written is what the last writing left. */
static const struct copy *find(struct reader *r, enum side side, uint64_t va)
{
    const struct copy *copies = r->c->copies;
    unsigned nr = MIN(r->c->nr_copies, MAX_COPIES);

    if (side == OUT) {
        for (unsigned i = nr; i-- > 0;)
            if (covers(&copies[i], side, va))
                return &copies[i];
        return NULL;
    }
    for (unsigned i = r->hint; i < r->hint + 2 && i < nr; i++)
        if (covers(&copies[i], side, va))
            return &copies[r->hint = i];
    for (unsigned i = 0; i < nr; i++)
        if (covers(&copies[i], side, va))
            return &copies[r->hint = i];
    return NULL;
}

size_t read_memory(struct reader *r, enum side side, uint64_t va, void *buf, size_t len)
{
    size_t done = 0;

    while (done < len) {
        const struct copy *p = find(r, side, va + done);
        size_t skip, n;

        if (p == NULL)
            break;
        skip = va + done - p->va;
        n = MIN(p->len - skip, len - done);
        memcpy((char *)buf + done, r->c->bytes + p->at + skip, n);
        done += n;
    }
    return done;
}

bool read_number(struct reader *r, enum side side, uint64_t va, unsigned size, uint64_t *value)
{
    *value = 0;
    return size <= sizeof(*value) && read_memory(r, side, va, value, size) == size;
}

size_t call_memory(const struct call *c, bool out, uint64_t va, void *buf, size_t len)
{
    struct reader r = { .c = c };

    return read_memory(&r, out ? OUT : IN, va, buf, len);
}
