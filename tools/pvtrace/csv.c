/* --csv: a line for each item, for spreadsheets and scripts. A hypercall is one line, written when it ends, with the
 * time of its beginning: members of a multicall come before the multicall itself and have depth 1.
 *
 * The header is an interface: new columns may only be added at its end. An unknown or meaningless value is empty (the
 * vCPU of an idle CPU, the result of an iret). Quoting is RFC 4180's, lines end in a newline alone; bytes that are no
 * printable UTF-8 are written as \xNN, so that a line of the file always is a line of the table. */
#include "tools/pvtrace/export.h"

#include <stdlib.h>
#include <string.h>

struct csv {
    struct writer w;
    struct output_options o;
    struct model *model;
    uint64_t first, last;           /* TSC of the first line, of the line before */
    bool any;
    struct details details;
};

static void *csv_open(const struct output_options *o, struct model *m)
{
    struct csv *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->w.file = o->out;
    c->o = *o;
    c->model = m;
    write_string(&c->w, "time,cpu,domain,vcpu,kind,name,operation,depth,result,errno,ticks,details\n");
    return c;
}

static bool plain(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < 0x20 || (unsigned char)s[i] >= 0x7f || s[i] == '"' || s[i] == ',')
            return false;
    return true;
}

static void put_field(struct writer *w, const char *s, size_t len)
{
    if (plain(s, len)) {
        write_bytes(w, s, len);
        return;
    }
    write_char(w, '"');
    while (len > 0) {
        size_t n = utf8_length(s, len);
        if (n == 0 || (unsigned char)*s < 0x20 || *s == 0x7f) {
            const char *digits = "0123456789abcdef";
            char hex[] = { '\\', 'x', digits[(unsigned char)*s >> 4], digits[*s & 15] };
            write_bytes(w, hex, sizeof(hex));
            n = 1;
        } else {
            if (*s == '"')
                write_char(w, '"');
            write_bytes(w, s, n);
        }
        s += n;
        len -= n;
    }
    write_char(w, '"');
}

static void put_name(struct writer *w, const char *s)
{
    put_field(w, s, strlen(s));
}

static void put_time(struct csv *c, uint64_t tsc)
{
    const struct clock_info *clock = model_clock(c->model);
    uint64_t since = c->o.times == TIME_RELATIVE ? c->first : c->last;
    switch (c->o.times) {
    case TIME_SYSTEM:
        write_fixed(&c->w, clock_nanoseconds(clock, tsc), 9);
        break;
    case TIME_RELATIVE:
    case TIME_DELTA:
        if (!c->any)
            since = tsc;
        write_fixed(&c->w, clock_nanoseconds_between(clock, since, tsc), 9);
        break;
    case TIME_TICKS:
        write_unsigned(&c->w, tsc);
        break;
    case TIME_NONE:
        break;
    }
    if (!c->any)
        c->first = tsc;
    c->last = tsc;
    c->any = true;
}

/* time,cpu,domain,vcpu,kind, */
static void put_place(struct csv *c, const struct item *item, uint64_t tsc, struct vcpu_id v)
{
    put_time(c, tsc);
    write_char(&c->w, ',');
    write_unsigned(&c->w, item->cpu);
    write_char(&c->w, ',');
    if (v.domid < DOMID_NOBODY)
        write_unsigned(&c->w, v.domid);
    write_char(&c->w, ',');
    if (v.domid < DOMID_NOBODY && item->kind != ITEM_DOMAIN)
        write_unsigned(&c->w, v.vcpu);
    write_char(&c->w, ',');
    write_string(&c->w, item_kind_names[item->kind]);
    write_char(&c->w, ',');
}

/* result,errno,ticks, */
static void put_outcome(struct writer *w, const struct call *call)
{
    const char *name = call_failed(call) ? errno_name(call->result) : NULL;
    if (call_result_means(call)) {
        write_signed(w, call->result);
        write_char(w, ',');
        if (name != NULL)
            put_name(w, name);
    } else {
        write_char(w, ',');
    }
    write_char(w, ',');
    if (call->returned)
        write_unsigned(w, call->ticks);
    write_char(w, ',');
}

static void csv_call(struct csv *c, const struct item *item)
{
    const struct call *call = item->call;
    const char *operation = call_operation(call);
    struct label label;
    put_place(c, item, call_start(item), call->v);
    put_name(&c->w, hypercall_label(call->nr, &label));
    write_char(&c->w, ',');
    if (operation != NULL)
        put_name(&c->w, operation);
    write_char(&c->w, ',');
    write_unsigned(&c->w, call->depth);
    write_char(&c->w, ',');
    put_outcome(&c->w, call);
    call_details(&c->details, call);
    if (call_result_means(call))
        decode_result(&c->details.t, call);
    put_field(&c->w, c->details.buf, c->details.t.len);
    write_char(&c->w, '\n');
}

static void csv_item(void *state, const struct item *item)
{
    struct csv *c = state;
    struct vcpu_id v = item->v;
    struct label label;
    if (item->kind == ITEM_CALL_BEGIN)
        return;
    if (item->kind == ITEM_CALL_END) {
        csv_call(c, item);
        return;
    }
    if (item->kind == ITEM_RUNSTATE)
        v = item->runstate.who;
    if (item->kind == ITEM_DOMAIN)
        v.domid = item->domain.domid;
    put_place(c, item, item->tsc, v);
    put_name(&c->w, item_label(item, &label));
    write_string(&c->w, ",,,,,,");
    item_details(&c->details, item);
    put_field(&c->w, c->details.buf, c->details.t.len);
    write_char(&c->w, '\n');
}

static void csv_idle(void *state)
{
    struct csv *c = state;
    writer_flush(&c->w);
}

static int csv_end(void *state)
{
    struct csv *c = state;
    int rc = writer_end(&c->w, "csv");
    free(c);
    return rc;
}

const struct output_type csv_output = {
    .name = "csv", .open = csv_open, .item = csv_item, .idle = csv_idle, .end = csv_end,
};
