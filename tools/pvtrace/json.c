/* --json: the trace event format, which ui.perfetto.dev and chrome://tracing open. A process for
 * each domain, in it for each vCPU a track of hypercalls (members of a multicall inside it),
 * handlers of traps and upcalls, and what else happened, and a track of its runstate; a process of
 * the physical CPUs, with who ran. Arrows lead from an event's send to the upcall that it caused.
 * Called by main.c for each item.
 *
 * Times are microseconds with three decimals, written from integers: a slice's end is its own time
 * rounded down like every other, so that slices that nest in ticks nest in the file. */
#include <stdlib.h>
#include <string.h>

#include "tools/pvtrace/json.h"

/* --- An event --------------------------------------------------------------------------------- */
static const bool special[128] = { ['"'] = true, ['\\'] = true };

/* What is no UTF-8 is shown as the characters of Latin 1 of its bytes' numbers. */
static void escape(struct text *t, unsigned char c)
{
    text_add(t, c == '"' || c == '\\' ? "\\%c" : "\\u%04x", c);
}

static void put_string(struct text *t, const char *s, size_t len)
{
    text_char(t, '"');
    text_utf8(t, s, len, special, escape);
    text_char(t, '"');
}

void event_begin(struct json *j, char phase, const char *category, const char *name,
                 struct track on, uint64_t from, uint64_t to)
{
    struct text *t = &j->x.out;
    int64_t ns = clock_between(j->x.clock, from, to);

    text_str(t, j->any ? ",\n{\"ph\":\"" : "\n{\"ph\":\"");
    text_char(t, phase);
    text_str(t, "\",\"pid\":");
    text_dec(t, on.pid);
    text_str(t, ",\"tid\":");
    text_dec(t, on.tid);
    text_str(t, ",\"name\":");
    put_string(t, name, strlen(name));
    j->any = true;
    j->nr_args = 0;
    if (category == NULL)
        return;
    text_str(t, ",\"cat\":\"");
    text_str(t, category);
    text_str(t, "\",\"ts\":");
    text_fixed(t, clock_time(j->x.clock, from), 3);
    if (phase != 'X')
        return;
    text_str(t, ",\"dur\":");
    text_fixed(t, ns > 0 ? ns : 0, 3);
}

void event_instant(struct json *j, const char *category, const char *name, struct track on,
                   uint64_t tsc, const char *scope)
{
    event_begin(j, 'i', category, name, on, tsc, 0);
    text_add(&j->x.out, ",\"s\":\"%s\"", scope);
}

static void put_key(struct json *j, const char *key)
{
    text_str(&j->x.out, j->nr_args++ == 0 ? ",\"args\":{\"" : ",\"");
    text_str(&j->x.out, key);
    text_str(&j->x.out, "\":");
}

void event_text(struct json *j, const char *key, const char *text, size_t len)
{
    put_key(j, key);
    put_string(&j->x.out, text, len);
}

/* A reader in JavaScript cannot hold all numbers: those that it cannot come as strings. */
void event_number(struct json *j, const char *key, int64_t number)
{
    const int64_t exact = INT64_C(1) << 53;
    const char *quote = number > exact || number < -exact ? "\"" : "";

    put_key(j, key);
    text_str(&j->x.out, quote);
    text_int(&j->x.out, number);
    text_str(&j->x.out, quote);
}

void event_end(struct json *j)
{
    text_str(&j->x.out, j->nr_args > 0 ? "}}" : "}");
}

/* --- Hypercalls ------------------------------------------------------------------------------- */
/* "outcome" only where it says more than the result and its errno: {port=5}, a version. */
static void put_result(struct json *j, const struct call *c)
{
    const char *error = call_error(c);
    const struct text *t;
    char plain[48];

    event_number(j, "result", c->result);
    if (error != NULL)
        event_text(j, "errno", error, strlen(error));
    if (c->result == 0 && c->nr_copies == 0)
        return;
    t = export_outcome(&j->x, c);
    snprintf(plain, sizeof(plain), error != NULL ? "%ld %s" : "%ld", c->result, error);
    if (strcmp(t->buf, plain) != 0)
        event_text(j, "outcome", t->buf, t->len);
}

static void call_end(struct json *j, const struct item *item)
{
    const struct call *c = item->call;
    const char *operation = call_operation(c);
    uint64_t start = call_start(item);
    struct label label;
    const char *name = hypercall_label(c->nr, &label);
    struct track on = track_of(j, item);
    const struct text *t = export_arguments(&j->x, c);

    event_begin(j, 'X', "hypercall", operation != NULL ? operation : name, on, start,
                c->returned ? c->end : start);
    if (operation != NULL)
        event_text(j, "hypercall", name, strlen(name));
    event_text(j, "arguments", t->buf, t->len);
    if (call_has_result(c))
        put_result(j, c);
    if (c->returned)
        event_number(j, "ticks", c->ticks <= INT64_MAX ? (int64_t)c->ticks : INT64_MAX);
    else
        event_text(j, "returned", "no", 2);
    event_end(j);
    if (c->depth == 0)
        handlers_call_end(j, item);
}

/* --- The rest --------------------------------------------------------------------------------- */
static void instant(struct json *j, const struct item *item, const char *name, const char *scope)
{
    struct track on = track_of(j, item);
    const struct text *t = export_item(&j->x, item);

    event_instant(j, item_kind_names[item->kind], name, on, item->tsc, scope);
    if (t->len > 0)
        event_text(j, "details", t->buf, t->len);
    event_end(j);
}

static void handler(struct json *j, const struct item *item, uint64_t rip)
{
    struct label label;
    const char *name = item_label(item, &label);

    track_of(j, item);
    if (!handler_begin(j, item, name, export_item(&j->x, item), rip))
        instant(j, item, name, "t");
}

static void domain(struct json *j, const struct item *item)
{
    struct item of = *item;
    struct label label;
    const char *what = item_label(item, &label);

    of.v = (struct vcpu_id){ item->domain.domid, 0 };
    snprintf(label.s, sizeof(label.s), "domain %s", what);
    instant(j, &of, label.s, "p");
}

static void json_item(void *state, const struct item *item)
{
    struct json *j = state;
    struct json_vcpu *v;
    struct label label;

    if (item->tsc > j->last)
        j->last = item->tsc;
    switch (item->kind) {
    case ITEM_CALL_BEGIN:
        if (item->call->depth == 0 && (v = json_vcpu(j, item->call->v)) != NULL)
            v->in_call = true;
        break;
    case ITEM_CALL_END: call_end(j, item); break;
    case ITEM_TRAP: handler(j, item, item->trap.rip); break;
    case ITEM_UPCALL: handler(j, item, 0); break;
    case ITEM_SEND:
        instant(j, item, "send", "t");
        arrow_from(j, item);
        break;
    case ITEM_RUNSTATE: runstate_change(j, item); break;
    case ITEM_DOMAIN: domain(j, item); break;
    case ITEM_LOST:
        j->lost += item->lost.records;
        instant(j, item, "records lost", "g");
        tracks_lost(j, item);
        break;
    case ITEM_CLASSES: instant(j, item, "traced from here", "g"); break;
    default:
        if (item->kind != ITEM_SCHED || item->sched.event != TRC_SCHED_CONTINUE_RUNNING)
            instant(j, item, item_label(item, &label), "t");
        else if (item->rec->n >= 1)
            cpu_runs(j, item, vcpu_word(item->rec->w[0]));
        break;
    }
}

/* --- The file --------------------------------------------------------------------------------- */
static void *json_open(const struct output_options *o, struct model *m)
{
    struct json *j = export_open(sizeof(*j), o, m);

    text_str(&j->x.out, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
    return j;
}

static int json_end(void *state)
{
    struct json *j = state;
    const struct clock_info *clock = j->x.clock;
    const char *file = j->x.o.file != NULL ? j->x.o.file : "";
    struct text *t = &j->x.out;

    tracks_end(j);
    text_str(t, "\n],\"otherData\":{\"written_by\":\"pvtrace\",\"file\":");
    put_string(t, file, strlen(file));
    text_add(t, ",\"clock\":\"TSC\",\"tsc_hz\":%lu,\"tsc_hz_assumed\":%s,\"tsc_at_time_0\":\"%lu\"",
             clock_hz(clock), clock->known ? "false" : "true", clock->zero);
    text_add(t, ",\"tick\":\"%s\",\"records_lost\":%lu}}\n",
             j->x.o.instructions ? "an instruction" : "of the TSC", j->lost);
    for (unsigned i = 0; i < VCPU_PLACES; i++)
        free(j->vcpus[i]);
    return export_close(j, "json");
}

const struct output_type json_output = {
    .name = "json", .open = json_open, .item = json_item, .idle = export_idle, .end = json_end,
};
