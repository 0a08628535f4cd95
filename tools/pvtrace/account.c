/* Whose time is whose, for -c and --svg alike.
 *
 * A vCPU runs, waits for a CPU or sleeps, as its runstate records say; without any
 * (trace=hypercall) it runs from its first record to its last, and calls that give the CPU away
 * (SCHEDOP_block, poll, yield) are off it for as long as they took. A call's ticks include what its
 * vCPU slept or waited for the CPU: that part is kept apart and is no cost. A multicall is charged
 * what its members did not take. What remains of the time that a vCPU ran is the guest's own code,
 * and with it the hypercalls that -e hides. Traps and emulated instructions have no length in Xen's
 * records: they are counted only. */
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <public/xen.h>
#include <public/sched.h>

#include "common/compiler.h"
#include "tools/pvtrace/account.h"

enum { RUNNING, RUNNABLE, ASLEEP, OFFLINE, MISSED, NR_STATES };

struct vcpu_account {
    struct vcpu_id id;
    bool scheduled;                 /* the trace has its runstates */
    uint8_t state;
    uint64_t since, last;           /* TSC */
    uint64_t spent[NR_STATES];
    uint64_t cost;                  /* of its calls; part of the time that it ran, as is: */
    uint64_t given;                 /* what is in ASLEEP and RUNNABLE without runstates */
    struct {
        bool began;
        uint64_t away;              /* of the vCPU, when the call began */
    } open[2];                      /* by depth */
    uint64_t member_ticks, member_away;     /* of the members of the open multicall */
};

/* --- Guests and vCPUs ------------------------------------------------------------------------- */
static uint32_t guest_of(struct account *a, uint16_t domid)
{
    uint32_t g = MIN(a->nr_guests, MAX_GUESTS - 1);

    if (a->guest_of[domid] != 0)
        return a->guest_of[domid] - 1u;
    a->nr_guests = g + 1;
    a->guests[g].domid = domid;
    a->guests[g].others = g == MAX_GUESTS - 1;
    a->guest_of[domid] = (uint8_t)(g + 1);
    return g;
}

static void settle(struct vcpu_account *v, uint64_t tsc, unsigned state)
{
    if (tsc <= v->since)
        return;
    v->spent[state] += tsc - v->since;
    v->since = tsc;
}

static void add_up(struct account *a, struct vcpu_account *v)
{
    uint64_t own = v->cost + v->given;
    struct guest_account *g;

    if (v->id.domid >= DOMID_NOBODY || !filter_wants_guest(a->o.filter, v->id, a->m))
        return;
    settle(v, v->scheduled ? a->last : v->last, v->state);
    g = &a->guests[guest_of(a, v->id.domid)];
    g->vcpus++;
    g->spent[SPENT_GUEST] += v->spent[RUNNING] > own ? v->spent[RUNNING] - own : 0;
    g->spent[SPENT_CALLS] += v->cost;
    g->spent[SPENT_WAITING] += v->spent[RUNNABLE];
    g->spent[SPENT_BLOCKED] += v->spent[ASLEEP];
    g->spent[SPENT_UNKNOWN] += v->spent[MISSED];
}

void account_spent(struct account *a)
{
    for (unsigned i = 0; i < VCPU_PLACES; i++)
        if (a->vcpus[i].last != 0)
            add_up(a, &a->vcpus[i]);
}

static struct vcpu_account *vcpu_of(struct account *a, struct vcpu_id id, uint64_t tsc)
{
    struct vcpu_account *v = &a->vcpus[vcpu_place(id)];

    if (v->last == 0 || !same_vcpu(v->id, id)) {
        if (v->last != 0)           /* whose place it was */
            add_up(a, v);
        *v = (struct vcpu_account){ .id = id, .since = tsc };
    }
    v->last = MAX(v->last, tsc);
    return v;
}

/* --- Time ------------------------------------------------------------------------------------- */
static uint64_t away(const struct vcpu_account *v)
{
    return v->spent[RUNNABLE] + v->spent[ASLEEP] + v->spent[OFFLINE] + v->spent[MISSED];
}

/* A change from a state that it was not in: records are missing, and nobody knows what it did
 * since. */
static void runstate_changes(struct account *a, const struct item *item)
{
    struct vcpu_account *v = vcpu_of(a, item->runstate.who, item->tsc);

    if (item->runstate.from > OFFLINE || item->runstate.to > OFFLINE)
        return;
    settle(v, item->tsc, item->runstate.from == v->state ? v->state : MISSED);
    v->state = item->runstate.to;
    v->scheduled = true;
}

/* What is missing may have been a beginning or an end: no call may be measured by what is left. */
static void forget_calls(struct account *a)
{
    for (unsigned i = 0; a->opened && i < VCPU_PLACES; i++) {
        memset(a->vcpus[i].open, 0, sizeof(a->vcpus[i].open));
        a->vcpus[i].member_ticks = a->vcpus[i].member_away = 0;
    }
    a->opened = false;
}

/* What a vCPU is in during a call that gives the CPU away; RUNNING: the call is none of these. */
static unsigned state_during(const struct vcpu_account *v, const struct call *c)
{
    if ((c->nr != __HYPERVISOR_sched_op && c->nr != __HYPERVISOR_sched_op_compat) ||
        (c->known & 1) == 0)
        return RUNNING;
    if ((uint32_t)c->args[0] == SCHEDOP_block || (uint32_t)c->args[0] == SCHEDOP_poll)
        return ASLEEP;
    return (uint32_t)c->args[0] == SCHEDOP_yield && !v->scheduled ? RUNNABLE : RUNNING;
}

/* What of a call's ticks is its own, on the CPU and off it. */
static void split(struct vcpu_account *v, const struct call *c, unsigned during, struct tally *t)
{
    unsigned d = c->depth > 0;
    uint64_t ticks = c->ticks, off = v->open[d].began ? away(v) - v->open[d].away : 0;

    if (!v->scheduled && during != RUNNING) {
        off = ticks;
        v->spent[during] += ticks;
        v->given += ticks;
    }
    off = MIN(off, ticks);
    t->whole = ticks - off;
    if (d == 1) {
        v->member_ticks += ticks;
        v->member_away += off;
    } else {
        off -= MIN(v->member_away, off);
        ticks -= MIN(v->member_ticks, ticks);
        off = MIN(off, ticks);
    }
    t->timed = 1;
    t->ticks = t->max = ticks - off;
    t->away = off > 0;
    t->away_ticks = t->away_max = off;
}

/* Who makes a call runs, whatever was not recorded before. */
static void call_begins(struct account *a, const struct item *item)
{
    struct vcpu_account *v = vcpu_of(a, item->call->v, item->tsc);
    unsigned d = item->call->depth > 0;

    settle(v, item->tsc, v->state == RUNNING ? RUNNING : MISSED);
    v->state = RUNNING;
    v->open[d].began = a->opened = true;
    v->open[d].away = away(v);
    if (d == 0)
        v->member_ticks = v->member_away = 0;
}

static void call_ends(struct account *a, const struct item *item)
{
    const struct call *c = item->call;
    struct vcpu_account *v = vcpu_of(a, c->v, item->tsc);
    struct tally t = { .calls = 1, .unfinished = !c->returned, .failed = call_failed(c) };
    unsigned during = state_during(v, c);
    struct guest_account *g = &a->guests[guest_of(a, c->v.domid)];
    char operation[OPERATION_BYTES];

    g->any_call = true;
    t.gave = during != RUNNING;
    if (c->returned) {
        settle(v, item->tsc, v->state);
        split(v, c, during, &t);
    }
    v->open[c->depth > 0].began = false;
    if (!filter_wants(a->o.filter, item, a->m))
        return;
    g->calls += 1 - t.gave;
    g->gave += t.gave;
    if (c->depth == 0)
        v->cost += t.whole;
    row_operation(c, operation);
    tally_add(&row_of(&a->rows, (uint32_t)(g - a->guests), c, operation)->t, &t);
}

/* --- Everything else -------------------------------------------------------------------------- */
static void count_item(struct account *a, const struct item *item)
{
    static const uint8_t counts[NR_ITEM_KINDS] = {
        [ITEM_PTWR] = COUNT_PTWR + 1,    [ITEM_EMULATED] = COUNT_EMULATED + 1,
        [ITEM_SEND] = COUNT_SENT + 1,    [ITEM_UPCALL] = COUNT_UPCALL + 1,
        [ITEM_SCHED] = COUNT_SWITCH + 1, [ITEM_MEM] = COUNT_MEM + 1,
        [ITEM_TRAP] = COUNT_TRAP + 1,    [ITEM_OTHER] = COUNT_OTHER + 1,
        [ITEM_MIGRATED] = COUNT_MOVED + 1,
    };
    struct vcpu_id v = item->v;             /* whose it is */
    unsigned count = counts[item->kind];

    if (count == 0)
        return;
    vcpu_of(a, v, item->tsc);
    if (!filter_wants(a->o.filter, item, a->m))
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
    if (filter_wants_guest(a->o.filter, v, a->m))
        a->guests[guest_of(a, v.domid)].counts[count - 1]++;
}

void account_item(void *account, const struct item *item)
{
    struct account *a = account;

    if (item->tsc != 0 && (a->first == 0 || item->tsc < a->first))
        a->first = item->tsc;
    a->last = MAX(a->last, item->tsc);
    switch (item->kind) {
    case ITEM_CALL_BEGIN: call_begins(a, item); break;
    case ITEM_CALL_END: call_ends(a, item); break;
    case ITEM_RUNSTATE: runstate_changes(a, item); break;
    case ITEM_DOMAIN: guest_of(a, item->domain.domid); break;
    case ITEM_LOST:
        a->lost += item->lost.records;
        forget_calls(a);
        break;
    default: count_item(a, item); break;
    }
}

void *account_open(size_t size, const struct output_options *o, struct model *m)
{
    struct account *a = xcalloc(1, size);

    a->o = *o;
    a->m = m;
    a->clock = model_clock(m);
    a->vcpus = xcalloc(VCPU_PLACES, sizeof(*a->vcpus));
    return a;
}

void account_close(struct account *a)
{
    free(a->vcpus);
    free(a);
}
