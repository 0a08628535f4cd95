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
static const bool special[128] = { ['"'] = true };

static void escape(struct text *t, unsigned char c)
{
    text_add(t, c == '"' ? "\"\"" : "\\x%02x", c);
}

static void put_field(struct text *t, const char *s, size_t len)
{
    bool plain = true;

    for (size_t i = 0; i < len && plain; i++)
        plain = s[i] >= ' ' && s[i] <= '~' && s[i] != '"' && s[i] != ',';
    text_char(t, ',');
    if (plain) {
        text_put(t, s, len);
        return;
    }
    text_char(t, '"');
    text_utf8(t, s, len, special, escape);
    text_char(t, '"');
}

static void put_word(struct text *t, const char *s)
{
    put_field(t, s != NULL ? s : "", s != NULL ? strlen(s) : 0);
}

static void put_number(struct text *t, bool known, uint64_t n)
{
    text_char(t, ',');
    if (known)
        text_dec(t, n);
}

static void put_time(struct csv *c, uint64_t tsc)
{
    const struct clock_info *clock = c->x.clock;
    struct text *t = &c->x.out;
    bool relative = c->x.o.times == TIME_RELATIVE;

    if (!c->any)
        c->first = c->last = tsc;
    if (c->x.o.times == TIME_SYSTEM)
        text_fixed(t, clock_time(clock, tsc), 9);
    else if (c->x.o.times == TIME_TICKS)
        text_dec(t, tsc);
    else if (c->x.o.times != TIME_NONE)
        text_fixed(t, clock_between(clock, relative ? c->first : c->last, tsc), 9);
    c->last = tsc;
    c->any = true;
}

static void put_call(struct text *t, const struct call *call)
{
    put_word(t, call_operation(call));
    put_number(t, true, call->depth);
    text_char(t, ',');
    if (call_has_result(call))
        text_int(t, call->result);
    put_word(t, call_error(call));
    put_number(t, call->returned, call->ticks);
}

/* --- Lines ------------------------------------------------------------------------------------ */
/* Whom the columns domain and vcpu name. */
static struct vcpu_id who(const struct item *item)
{
    return item->kind == ITEM_RUNSTATE ? item->runstate.who
           : item->kind == ITEM_DOMAIN ? (struct vcpu_id){ .domid = item->domain.domid } : item->v;
}

static void csv_item(void *state, const struct item *item)
{
    struct csv *c = state;
    struct text *t = &c->x.out, *details = export_details(&c->x);
    struct vcpu_id v = who(item);
    bool is_call = item->kind == ITEM_CALL_END, guest = v.domid < DOMID_NOBODY;
    struct label label;
    const char *name = is_call ? hypercall_label(item->call->nr, &label) : item_label(item, &label);

    if (item->kind == ITEM_CALL_BEGIN)
        return;
    put_time(c, is_call ? call_start(item) : item->tsc);
    put_number(t, true, item->cpu);
    put_number(t, guest, v.domid);
    put_number(t, guest && item->kind != ITEM_DOMAIN, v.vcpu);
    put_word(t, item_kind_names[item->kind]);
    put_word(t, name);
    if (is_call) {
        put_call(t, item->call);
        decode_arguments(details, item->call);
        if (item->call->returned)
            decode_result(details, item->call);
    } else {
        text_str(t, ",,,,,");
        decode_item(details, item);
    }
    put_field(t, details->buf, details->len);
    text_char(t, '\n');
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
