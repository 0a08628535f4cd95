/* Owns the counting behind -c: calls, errors and time of each hypercall and sub-operation, per guest, and
 * how often everything else happened. summary_rows.c keeps the rows, summary_print.c makes tables of them.
 *
 * What time is whose: a call's ticks include what its vCPU slept or waited for the CPU. That part is known
 * from the changes of its state and kept apart; without them only the calls that exist to sleep count as
 * sleep. A multicall is charged what its members did not take.
 *
 * Gets every item and asks the filter itself, because time is split by calls that the user may not want to
 * see. */
#include <stdlib.h>
#include <string.h>

#include <stdint.h>
#include <public/xen.h>

#include "tools/pvtrace/summary.h"

/* --- Time ----------------------------------------------------------------------------------------------- */
static struct vcpu_time *time_of(struct summary *s, struct vcpu_id v)
{
    bool evicts;
    unsigned at = vcpu_slot(s->keys, NR_VCPUS, v, &evicts);

    if (!same_vcpu(s->keys[at], v)) {
        s->vcpus[at] = (struct vcpu_time){ 0 };
        s->keys[at] = v;
    }
    return &s->vcpus[at];
}

static void runstate_changes(struct summary *s, const struct item *item)
{
    struct vcpu_time *v = time_of(s, item->runstate.who);

    s->any_runstate = true;
    if (item->runstate.to == 0 && v->off) {
        v->away += item->tsc > v->off_since ? item->tsc - v->off_since : 0;
        v->off = false;
    } else if (item->runstate.to != 0 && !v->off) {
        v->off = true;
        v->off_since = item->tsc;
    }
}

/* What is missing may have been a beginning, an end, a change of state: no time may be guessed from what
 * is left. */
static void forget_times(struct summary *s)
{
    memset(s->vcpus, 0, sizeof(s->vcpus));
}

static bool exists_to_sleep(const struct call *c)
{
    const char *name = call_operation(c);

    return name != NULL && (strcmp(name, "SCHEDOP_block") == 0 || strcmp(name, "SCHEDOP_poll") == 0);
}

/* What of a call's ticks is its own, on the CPU and off it. */
static void split(struct summary *s, const struct call *c, uint64_t *on, uint64_t *off)
{
    struct vcpu_time *v = time_of(s, c->v);
    unsigned d = c->depth > 0;
    uint64_t ticks = c->ticks, away = 0;

    if (v->open[d].began)
        away = v->away - v->open[d].away;
    if (!s->any_runstate && exists_to_sleep(c))
        away = ticks;
    away = away < ticks ? away : ticks;
    if (d == 1) {
        v->member_ticks += ticks;
        v->member_away += away;
    } else {
        away -= v->member_away < away ? v->member_away : away;
        ticks -= v->member_ticks < ticks ? v->member_ticks : ticks;
        away = away < ticks ? away : ticks;
    }
    *on = ticks - away;
    *off = away;
}

static void call_begins(struct summary *s, const struct call *c)
{
    struct vcpu_time *v = time_of(s, c->v);
    unsigned d = c->depth > 0;

    v->open[d].began = true;
    v->open[d].away = v->away;
    if (d == 0)
        v->member_ticks = v->member_away = 0;
}

static void call_ends(struct summary *s, const struct item *item)
{
    const struct call *c = item->call;
    struct tally t = { .calls = 1, .unfinished = !c->returned };
    char operation[OPERATION_BYTES];
    uint32_t guest = summary_guest(s, c->v.domid);

    s->seen[c->nr < ABI_HYPERCALLS ? c->nr : ABI_HYPERCALLS]++;
    s->guests[guest].calls = true;
    s->late |= !s->recording;
    if (c->returned) {
        t.timed = 1;
        t.failed = c->nr != __HYPERVISOR_iret && call_failed(c);
        split(s, c, &t.ticks, &t.away_ticks);
        t.max = t.ticks;
        t.away = t.away_ticks > 0;
        t.away_max = t.away_ticks;
    }
    time_of(s, c->v)->open[c->depth > 0].began = false;
    if (!filter_wants(s->o.filter, item, s->m))
        return;
    summary_operation(c, operation);
    tally_add(&summary_row(s, guest, c->nr, operation)->t, &t);
}

/* --- Everything else ------------------------------------------------------------------------------------ */
static void count_item(struct summary *s, const struct item *item)
{
    static const uint8_t counts[NR_ITEM_KINDS] = {
        [ITEM_PTWR] = COUNT_PTWR + 1,     [ITEM_EMULATED] = COUNT_EMULATED + 1, [ITEM_SEND] = COUNT_SENT + 1,
        [ITEM_UPCALL] = COUNT_UPCALL + 1, [ITEM_SCHED] = COUNT_SWITCH + 1,      [ITEM_MEM] = COUNT_MEM + 1,
        [ITEM_TRAP] = COUNT_TRAP + 1,     [ITEM_OTHER] = COUNT_OTHER + 1,
    };
    struct vcpu_id v = item->v;             /* whose it is */
    unsigned count = counts[item->kind];

    if (count == 0 || !filter_wants(s->o.filter, item, s->m))
        return;
    if (item->kind == ITEM_TRAP && item->trap.vector == 14)
        count = COUNT_PAGE_FAULT + 1;
    if (item->kind == ITEM_SCHED) {
        if (item->sched.event != TRC_SCHED_SWITCH || item->rec->n < 4)
            return;
        v = (struct vcpu_id){ (uint16_t)item->rec->w[2], (uint16_t)item->rec->w[3] };
        if (v.domid == DOMID_NOBODY)
            return;
    }
    if (filter_wants_guest(s->o.filter, v, s->m))
        s->guests[summary_guest(s, v.domid)].counts[count - 1]++;
}

static void summary_item(void *state, const struct item *item)
{
    struct summary *s = state;
    uint32_t nr;

    if (!s->any)
        s->first_tsc = s->last_tsc = item->tsc;
    s->any = true;
    if (item->tsc > s->last_tsc)
        s->last_tsc = item->tsc;
    switch (item->kind) {
    case ITEM_CALL_BEGIN:
        call_begins(s, item->call);
        break;
    case ITEM_CALL_END:
        call_ends(s, item);
        break;
    case ITEM_RUNSTATE:
        runstate_changes(s, item);
        break;
    case ITEM_LOST:
        s->lost += item->lost.records;
        forget_times(s);
        break;
    case ITEM_COUNTER:
        s->have_counters = true;
        nr = item->counter.nr < ABI_HYPERCALLS ? item->counter.nr : ABI_HYPERCALLS;
        s->counters[nr] = item->counter.count;
        break;
    case ITEM_CLASSES:
        s->paused |= s->recording && (item->classes.classes & TRACE_HYPERCALL) == 0;
        s->recording |= (item->classes.classes & TRACE_HYPERCALL) != 0;
        break;
    case ITEM_DOMAIN:
        summary_guest(s, item->domain.domid);
        break;
    default:
        count_item(s, item);
        break;
    }
}

static int summary_end(void *state)
{
    struct summary *s = state;

    summary_print(s);
    summary_check(s);
    free(s);
    return 0;
}

static void *summary_open(const struct output_options *o, struct model *m)
{
    struct summary *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->o = *o;
    s->m = m;
    s->clock = model_clock(m);
    vcpu_slots_clear(s->keys, NR_VCPUS);
    return s;
}

static void summary_idle(void *state)
{
    (void)state;                    /* the table comes at the end */
}

const struct output_type summary_output = {
    .name = "summary", .open = summary_open, .item = summary_item, .idle = summary_idle, .end = summary_end,
    .unfiltered = true,
};
