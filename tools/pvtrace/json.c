/* --json: the trace event format, which ui.perfetto.dev and chrome://tracing open. A process for each
 * domain, in it for each vCPU a track of hypercalls (members of a multicall inside it), handlers of traps
 * and upcalls, and what else happened, and a track of its runstate; a process of the physical CPUs, with
 * who ran. Arrows lead from an event's send to the upcall that it caused. Called by main for each item. */
#include "tools/pvtrace/json.h"

#include <stdlib.h>
#include <string.h>

static void *json_open(const struct output_options *o, struct model *m)
{
    struct json *j = calloc(1, sizeof(*j));
    struct tracks *t = tracks_new();
    if (j == NULL || t == NULL) {
        free(j);
        free(t);
        return NULL;
    }
    j->out = TEXT(j->room);
    j->out.file = o->out;
    j->o = *o;
    j->model = m;
    j->clock = model_clock(m);
    j->tracks = t;
    text_str(&j->out, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
    return j;
}

/* --- Hypercalls ------------------------------------------------------------------------------------- */
/* "outcome" only where it says more than the result and its errno: {port=5}, a version. */
static void call_outcome(struct json *j, const struct call *c, const char *error)
{
    char plain[48];
    struct text p = TEXT(plain);
    const struct text *t = details_outcome(&j->details, c);

    text_add(&p, "%ld%s%s", c->result, error != NULL ? " " : "", error != NULL ? error : "");
    if (strcmp(t->buf, plain) != 0)
        argument_details(j, "outcome", t);
}

static void call_arguments(struct json *j, const struct call *c, const char *operation)
{
    struct label label;
    if (operation != NULL)
        argument_word(j, "hypercall", hypercall_label(c->nr, &label));
    argument_details(j, "arguments", details_arguments(&j->details, c));
    if (call_result_means(c)) {
        const char *error = call_failed(c) ? errno_name(c->result) : NULL;
        argument_number(j, "result", c->result);
        if (error != NULL)
            argument_word(j, "errno", error);
        if (c->result != 0 || c->nr_copies > 0)
            call_outcome(j, c, error);
    }
    if (c->returned)
        argument_number(j, "ticks", c->ticks <= INT64_MAX ? (int64_t)c->ticks : INT64_MAX);
    else
        argument_word(j, "returned", "no");
}

static void call_end(struct json *j, const struct item *item)
{
    const struct call *c = item->call;
    const char *operation = call_operation(c);
    struct track on = track_of(j, item);
    uint64_t start = call_start(item);
    struct label label;
    event_begin(j, 'X', "hypercall", operation != NULL ? operation : hypercall_label(c->nr, &label), on,
                start);
    event_duration(j, start, c->returned ? c->end : start);
    call_arguments(j, c, operation);
    event_end(j);
    if (c->depth == 0)
        handlers_call_end(j, item);
}

/* --- The rest --------------------------------------------------------------------------------------- */
/* scope: of a thread, a process, global. */
static void instant(struct json *j, const struct item *item, const char *name, const char *scope)
{
    event_begin(j, 'i', item_kind_names[item->kind], name, track_of(j, item), item->tsc);
    event_word(j, "s", scope);
    argument_details(j, "details", details_item(&j->details, item));
    event_end(j);
}

static void handler(struct json *j, const struct item *item, uint64_t rip)
{
    struct label label;
    const char *name = item_label(item, &label);
    track_of(j, item);
    if (!handler_begin(j, item, name, details_item(&j->details, item), rip))
        instant(j, item, name, "t");
}

static void sched(struct json *j, const struct item *item, const char *name)
{
    if (item->sched.event != TRC_SCHED_CONTINUE_RUNNING)
        instant(j, item, name, "t");
    else if (item->rec->n >= 1)
        cpu_runs(j, item, vcpu_word(item->rec->w[0]));
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
    struct label label;
    tracks_time(j, item);
    switch (item->kind) {
    case ITEM_CALL_BEGIN:
        if (item->call->depth == 0)
            handlers_call_begin(j, item);
        break;
    case ITEM_CALL_END:
        call_end(j, item);
        break;
    case ITEM_TRAP:
        handler(j, item, item->trap.rip);
        break;
    case ITEM_UPCALL:
        handler(j, item, 0);
        break;
    case ITEM_SEND:
        instant(j, item, "send", "t");
        arrow_from(j, item);
        break;
    case ITEM_RUNSTATE:
        runstate_change(j, item);
        break;
    case ITEM_SCHED:
        sched(j, item, item_label(item, &label));
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
        instant(j, item, item_label(item, &label), "t");
        break;
    }
}

static void json_idle(void *state)
{
    struct json *j = state;
    text_flush(&j->out);
}

static void other_data(struct json *j)
{
    const char *file = j->o.file != NULL ? j->o.file : "";

    text_str(&j->out, "\n],\"otherData\":{\"written_by\":\"pvtrace\",\"file\":");
    json_string(j, file, strlen(file));
    text_add(&j->out, ",\"clock\":\"TSC\",\"tsc_hz\":%lu,\"tsc_hz_assumed\":%s,\"tsc_at_time_0\":\"%lu\"",
             clock_hz(j->clock), j->clock->known ? "false" : "true", j->clock->zero);
    text_add(&j->out, ",\"tick\":\"%s\",\"records_lost\":%lu}}\n",
             j->o.instructions ? "an instruction" : "of the TSC", j->lost);
}

static int json_end(void *state)
{
    struct json *j = state;
    tracks_end(j);
    other_data(j);
    int rc = text_close(&j->out, "json");
    tracks_free(j->tracks);
    free(j);
    return rc;
}

const struct output_type json_output = {
    .name = "json", .open = json_open, .item = json_item, .idle = json_idle, .end = json_end,
};
