/* What a record means: one table says which function makes an item of it, and how many words it
 * must have. Hypercalls, which take several records, are calls.c's. A record of which the words
 * cannot be what they should is an ITEM_OTHER, as one that nobody knows. */
#include <string.h>

#include "tools/pvtrace/model.h"

static struct vcpu_id running(struct model *m, const struct record *r)
{
    return vcpu_running(m, r)->id;
}

static void on_other(struct model *m, const struct record *r)
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

static void on_trap(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_TRAP };
    unsigned i = 0;

    item.trap.rip = address(r, &i);
    item.trap.vector = r->w[i] & 0x7fff;
    item.trap.has_code = r->w[i] >> 15 & 1;
    item.trap.code = r->w[i] >> 16;
    emit(m, &item, running(m, r), r);
}

static void on_page_fault(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_TRAP, .trap = { .vector = 14, .has_code = true } };
    unsigned i = 0;

    item.trap.rip = address(r, &i);
    item.trap.va = address(r, &i);
    item.trap.code = r->w[i];
    emit(m, &item, running(m, r), r);
}

static void on_ptwr(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_PTWR };
    unsigned i = 2;

    item.ptwr.pte = word64(r, 0);
    item.ptwr.va = address(r, &i);
    item.ptwr.rip = address(r, &i);
    emit(m, &item, running(m, r), r);
}

/* The bytes come with the next record, if that is ours. */
static void on_privop(struct model *m, const struct record *r)
{
    struct waiting *w = &m->cpus[r->cpu].waiting;

    w->emulated = *r;
    w->has_emulated = true;
}

static void emit_emulated(struct model *m, const struct record *first, const struct record *bytes)
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

static void on_emulated(struct model *m, const struct record *r)
{
    struct waiting *w = &m->cpus[r->cpu].waiting;
    struct record first = *r;

    first.event |= TRC_64_FLAG;         /* alone it has the address, too */
    emit_emulated(m, w->has_emulated ? &w->emulated : &first, r);
    w->has_emulated = false;
}

/* --- Events, memory, who runs ----------------------------------------------------------------- */
static void on_send(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_SEND, .send = {
        .how = (enum trace_send)r->w[0], .from = r->w[1], .to = vcpu_word(r->w[2]), .port = r->w[3],
    } };

    if (r->w[0] > TRACE_SEND_XEN)
        on_other(m, r);
    else
        emit(m, &item, running(m, r), r);
}

static void on_upcall(struct model *m, const struct record *r)
{
    emit(m, &(struct item){ .kind = ITEM_UPCALL, .upcall = { word64(r, 0) } }, running(m, r), r);
}

static void on_mem(struct model *m, const struct record *r)
{
    emit(m, &(struct item){ .kind = ITEM_MEM, .mem = { r->event, (uint16_t)r->w[0] } }, running(m, r), r);
}

static void on_sched(struct model *m, const struct record *r)
{
    emit(m, &(struct item){ .kind = ITEM_SCHED, .sched = { r->event } }, running(m, r), r);
}

static void on_runstate(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_RUNSTATE, .runstate = {
        .who = vcpu_word(r->w[0]), .from = r->event >> 8 & 0xf, .to = r->event >> 4 & 0xf,
    } };

    if (item.runstate.to == 0)
        vcpu_runs(m, r->cpu, item.runstate.who);
    emit(m, &item, item.runstate.who, r);
}

/* Each block begins with one, so it is only worth a word when it is news. */
static void on_continue(struct model *m, const struct record *r)
{
    if (same_vcpu(running(m, r), vcpu_word(r->w[0])))
        return;
    vcpu_runs(m, r->cpu, vcpu_word(r->w[0]));
    on_sched(m, r);
}

/* --- About the trace itself ------------------------------------------------------------------- */
static void on_nothing(struct model *m, const struct record *r)
{
    (void)m;
    (void)r;
}

static void on_clock(struct model *m, const struct record *r)
{
    if (word64(r, 0) != 0)
        m->clock = (struct clock_info){ .hz = word64(r, 0), .zero = word64(r, 2), .known = true };
}

/* What was open may have ended meanwhile, and somebody else may run. Xen has the domain in the
 * lower half, only here. */
static void on_lost(struct model *m, const struct record *r)
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
 * anybody may run. */
static void on_classes(struct model *m, const struct record *r)
{
    struct vcpu_id who = running(m, r);

    if (!(r->w[0] & TRACE_HYPERCALL))
        calls_abandon_cpu(m, r->cpu, r);
    emit(m, &(struct item){ .kind = ITEM_CLASSES, .classes = { r->w[0] } }, who, r);
    if (r->w[0] == 0)
        vcpu_unknown(m, r->cpu);
}

/* A name comes from whoever wrote the file: nothing in it may move a terminal's cursor. The last
 * one is kept for records without. The call that led to a crash is still open. */
static void on_domain(struct model *m, const struct record *r)
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

static void on_counter(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_COUNTER, .counter = { r->w[0], word64(r, 1) } };

    emit(m, &item, running(m, r), r);
}

/* --- One record ------------------------------------------------------------------------------- */
static const struct row {
    uint32_t event;
    uint8_t min_words;
    void (*fn)(struct model *m, const struct record *r);
} rows[] = {
    { TRC_PV_HYPERCALL_V2,                      1, call_begin },
    { TRC_PV_HYPERCALL_SUBCALL,                 1, call_begin },
    { TRC_PARAGON_ARGS,                         3, call_arguments },
    { TRC_PARAGON_COPY_IN,                      3, call_copy },
    { TRC_PARAGON_COPY_OUT,                     3, call_copy },
    { TRC_PARAGON_RESULT,                       5, call_result },
    { TRC_PV_TRAP | TRC_64_FLAG,                3, on_trap },
    { TRC_PV_TRAP,                              2, on_trap },
    { TRC_PV_PAGE_FAULT | TRC_64_FLAG,          5, on_page_fault },
    { TRC_PV_PAGE_FAULT,                        3, on_page_fault },
    { TRC_PV_PTWR_EMULATION | TRC_64_FLAG,      6, on_ptwr },
    { TRC_PV_PTWR_EMULATION_PAE,                4, on_ptwr },
    { TRC_PV_EMULATE_PRIVOP | TRC_64_FLAG,      2, on_privop },
    { TRC_PV_EMULATE_PRIVOP,                    1, on_privop },
    { TRC_PV_FORCED_INVALID_OP | TRC_64_FLAG,   2, on_privop },
    { TRC_PV_FORCED_INVALID_OP,                 1, on_privop },
    { TRC_PARAGON_EMULATED,                     3, on_emulated },
    { TRC_PARAGON_SEND,                         4, on_send },
    { TRC_PARAGON_UPCALL,                       2, on_upcall },
    { TRC_MEM_PAGE_GRANT_MAP,                   1, on_mem },
    { TRC_MEM_PAGE_GRANT_UNMAP,                 1, on_mem },
    { TRC_MEM_PAGE_GRANT_TRANSFER,              1, on_mem },
    { TRC_SCHED_RUNSTATE_CHANGE,                1, on_runstate },
    { TRC_SCHED_CONTINUE_RUNNING,               1, on_continue },
    { TRC_LOST_RECORDS,                         4, on_lost },
    { TRC_PARAGON_CLOCK,                        4, on_clock },
    { TRC_PARAGON_CLASSES,                      1, on_classes },
    { TRC_PARAGON_DOMAIN,                       2, on_domain },
    { TRC_PARAGON_COUNTER,                      3, on_counter },
    { TRC_TRACE_CPU_CHANGE,                     0, on_nothing },
    { TRC_TRACE_WRAP_BUFFER,                    0, on_nothing },
};

/* Where a row of that event is, or would be. */
static const struct row **place_of(struct model *m, uint32_t event)
{
    unsigned i = (event ^ event >> 9) % ARRAY_SIZE(m->rows);

    while (m->rows[i] != NULL && m->rows[i]->event != event)
        i = (i + 1) % ARRAY_SIZE(m->rows);
    return &m->rows[i];
}

void records_init(struct model *m)
{
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
        *place_of(m, rows[i].event) = &rows[i];
}

/* What waits for the rest of it goes on waiting when a block of the ring ends just there. */
static bool ends_waiting(const struct cpu *c, const struct record *r)
{
    switch (r->event) {
    case TRC_PARAGON_CLOCK:
    case TRC_TRACE_CPU_CHANGE:
        return false;
    case TRC_SCHED_CONTINUE_RUNNING:
        return !same_vcpu(c->who, vcpu_word(r->w[0]));
    case TRC_PARAGON_ARGS:
        return c->waiting.call == NULL;
    case TRC_PARAGON_EMULATED:
        return !c->waiting.has_emulated;
    default:
        return true;
    }
}

static void end_waiting(struct model *m, struct cpu *c)
{
    calls_announce(m, c);
    if (c->waiting.has_emulated) {
        c->waiting.has_emulated = false;
        emit_emulated(m, &c->waiting.emulated, NULL);
    }
}

void model_record(struct model *m, const struct record *r)
{
    bool runstate = (r->event & ~0xff0u) == TRC_SCHED_RUNSTATE_CHANGE;
    const struct row *row = *place_of(m, runstate ? TRC_SCHED_RUNSTATE_CHANGE : r->event);
    struct cpu *c = &m->cpus[r->cpu];

    if (unlikely(c->waiting.call != NULL || c->waiting.has_emulated) && ends_waiting(c, r))
        end_waiting(m, c);
    m->now = r->tsc;
    if (likely(row != NULL && r->n >= row->min_words))
        row->fn(m, r);
    else if (r->event >> TRC_CLS_SHIFT == TRC_SCHED >> TRC_CLS_SHIFT)
        on_sched(m, r);
    else
        on_other(m, r);
}

void model_end(struct model *m)
{
    for (unsigned i = 0; i < MAX_CPUS; i++)
        end_waiting(m, &m->cpus[i]);
    for (unsigned i = 0; i < VCPU_PLACES; i++)
        calls_abandon(m, &m->vcpus[i], NULL);
}
