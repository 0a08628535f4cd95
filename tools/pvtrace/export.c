/* What the machine exports share: see export.h. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <public/xen.h>

#include "tools/pvtrace/export.h"
#include "tools/pvtrace/util.h"

/* --- An export -------------------------------------------------------------------------------- */
void *export_open(size_t size, const struct output_options *o, struct model *m)
{
    struct export *x = xcalloc(1, size);

    x->o = *o;
    x->model = m;
    x->clock = model_clock(m);
    x->out = TEXT(x->room);
    x->out.file = o->out;
    return x;
}

void export_idle(void *state)
{
    text_flush(&((struct export *)state)->out);
}

int export_close(void *state, const char *what)
{
    int rc = text_close(&((struct export *)state)->out, what);

    free(state);
    return rc;
}

/* --- A call ----------------------------------------------------------------------------------- */
uint64_t call_start(const struct item *item)
{
    const struct call *c = item->call;

    if (c->began)
        return c->start;
    return c->returned && c->ticks <= c->end ? c->end - c->ticks : item->tsc;
}

bool call_result_means(const struct call *c)
{
    return c->returned && c->nr != __HYPERVISOR_iret;
}

const char *call_error(const struct call *c)
{
    return call_failed(c) ? errno_name(c->result) : NULL;
}

/* --- Decoded texts ---------------------------------------------------------------------------- */
struct text *details_begin(struct details *d)
{
    d->t = TEXT(d->buf);
    d->buf[0] = '\0';
    return &d->t;
}

const struct text *details_item(struct details *d, const struct item *item)
{
    decode_item(details_begin(d), item);
    return &d->t;
}

const struct text *details_arguments(struct details *d, const struct call *c)
{
    decode_arguments(details_begin(d), c);
    return &d->t;
}

const struct text *details_outcome(struct details *d, const struct call *c)
{
    details_begin(d);
    if (!call_result_means(c))
        return &d->t;
    decode_result(&d->t, c);
    if (d->t.len >= 3 && memcmp(d->buf, " = ", 3) == 0) {
        d->t.len -= 3;
        memmove(d->buf, d->buf + 3, d->t.len + 1);      /* with its NUL */
    }
    return &d->t;
}
