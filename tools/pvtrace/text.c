/* What the lines on the screen say: a call per line as strace writes it, everything else as "---
 * ... ---". When a line is printed, and whether a call's beginning has to be shown before its end,
 * is text_order.c's. Called by main.c for each item.
 *
 * Gets every item and asks the filter itself: whether a call is wanted can depend on what it read,
 * which is not known at its beginning; and where an event went is told by the call that sent it,
 * not on a line of its own. */
#include <stdlib.h>

#include "tools/pvtrace/text.h"

#define LINE_BYTES (128u << 10)

static void put_indent(struct text *t, const struct call *c)
{
    if (c->depth > 0)
        text_put(t, "  ", 2);
}

static bool wants_beginning(const struct printer *p, struct call *c)
{
    const struct item item = { .kind = ITEM_CALL_BEGIN, .v = c->v, .call = c };

    return filter_wants(p->o.filter, &item, p->m);
}

bool text_beginning(struct printer *p, struct call *c)
{
    struct text *t = &p->aside;

    c->shown = wants_beginning(p, c);
    if (!c->shown)
        return false;
    t->len = 0;
    put_indent(t, c);
    text_hypercall(t, c->nr);
    decode_arguments(t, c);
    if (t->len > 0 && t->buf[t->len - 1] == ')')
        t->len--;
    set_colour(p, t, DIM);
    text_str(t, " <unfinished ...>");
    set_colour(p, t, PLAIN);
    return true;
}

static void put_sent(struct text *t, const struct call *c)
{
    for (unsigned i = 0; i < c->nr_sent && i < MAX_SENT; i++) {
        text_str(t, i == 0 ? " -> " : ", ");
        text_vcpu(t, c->sent[i]);
    }
    if (c->nr_sent > MAX_SENT)
        text_str(t, ", ...");
}

static void put_result(const struct printer *p, struct text *t, const struct call *c)
{
    bool failed = call_failed(c);

    if (failed)
        set_colour(p, t, FAILED);
    decode_result(t, c);
    if (failed)
        set_colour(p, t, PLAIN);
    put_sent(t, c);
    if (!c->returned || !p->o.show_took)
        return;
    set_colour(p, t, DIM);
    text_str(t, " <");
    text_took(t, p->clock, p->o.instructions, c->ticks);
    text_str(t, ">");
    set_colour(p, t, PLAIN);
}

static void build_call(struct printer *p, const struct call *c, bool resumed)
{
    struct text *t = &p->line;

    t->len = 0;
    put_indent(t, c);
    if (resumed)
        text_str(t, "<... ");
    text_hypercall(t, c->nr);
    if (resumed)
        text_str(t, " resumed>)");
    else
        decode_arguments(t, c);
    put_result(p, t, c);
}

/* Either its beginning still waits, and the whole line takes that place; or it has passed, or was
 * never seen. A call that was shown as unfinished and has not returned is just that: no second
 * line. */
static void call_ends(struct printer *p, const struct item *item)
{
    const struct call *c = item->call;
    bool resumed = c->shown || !c->began;
    bool want = c->shown ? c->returned : filter_wants(p->o.filter, item, p->m);

    if (want)
        build_call(p, c, resumed);
    if (!order_close(p, c, want) && want)
        order_line(p, resumed ? c->end : c->start, c->v, resumed ? item->cpu : c->cpu);
}

/* --- Everything else -------------------------------------------------------------------------- */
static void other_item(struct printer *p, const struct item *item)
{
    struct text *t = &p->line;

    if (!filter_wants(p->o.filter, item, p->m))
        return;
    t->len = 0;
    set_colour(p, t, item->kind == ITEM_LOST ? LOST : ITEM);
    text_str(t, "--- ");
    decode_item(t, item);
    text_str(t, " ---");
    set_colour(p, t, PLAIN);
    order_line(p, item->tsc, item->v, item->cpu);
}

/* The call that sends an event says so; timers and devices have no call that could. */
static bool sent_by_call(struct printer *p, const struct item *item)
{
    struct call *c = item->send.how != TRACE_SEND_VIRQ ? item->send.by : NULL;

    if (c == NULL || !wants_beginning(p, c))
        return false;
    if (c->nr_sent < MAX_SENT)
        c->sent[c->nr_sent] = item->send.to;
    if (c->nr_sent <= MAX_SENT)
        c->nr_sent++;
    return true;
}

static void text_item(void *state, const struct item *item)
{
    struct printer *p = state;

    if (item->kind == ITEM_CALL_BEGIN)
        order_open(p, item->call);
    else if (item->kind == ITEM_CALL_END)
        call_ends(p, item);
    else if (item->kind != ITEM_SEND || !sent_by_call(p, item))
        other_item(p, item);
}

static void text_idle(void *state)
{
    order_flush(state);
}

static int text_end(void *state)
{
    struct printer *p = state;

    order_flush(p);
    free(p->line.buf);
    free(p->aside.buf);
    free(p);
    return 0;
}

static void *text_open(const struct output_options *o, struct model *m)
{
    struct printer *p = xcalloc(1, sizeof(*p));

    p->o = *o;
    p->m = m;
    p->clock = model_clock(m);
    p->line = (struct text){ .buf = xcalloc(1, LINE_BYTES), .size = LINE_BYTES };
    p->aside = (struct text){ .buf = xcalloc(1, LINE_BYTES), .size = LINE_BYTES };
    return p;
}

const struct output_type text_output = {
    .name = "text", .open = text_open, .item = text_item, .idle = text_idle, .end = text_end,
    .unfiltered = true,
};
