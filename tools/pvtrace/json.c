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
/* Valid for any bytes: those that are no UTF-8 are shown as the characters of Latin 1 of their
 * number. */
static void put_string(struct text *t, const char *s, size_t len)
{
    size_t from = 0, i = 0;

    text_char(t, '"');
    while (i < len) {
        unsigned char c = (unsigned char)s[i];
        size_t n = c < 0x80 ? 1 : utf8_length(s + i, len - i);

        if (n > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            i += n;
            continue;
        }
        text_put(t, s + from, i - from);
        if (c == '"' || c == '\\') {
            text_char(t, '\\');
            text_char(t, (char)c);
        } else {
            text_str(t, "\\u00");
            text_byte(t, c);
        }
        from = ++i;
    }
    text_put(t, s + from, len - from);
    text_char(t, '"');
}

/* A reader in JavaScript cannot hold all numbers: those that it cannot come as strings. */
static void put_number(struct text *t, int64_t n)
{
    const int64_t exact = INT64_C(1) << 53;
    const char *quote = n > exact || n < -exact ? "\"" : "";

    text_str(t, quote);
    text_int(t, n);
    text_str(t, quote);
}

static void put_times(struct json *j, const struct event *e)
{
    int64_t ns = clock_between(j->x.clock, e->from, e->to);
    struct text *t = &j->x.out;

    text_str(t, ",\"ts\":");
    text_fixed(t, clock_time(j->x.clock, e->from), 3);
    if (e->phase == 'X') {
        text_str(t, ",\"dur\":");
        text_fixed(t, ns > 0 ? ns : 0, 3);
    }
}

void json_write(struct json *j, const struct event *e)
{
    struct text *t = &j->x.out;

    text_add(t, "%s\n{\"ph\":\"%c\",\"pid\":%u,\"tid\":%u,\"name\":", j->any ? "," : "", e->phase,
             e->on.pid, e->on.tid);
    put_string(t, e->name, strlen(e->name));
    j->any = true;
    if (e->phase != 'M') {
        text_add(t, ",\"cat\":\"%s\"", e->category);
        put_times(j, e);
    }
    if (e->scope != NULL)
        text_add(t, ",\"s\":\"%s\"", e->scope);
    if (e->id != 0)
        text_add(t, e->phase == 'f' ? ",\"id\":%lu,\"bp\":\"e\"" : ",\"id\":%lu", e->id);
    for (unsigned i = 0; i < e->nr_args; i++) {
        text_add(t, "%s\"%s\":", i == 0 ? ",\"args\":{" : ",", e->args[i].key);
        if (e->args[i].text != NULL)
            put_string(t, e->args[i].text, e->args[i].len);
        else
            put_number(t, e->args[i].number);
    }
    text_str(t, e->nr_args > 0 ? "}}" : "}");
}

void event_text(struct event *e, const char *key, const char *text, size_t len)
{
    unsigned i = e->nr_args++;

    e->args[i].key = key;
    e->args[i].text = text;
    e->args[i].len = len;
}

static void event_number(struct event *e, const char *key, int64_t number)
{
    event_text(e, key, NULL, 0);
    e->args[e->nr_args - 1].number = number;
}

/* --- Hypercalls ------------------------------------------------------------------------------- */
/* "outcome" only where it says more than the result and its errno: {port=5}, a version. */
static void add_outcome(struct json *j, struct event *e, const struct call *c, const char *error)
{
    char plain[48];
    struct text p = TEXT(plain);
    const struct text *t = details_outcome(&j->x.outcome, c);

    text_add(&p, "%ld%s%s", c->result, error != NULL ? " " : "", error != NULL ? error : "");
    if (strcmp(t->buf, plain) != 0)
        event_text(e, "outcome", t->buf, t->len);
}

static void call_end(struct json *j, const struct item *item)
{
    const struct call *c = item->call;
    const char *operation = call_operation(c), *error = call_error(c);
    uint64_t start = call_start(item);
    struct label label;
    const char *name = hypercall_label(c->nr, &label);
    struct event e = {
        .phase = 'X', .category = "hypercall", .name = operation != NULL ? operation : name,
        .on = track_of(j, item), .from = start, .to = c->returned ? c->end : start,
    };
    const struct text *t = details_arguments(&j->x.details, c);

    if (operation != NULL)
        event_text(&e, "hypercall", name, strlen(name));
    event_text(&e, "arguments", t->buf, t->len);
    if (call_result_means(c)) {
        event_number(&e, "result", c->result);
        if (error != NULL)
            event_text(&e, "errno", error, strlen(error));
        if (c->result != 0 || c->nr_copies > 0)
            add_outcome(j, &e, c, error);
    }
    if (c->returned)
        event_number(&e, "ticks", c->ticks <= INT64_MAX ? (int64_t)c->ticks : INT64_MAX);
    else
        event_text(&e, "returned", "no", 2);
    json_write(j, &e);
    if (c->depth == 0)
        handlers_call_end(j, item);
}

/* --- The rest --------------------------------------------------------------------------------- */
/* scope: of a thread, a process, global. */
static void instant(struct json *j, const struct item *item, const char *name, const char *scope)
{
    struct event e = { .phase = 'i', .category = item_kind_names[item->kind], .name = name,
                       .on = track_of(j, item), .from = item->tsc, .scope = scope };
    const struct text *t = details_item(&j->x.details, item);

    if (t->len > 0)
        event_text(&e, "details", t->buf, t->len);
    json_write(j, &e);
}

static void handler(struct json *j, const struct item *item, const char *name, uint64_t rip)
{
    track_of(j, item);
    if (!handler_begin(j, item, name, details_item(&j->x.details, item), rip))
        instant(j, item, name, "t");
}

static void domain(struct json *j, const struct item *item, const char *what)
{
    struct item of = *item;
    struct label label;

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
    case ITEM_CALL_END:
        call_end(j, item);
        break;
    case ITEM_TRAP:
        handler(j, item, item_label(item, &label), item->trap.rip);
        break;
    case ITEM_UPCALL:
        handler(j, item, item_label(item, &label), 0);
        break;
    case ITEM_SEND:
        instant(j, item, "send", "t");
        arrow_from(j, item);
        break;
    case ITEM_RUNSTATE:
        runstate_change(j, item);
        break;
    case ITEM_DOMAIN:
        domain(j, item, item_label(item, &label));
        break;
    case ITEM_LOST:
        j->lost += item->lost.records;
        instant(j, item, "records lost", "g");
        tracks_lost(j, item);
        break;
    case ITEM_CLASSES:
        instant(j, item, "traced from here", "g");
        break;
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
