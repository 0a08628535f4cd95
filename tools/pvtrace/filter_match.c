/* Whether an item is wanted. Asked by main.c for most outputs, and by those that see every item
 * themselves.
 *
 * What is wanted always: records lost, domains built and ended, what is recorded from here on. What
 * has to be named to be wanted: the single changes of a vCPU's state (a switch says the same in one
 * line) and the hypervisor's counters. */
#include <string.h>

#include "tools/pvtrace/filter.h"

static uint32_t kinds_of(const struct item *item)
{
    uint32_t k = KIND(item->kind);

    if (item->kind == ITEM_SCHED && item->sched.event == TRC_SCHED_CONTINUE_RUNNING)
        k = KIND(ITEM_RUNSTATE);
    if (item->kind == ITEM_TRAP && item->trap.vector == 14)
        k |= KIND_PAGE_FAULT;
    if (item->kind == ITEM_MEM && item->mem.event <= TRC_MEM_PAGE_GRANT_TRANSFER)
        k |= KIND_GRANT;
    return k;
}

static bool rule_matches(const struct rule *r, const struct item *item)
{
    const char *operation;

    if ((KIND(item->kind) & KIND_CALL) == 0)
        return (r->kinds & kinds_of(item)) != 0;
    if (item->call->nr >= 64 ? r->unnamed : (r->calls >> item->call->nr & 1) != 0)
        return true;
    if (r->nr_operations == 0 || (operation = call_operation(item->call)) == NULL)
        return false;
    for (unsigned i = 0; i < r->nr_operations; i++)
        if (strcmp(operation, r->operations[i]) == 0)
            return true;
    return false;
}

static bool guest_is(const struct guest *g, struct vcpu_id v, const struct model *m)
{
    if (g->name != NULL)
        return strcmp(model_domain_name(m, v.domid), g->name) == 0;
    return g->v.domid == v.domid && (g->any_vcpu || g->v.vcpu == v.vcpu);
}

/* The vCPUs that an item is about, whoever ran: at most three. */
static unsigned concerned(const struct item *item, struct vcpu_id v[3])
{
    const struct record *r = item->rec;
    unsigned n = 0;

    v[n++] = item->v;
    if (item->kind == ITEM_SEND)
        v[n++] = item->send.to;
    else if (item->kind == ITEM_RUNSTATE)
        v[0] = item->runstate.who;
    else if (item->kind == ITEM_MEM)
        v[n++] = (struct vcpu_id){ .domid = item->mem.domid };
    else if (item->kind == ITEM_SCHED && r != NULL && (r->event & ~0xfffu) == TRC_SCHED_VERBOSE)
        for (unsigned i = 0; i + 1 < r->n && i <= 2 && n < 3; i += 2)
            if (i == 0 || r->event == TRC_SCHED_SWITCH)
                v[n++] = (struct vcpu_id){ (uint16_t)r->w[i], (uint16_t)r->w[i + 1] };
    return n;
}

bool filter_wants_guest(const struct filter *f, struct vcpu_id v, const struct model *m)
{
    for (unsigned g = 0; g < f->nr_guests; g++)
        if (guest_is(&f->guests[g], v, m))
            return true;
    return f->nr_guests == 0;
}

static bool guest_wanted(const struct filter *f, const struct item *item, const struct model *m)
{
    struct vcpu_id v[3];
    unsigned n;

    if (f->nr_guests == 0)
        return true;
    n = concerned(item, v);
    for (unsigned i = 0; i < n; i++)
        if (filter_wants_guest(f, v[i], m))
            return true;
    return false;
}

static bool cpu_wanted(const struct filter *f, const struct item *item)
{
    if (!f->some_cpus)
        return true;
    if ((KIND(item->kind) & KIND_CALL) != 0)
        return f->cpus[item->call->cpu];
    return f->cpus[item->cpu] ||
           (item->kind == ITEM_MIGRATED && f->cpus[item->migrated.from]);
}

static bool status_wanted(const struct filter *f, const struct item *item)
{
    bool failed;

    if (!f->failed && !f->successful)
        return true;
    if (item->kind != ITEM_CALL_END || !item->call->returned)
        return false;
    failed = call_failed(item->call);
    return (!f->failed || failed) && (!f->successful || !failed);
}

bool filter_wants(const struct filter *f, const struct item *item, const struct model *m)
{
    uint32_t kind = kinds_of(item);

    if ((kind & KIND_ALWAYS) != 0)
        return true;
    if ((kind & KIND_WHEN_NAMED) != 0 && (kind & f->named) == 0)
        return false;
    for (unsigned i = 0; i < f->nr_rules; i++)
        if (rule_matches(&f->rules[i], item) == f->rules[i].negative)
            return false;
    return status_wanted(f, item) && cpu_wanted(f, item) && guest_wanted(f, item, m);
}
