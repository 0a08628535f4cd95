/* Owns the way of a record to whoever knows what it means: calls.c (hypercalls, which take several records),
 * records_guest.c, records_trace.c; and the few that wait for the record behind them. A record of which the
 * words cannot be what they should is an ITEM_OTHER, as one that nobody knows. */
#include <stdlib.h>

#include "tools/pvtrace/model.h"

struct handler {
    uint32_t event;
    uint8_t min_words;
    void (*fn)(struct model *m, const struct record *r);
};

void emit(struct model *m, struct item *item, struct vcpu_id v, const struct record *r)
{
    item->v = v;
    item->cpu = r->cpu;
    item->tsc = r->tsc;
    item->rec = r;
    m->fn(m->state, item);
}

void on_other(struct model *m, const struct record *r)
{
    emit(m, &(struct item){ .kind = ITEM_OTHER }, running(m, r), r);
}

/* --- One record ------------------------------------------------------------------------------------- */
static const struct handler handlers[] = {
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

static unsigned bucket(uint32_t event)
{
    return (event ^ event >> 9) % ARRAY_SIZE(((struct model *)NULL)->handlers);
}

static const struct handler *handler_of(const struct model *m, uint32_t event)
{
    unsigned i = bucket(event);

    while (m->handlers[i] != NULL && m->handlers[i]->event != event)
        i = (i + 1) % ARRAY_SIZE(m->handlers);
    return m->handlers[i];
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
    const struct handler *h = handler_of(m, runstate ? TRC_SCHED_RUNSTATE_CHANGE : r->event);
    struct cpu *c = &m->cpus[r->cpu];

    if (unlikely(c->waiting.call != NULL || c->waiting.has_emulated) && ends_waiting(c, r))
        end_waiting(m, c);
    m->now = r->tsc;
    if (likely(h != NULL && r->n >= h->min_words))
        h->fn(m, r);
    else if (r->event >> TRC_CLS_SHIFT == TRC_SCHED >> TRC_CLS_SHIFT)
        on_sched(m, r);
    else
        on_other(m, r);
}

/* --- The model -------------------------------------------------------------------------------------- */
struct model *model_new(item_fn fn, void *state)
{
    struct model *m = calloc(1, sizeof(*m));

    if (m == NULL) {
        fputs("pvtrace: out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    m->fn = fn;
    m->state = state;
    vcpus_init(m);
    for (unsigned i = 0; i < ARRAY_SIZE(handlers); i++) {
        unsigned at = bucket(handlers[i].event);

        while (m->handlers[at] != NULL)
            at = (at + 1) % ARRAY_SIZE(m->handlers);
        m->handlers[at] = &handlers[i];
    }
    return m;
}

void model_end(struct model *m)
{
    for (unsigned i = 0; i < MAX_CPUS; i++)
        end_waiting(m, &m->cpus[i]);
    calls_abandon_all(m);
}

static void ignore(void *state, const struct item *item)
{
    (void)state;
    (void)item;
}

void model_free(struct model *m)
{
    if (m == NULL)
        return;
    m->fn = ignore;
    model_end(m);
    calls_free(m);
    free(m);
}

const struct clock_info *model_clock(const struct model *m)
{
    return &m->clock;
}

const char *model_domain_name(const struct model *m, uint16_t domid)
{
    return domid < NR_DOMIDS ? m->names[domid] : "";
}
