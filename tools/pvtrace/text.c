/* Owns what the lines on the screen say: a call per line as strace writes it, everything else as "--- ...
 * ---". When a line is printed, and whether a call's beginning has to be shown before its end, is
 * text_order.c's.
 *
 * Gets every item and asks the filter itself: whether a call is wanted can depend on what it read, which
 * is not known at its beginning; and where an event went is told by the call that sent it, not on a line
 * of its own. */
#include <stdlib.h>
#include <string.h>

#include <stdint.h>
#include <public/xen.h>

#include "tools/pvtrace/text.h"

#define LINE_BYTES (128u << 10)

static void put_indent(struct text *t, const struct call *c)
{
    if (c->depth > 0)
        text_put(t, "  ", 2);
}

bool text_beginning(struct printer *p, const struct call *c)
{
    const struct item item = { .kind = ITEM_CALL_BEGIN, .v = c->v, .tsc = c->start, .call = c };
    struct text *t = &p->aside;

    if (!filter_wants(p->o.filter, &item, p->m))
        return false;
    t->len = 0;
    put_indent(t, c);
    text_hypercall(t, c->nr);
    decode_arguments(t, c);
    if (t->len > 0 && t->buf[t->len - 1] == ')')
        t->len--;
    look(p, t, LOOK_DIM);
    text_str(t, " <unfinished ...>");
    look(p, t, LOOK_PLAIN);
    return true;
}

static void put_sent(struct text *t, const struct thread *th)
{
    for (unsigned i = 0; i < th->nr_sent && i < MAX_SENT; i++) {
        text_str(t, i == 0 ? " -> " : ", ");
        text_vcpu(t, th->sent[i]);
    }
    if (th->nr_sent > MAX_SENT)
        text_str(t, ", ...");
}

/* iret never comes back to its caller: what its record has is the guest's rax. */
static void put_result(const struct printer *p, struct text *t, const struct call *c, const struct thread *th)
{
    bool failed = c->returned && c->nr != __HYPERVISOR_iret && call_failed(c);

    if (failed)
        look(p, t, LOOK_FAILED);
    if (!c->returned && c->nr != __HYPERVISOR_iret)
        text_str(t, " = ?");
    else if (c->nr != __HYPERVISOR_iret)
        decode_result(t, c);
    if (failed)
        look(p, t, LOOK_PLAIN);
    if (th != NULL)
        put_sent(t, th);
    if (!c->returned || !p->o.show_took)
        return;
    look(p, t, LOOK_DIM);
    text_str(t, " <");
    text_took(t, p->clock, p->o.instructions, c->ticks);
    text_str(t, ">");
    look(p, t, LOOK_PLAIN);
}

static void build_call(struct printer *p, const struct call *c, const struct thread *th, bool resumed)
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
    put_result(p, t, c, th);
}

static void call_begins(struct printer *p, const struct call *c)
{
    struct thread *th = thread_find_or_add(p, c->v);

    order_open(p, th, c->depth < MAX_DEPTH ? c->depth : MAX_DEPTH - 1, c);
    th->nr_sent = 0;
}

/* Either its beginning still waits, and the whole line takes that place; or it has passed, or was never
 * seen. A call that was shown as unfinished and has not returned is just that: no second line. */
static void call_ends(struct printer *p, const struct item *item)
{
    const struct call *c = item->call;
    unsigned depth = c->depth < MAX_DEPTH ? c->depth : MAX_DEPTH - 1;
    struct thread *th = thread_find(p, c->v);
    struct open_call *o = th != NULL && th->open[depth].call == c ? &th->open[depth] : NULL;
    bool resumed = o != NULL ? o->shown : !c->began;
    bool want = o != NULL && o->shown ? c->returned : filter_wants(p->o.filter, item, p->m);

    if (want)
        build_call(p, c, o != NULL ? th : NULL, resumed);
    if (o != NULL && !o->passed) {
        order_close(p, th, depth, want);
    } else {
        if (o != NULL)
            o->call = NULL;
        if (want)
            order_line(p, th, resumed ? c->end : c->start, c->v);
    }
    if (th != NULL)
        th->nr_sent = 0;
}

/* --- Everything else -------------------------------------------------------------------------------- */
static void other_item(struct printer *p, const struct item *item)
{
    struct text *t = &p->line;

    if (!filter_wants(p->o.filter, item, p->m))
        return;
    t->len = 0;
    look(p, t, item->kind == ITEM_LOST ? LOOK_LOST : LOOK_ITEM);
    text_str(t, "--- ");
    decode_item(t, item);
    text_str(t, " ---");
    look(p, t, LOOK_PLAIN);
    order_line(p, thread_find(p, item->v), item->tsc, item->v);
}

/* The call that sends an event says so; timers and devices have no call that could. */
static bool sent_by_call(struct printer *p, const struct item *item)
{
    struct thread *th = item->send.how == TRACE_SEND_VIRQ ? NULL : thread_find(p, item->v);
    struct item call = { .kind = ITEM_CALL_BEGIN, .v = item->v };

    if (th == NULL)
        return false;
    for (unsigned d = 0; d < MAX_DEPTH; d++)
        if (th->open[d].call != NULL)
            call.call = th->open[d].call;
    if (call.call == NULL || !filter_wants(p->o.filter, &call, p->m))
        return false;
    if (th->nr_sent < MAX_SENT)
        th->sent[th->nr_sent] = item->send.to;
    if (th->nr_sent <= MAX_SENT)
        th->nr_sent++;
    return true;
}

static void text_item(void *state, const struct item *item)
{
    struct printer *p = state;

    if (item->kind == ITEM_CALL_BEGIN)
        call_begins(p, item->call);
    else if (item->kind == ITEM_CALL_END)
        call_ends(p, item);
    else if (item->kind != ITEM_SEND || !sent_by_call(p, item))
        other_item(p, item);
}

static void text_idle(void *state)
{
    struct printer *p = state;

    order_pass_all(p);
    fflush(p->o.out);
}

static int text_end(void *state)
{
    struct printer *p = state;

    order_pass_all(p);
    for (unsigned i = 0; i < VCPU_PLACES; i++)
        free(p->threads[i].kept);
    free(p->line.buf);
    free(p->aside.buf);
    free(p);
    return 0;
}

static void *text_open(const struct output_options *o, struct model *m)
{
    struct printer *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return NULL;
    p->o = *o;
    p->m = m;
    p->clock = model_clock(m);
    p->line = (struct text){ .buf = malloc(LINE_BYTES), .size = LINE_BYTES };
    p->aside = (struct text){ .buf = malloc(LINE_BYTES), .size = LINE_BYTES };
    vcpu_table_init(&p->places, VCPU_PLACES);
    if (p->line.buf != NULL && p->aside.buf != NULL)
        return p;
    free(p->line.buf);
    free(p->aside.buf);
    free(p);
    return NULL;
}

const struct output_type text_output = {
    .name = "text", .open = text_open, .item = text_item, .idle = text_idle, .end = text_end,
    .unfiltered = true,
};
