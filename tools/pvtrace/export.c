/* What the machine exports share: see export.h. */
#include <stdlib.h>

#include "tools/pvtrace/export.h"

/* --- An export -------------------------------------------------------------------------------- */
void *export_open(size_t size, const struct output_options *o, struct model *m)
{
    struct export *x = xcalloc(1, size);

    x->o = *o;
    x->model = m;
    x->clock = model_clock(m);
    x->out = TEXT(x->room);
    x->out.file = o->out;
    x->details = TEXT(x->details_room);
    x->outcome = TEXT(x->outcome_room);
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

/* --- Decoded texts ---------------------------------------------------------------------------- */
struct text *export_details(struct export *x)
{
    text_cut(&x->details, 0);
    return &x->details;
}

const struct text *export_item(struct export *x, const struct item *item)
{
    decode_item(export_details(x), item);
    return &x->details;
}

const struct text *export_arguments(struct export *x, const struct call *c)
{
    decode_arguments(export_details(x), c);
    return &x->details;
}

const struct text *export_outcome(struct export *x, const struct call *c)
{
    text_cut(&x->outcome, 0);
    if (call_has_result(c))
        decode_outcome(&x->outcome, c);
    return &x->outcome;
}
