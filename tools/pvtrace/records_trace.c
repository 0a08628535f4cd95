/* Owns what the records mean that say who runs, and those about the trace itself: its clock, what it lacks,
 * which domains there are. Called by model.c, which has counted the words. */
#include <string.h>

#include "tools/pvtrace/model.h"

/* --- Who runs --------------------------------------------------------------------------------------- */
void on_sched(struct model *m, const struct record *r)
{
    emit(m, &(struct item){ .kind = ITEM_SCHED, .sched = { r->event } }, running(m, r), r);
}

void on_runstate(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_RUNSTATE, .runstate = {
        .who = vcpu_word(r->w[0]), .from = r->event >> 8 & 0xf, .to = r->event >> 4 & 0xf,
    } };

    if (item.runstate.to == 0)
        vcpu_runs(m, r->cpu, item.runstate.who);
    emit(m, &item, item.runstate.who, r);
}

/* Each block begins with one, so it is only worth a word when it is news. */
void on_continue(struct model *m, const struct record *r)
{
    if (same_vcpu(running(m, r), vcpu_word(r->w[0])))
        return;
    vcpu_runs(m, r->cpu, vcpu_word(r->w[0]));
    on_sched(m, r);
}

/* --- About the trace itself ------------------------------------------------------------------------- */
void on_nothing(struct model *m, const struct record *r)
{
    (void)m;
    (void)r;
}

void on_clock(struct model *m, const struct record *r)
{
    if (word64(r, 0) == 0)
        return;
    m->clock = (struct clock_info){ .hz = word64(r, 0), .zero = word64(r, 2), .known = true };
}

/* What was open may have ended meanwhile, and somebody else may run. Xen has the domain in the lower half,
 * only here. */
void on_lost(struct model *m, const struct record *r)
{
    struct vcpu_id who = { .domid = (uint16_t)r->w[1], .vcpu = (uint16_t)(r->w[1] >> 16) };

    calls_abandon_cpu(m, r->cpu, r);
    if (who.domid <= DOMID_NOBODY)
        vcpu_runs(m, r->cpu, who);
    else
        vcpu_unknown(m, r->cpu);
    emit(m, &(struct item){ .kind = ITEM_LOST, .lost = { r->w[0] } }, running(m, r), r);
}

/* Results of calls that are open come only while hypercalls are recorded; and while nothing is, anybody may
 * run. */
void on_classes(struct model *m, const struct record *r)
{
    struct vcpu_id who = running(m, r);

    if (!(r->w[0] & TRACE_HYPERCALL))
        calls_abandon_cpu(m, r->cpu, r);
    emit(m, &(struct item){ .kind = ITEM_CLASSES, .classes = { r->w[0] } }, who, r);
    if (r->w[0] == 0)
        vcpu_unknown(m, r->cpu);
}

/* The name comes from whoever wrote the file: nothing in it may move a terminal's cursor. */
static void set_name(struct model *m, struct item *item, const struct record *r)
{
    char *name = item->domain.name;

    memcpy(name, &r->w[2], 4u * (r->n - 2u));
    for (unsigned i = 0; i < DOMAIN_NAME && name[i] != '\0'; i++)
        if (name[i] < ' ' || name[i] > '~')
            name[i] = '?';
    if (name[0] != '\0')
        memcpy(m->names[item->domain.domid], name, DOMAIN_NAME);
    else
        memcpy(name, m->names[item->domain.domid], DOMAIN_NAME);
}

void on_domain(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_DOMAIN };

    if (r->w[0] >= NR_DOMIDS || r->w[1] > TRACE_DOMAIN_CRASHED) {
        on_other(m, r);
        return;
    }
    item.domain.domid = (uint16_t)r->w[0];
    item.domain.what = (enum trace_domain)r->w[1];
    set_name(m, &item, r);
    if (item.domain.what != TRACE_DOMAIN_CRASHED)       /* the call that led to a crash is still open */
        calls_abandon_domain(m, item.domain.domid, r);
    emit(m, &item, running(m, r), r);
}

void on_counter(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_COUNTER, .counter = { r->w[0], word64(r, 1) } };

    emit(m, &item, running(m, r), r);
}
