/* --csv: a line for each item, for spreadsheets and scripts. A hypercall is one line, written when
 * it ends, with the time of its beginning: members of a multicall come before the multicall itself
 * and have depth 1.
 *
 * The header is an interface: new columns may only be added at its end. An unknown or meaningless
 * value is empty (the vCPU of an idle CPU, the result of an iret). Quoting is RFC 4180's, lines end
 * in a newline alone; bytes that are no printable UTF-8 are written as \xNN, so that a line of the
 * file always is a line of the table. */
#include <string.h>

#include "tools/pvtrace/export.h"

struct csv {
    struct export x;
    uint64_t first, last;           /* TSC of the first line, of the line before */
    bool any;
};

/* --- Columns ---------------------------------------------------------------------------------- */
static bool plain(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < 0x20 || (unsigned char)s[i] >= 0x7f || s[i] == '"' || s[i] == ',')
            return false;
    return true;
}

static void put_field(struct text *t, const char *s, size_t len)
{
    size_t from = 0;

    if (plain(s, len)) {
        text_put(t, s, len);
        return;
    }
    text_char(t, '"');
    for (size_t at = 0; at < len;) {
        unsigned char c = (unsigned char)s[at];
        size_t n = c < 0x20 || c == 0x7f ? 0 : c < 0x80 ? 1 : utf8_length(s + at, len - at);

        at += n;
        if (n != 0 && c != '"')
            continue;
        text_put(t, s + from, at - from);
        from = at;
        if (n != 0) {
            text_char(t, '"');          /* a second one */
            continue;
        }
        text_put(t, "\\x", 2);
        text_byte(t, c);
        from = ++at;
    }
    text_put(t, s + from, len - from);
    text_char(t, '"');
}

static void put_time(struct csv *c, uint64_t tsc)
{
    const struct clock_info *clock = c->x.clock;
    struct text *t = &c->x.out;

    if (!c->any)
        c->first = c->last = tsc;
    if (c->x.o.times == TIME_SYSTEM)
        text_fixed(t, clock_time(clock, tsc), 9);
    else if (c->x.o.times == TIME_TICKS)
        text_dec(t, tsc);
    else if (c->x.o.times != TIME_NONE)
        text_fixed(t, clock_between(clock, c->x.o.times == TIME_RELATIVE ? c->first : c->last, tsc), 9);
    c->last = tsc;
    c->any = true;
}

/* time,cpu,domain,vcpu,kind,name */
static void put_place(struct csv *c, const struct item *item, uint64_t tsc, struct vcpu_id v,
                      const char *name)
{
    struct text *t = &c->x.out;

    put_time(c, tsc);
    text_char(t, ',');
    text_dec(t, item->cpu);
    text_char(t, ',');
    if (v.domid < DOMID_NOBODY)
        text_dec(t, v.domid);
    text_char(t, ',');
    if (v.domid < DOMID_NOBODY && item->kind != ITEM_DOMAIN)
        text_dec(t, v.vcpu);
    text_char(t, ',');
    text_str(t, item_kind_names[item->kind]);
    text_char(t, ',');
    put_field(t, name, strlen(name));
}

/* ,operation,depth,result,errno,ticks, */
static void put_outcome(struct text *t, const struct call *call)
{
    const char *operation = call_operation(call);
    const char *error = call_error(call);

    text_char(t, ',');
    if (operation != NULL)
        put_field(t, operation, strlen(operation));
    text_char(t, ',');
    text_dec(t, call->depth);
    text_char(t, ',');
    if (call_result_means(call))
        text_int(t, call->result);
    text_char(t, ',');
    text_str(t, error != NULL ? error : "");
    text_char(t, ',');
    if (call->returned)
        text_dec(t, call->ticks);
    text_char(t, ',');
}

/* --- Lines ------------------------------------------------------------------------------------ */
static void csv_item(void *state, const struct item *item)
{
    const struct call *call = item->call;
    struct csv *c = state;
    struct vcpu_id v = item->v;
    struct label label;

    if (item->kind == ITEM_CALL_BEGIN)
        return;
    if (item->kind == ITEM_CALL_END) {
        put_place(c, item, call_start(item), call->v, hypercall_label(call->nr, &label));
        put_outcome(&c->x.out, call);
        details_arguments(&c->x.details, call);
        if (call_result_means(call))
            decode_result(&c->x.details.t, call);
    } else {
        if (item->kind == ITEM_RUNSTATE)
            v = item->runstate.who;
        if (item->kind == ITEM_DOMAIN)
            v.domid = item->domain.domid;
        put_place(c, item, item->tsc, v, item_label(item, &label));
        text_str(&c->x.out, ",,,,,,");
        details_item(&c->x.details, item);
    }
    put_field(&c->x.out, c->x.details.buf, c->x.details.t.len);
    text_char(&c->x.out, '\n');
}

static void *csv_open(const struct output_options *o, struct model *m)
{
    struct csv *c = export_open(sizeof(*c), o, m);

    text_str(&c->x.out,
             "time,cpu,domain,vcpu,kind,name,operation,depth,result,errno,ticks,details\n");
    return c;
}

static int csv_end(void *state)
{
    return export_close(state, "csv");
}

const struct output_type csv_output = {
    .name = "csv", .open = csv_open, .item = csv_item, .idle = export_idle, .end = csv_end,
};
