/* What a record means: a function each, which makes an item of it, called by record_table.c for
 * records with as many words as it says. Hypercalls, which take several records, are calls.c's. */
#include <string.h>

#include "tools/pvtrace/model.h"

static struct vcpu_id running(struct model *m, const struct record *r)
{
    return vcpu_running(m, r)->id;
}

void on_other(struct model *m, const struct record *r)
{
    emit(m, &(struct item){ .kind = ITEM_OTHER }, running(m, r), r);
}

/* --- Traps and emulation ---------------------------------------------------------------------- */
/* Xen has its records twice, with addresses of two words and of one; *i is the next word. */
static uint64_t address(const struct record *r, unsigned *i)
{
    bool wide = r->event & TRC_64_FLAG;
    uint64_t value = wide ? word64(r, *i) : r->w[*i];

    *i += 1 + wide;
    return value;
}

void on_trap(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_TRAP };
    unsigned i = 0;

    item.trap.rip = address(r, &i);
    item.trap.vector = r->w[i] & 0x7fff;
    item.trap.has_code = r->w[i] >> 15 & 1;
    item.trap.code = r->w[i] >> 16;
    emit(m, &item, running(m, r), r);
}

void on_page_fault(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_TRAP, .trap = { .vector = 14, .has_code = true } };
    unsigned i = 0;

    item.trap.rip = address(r, &i);
    item.trap.va = address(r, &i);
    item.trap.code = r->w[i];
    emit(m, &item, running(m, r), r);
}

void on_ptwr(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_PTWR };
    unsigned i = 2;

    item.ptwr.pte = word64(r, 0);
    item.ptwr.va = address(r, &i);
    item.ptwr.rip = address(r, &i);
    emit(m, &item, running(m, r), r);
}

/* The bytes come with the next record, if that is ours. */
void on_privop(struct model *m, const struct record *r)
{
    struct waiting *w = &m->cpus[r->cpu].waiting;

    w->emulated = *r;
    w->has_emulated = true;
}

void emit_emulated(struct model *m, const struct record *first, const struct record *bytes)
{
    struct item item = { .kind = ITEM_EMULATED };
    unsigned i = 0;

    item.emulated.rip = address(first, &i);
    item.emulated.forced = (first->event & ~TRC_64_FLAG) == TRC_PV_FORCED_INVALID_OP;
    if (bytes != NULL) {
        uint32_t known = MIN(4u * (bytes->n - 3u), 16u);

        item.emulated.len = (uint8_t)MIN(bytes->w[2], known);
        memcpy(item.emulated.bytes, &bytes->w[3], known);
    }
    emit(m, &item, running(m, first), bytes != NULL ? bytes : first);
}

void on_emulated(struct model *m, const struct record *r)
{
    struct waiting *w = &m->cpus[r->cpu].waiting;
    struct record first = *r;

    first.event |= TRC_64_FLAG;         /* alone it has the address, too */
    emit_emulated(m, w->has_emulated ? &w->emulated : &first, r);
    w->has_emulated = false;
}

/* --- Events, memory, who runs ----------------------------------------------------------------- */
void on_send(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_SEND, .send = {
        .how = (enum trace_send)r->w[0], .from = r->w[1], .to = vcpu_word(r->w[2]), .port = r->w[3],
        .by = call_of(vcpu_running(m, r)),
    } };

    if (r->w[0] > TRACE_SEND_XEN)
        on_other(m, r);
    else
        emit(m, &item, running(m, r), r);
}

void on_upcall(struct model *m, const struct record *r)
{
    emit(m, &(struct item){ .kind = ITEM_UPCALL, .upcall = { word64(r, 0) } }, running(m, r), r);
}

void on_mem(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_MEM, .mem = { r->event, (uint16_t)r->w[0] } };

    emit(m, &item, running(m, r), r);
}

void on_sched(struct model *m, const struct record *r)
{
    emit(m, &(struct item){ .kind = ITEM_SCHED, .sched = { r->event } }, running(m, r), r);
}

static void moved(struct model *m, uint16_t from, struct vcpu_id who, const struct record *r)
{
    if (from != r->cpu && who.domid < DOMID_NOBODY)
        emit(m, &(struct item){ .kind = ITEM_MIGRATED, .migrated = { from } }, who, r);
}

void on_runstate(struct model *m, const struct record *r)
{
    uint16_t before;
    struct item item = { .kind = ITEM_RUNSTATE, .runstate = {
        .who = vcpu_word(r->w[0]), .from = r->event >> 8 & 0xf, .to = r->event >> 4 & 0xf,
    } };

    if (item.runstate.to != 0) {
        emit(m, &item, item.runstate.who, r);
        return;
    }
    before = vcpu_runs(m, r->cpu, item.runstate.who);
    emit(m, &item, item.runstate.who, r);
    moved(m, before, item.runstate.who, r);
}

/* Each block begins with one, so it is only worth a word when it is news. */
void on_continue(struct model *m, const struct record *r)
{
    struct vcpu_id who = vcpu_word(r->w[0]);
    uint16_t before;

    if (same_vcpu(running(m, r), who))
        return;
    before = vcpu_runs(m, r->cpu, who);
    on_sched(m, r);
    moved(m, before, who, r);
}

/* --- About the trace itself ------------------------------------------------------------------- */
void on_nothing(struct model *m, const struct record *r)
{
    (void)m;
    (void)r;
}

void on_clock(struct model *m, const struct record *r)
{
    if (word64(r, 0) != 0)
        m->clock = (struct clock_info){ .hz = word64(r, 0), .zero = word64(r, 2), .known = true };
    m->several_cpus |= r->n >= 6 && r->w[5] > 1;
}

/* What was open may have ended meanwhile, and somebody else may run. Xen has the domain in the
 * lower half, only here. */
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

/* Results of calls that are open come only while hypercalls are recorded; and while nothing is,
 * anybody may run. Each CPU says it; it is an item when it is news. */
void on_classes(struct model *m, const struct record *r)
{
    struct vcpu_id who = running(m, r);

    if (!(r->w[0] & TRACE_HYPERCALL))
        calls_abandon_cpu(m, r->cpu, r);
    if (!m->has_classes || m->classes != r->w[0])
        emit(m, &(struct item){ .kind = ITEM_CLASSES, .classes = { r->w[0] } }, who, r);
    m->has_classes = true;
    m->classes = r->w[0];
    if (r->w[0] == 0)
        vcpu_unknown(m, r->cpu);
}

/* A name comes from whoever wrote the file: nothing in it may move a terminal's cursor. The last
 * one is kept for records without. The call that led to a crash is still open. */
void on_domain(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_DOMAIN, .domain = { .domid = (uint16_t)r->w[0] } };
    char *name = item.domain.name, *kept = m->names[item.domain.domid % NR_DOMIDS];

    if (r->w[0] >= NR_DOMIDS || r->w[1] > TRACE_DOMAIN_CRASHED) {
        on_other(m, r);
        return;
    }
    item.domain.what = (enum trace_domain)r->w[1];
    memcpy(name, &r->w[2], 4u * (r->n - 2u));
    for (unsigned i = 0; i < DOMAIN_NAME && name[i] != '\0'; i++)
        if (name[i] < ' ' || name[i] > '~')
            name[i] = '?';
    memcpy(name[0] != '\0' ? kept : name, name[0] != '\0' ? name : kept, DOMAIN_NAME);
    if (item.domain.what != TRACE_DOMAIN_CRASHED)
        calls_abandon_domain(m, item.domain.domid, r);
    emit(m, &item, running(m, r), r);
}

void on_counter(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_COUNTER, .counter = { r->w[0], word64(r, 1) } };

    emit(m, &item, running(m, r), r);
}
