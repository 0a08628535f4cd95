/* The one table of records: what is called for one, how many words it must have for that, and what
 * it is called in the lines about it (words.h). A record of which the words cannot be what they
 * should is an ITEM_OTHER, as one of which nothing is known. Called by main.c and diff.c for each
 * record, and by words.c. */
#include "tools/pvtrace/model.h"
#include "tools/pvtrace/words.h"

#define UNNAMED { NULL, NULL, NULL }

static const struct row {
    uint32_t event;
    uint8_t min_words;
    record_fn *fn;
    struct record_words words;
} rows[] = {
    { TRC_PV_HYPERCALL_V2,                    1, call_begin,     UNNAMED },
    { TRC_PV_HYPERCALL_SUBCALL,               1, call_begin,     UNNAMED },
    { TRC_PARAGON_ARGS,                       3, call_arguments, UNNAMED },
    { TRC_PARAGON_COPY_IN,                    3, call_copy,      UNNAMED },
    { TRC_PARAGON_COPY_OUT,                   3, call_copy,      UNNAMED },
    { TRC_PARAGON_RESULT,                     5, call_result,    UNNAMED },
    { TRC_PV_TRAP | TRC_64_FLAG,              3, on_trap,        UNNAMED },
    { TRC_PV_TRAP,                            2, on_trap,        UNNAMED },
    { TRC_PV_PAGE_FAULT | TRC_64_FLAG,        5, on_page_fault,  UNNAMED },
    { TRC_PV_PAGE_FAULT,                      3, on_page_fault,  UNNAMED },
    { TRC_PV_PTWR_EMULATION | TRC_64_FLAG,    6, on_ptwr,        UNNAMED },
    { TRC_PV_PTWR_EMULATION_PAE,              4, on_ptwr,        UNNAMED },
    { TRC_PV_EMULATE_PRIVOP | TRC_64_FLAG,    2, on_privop,      UNNAMED },
    { TRC_PV_EMULATE_PRIVOP,                  1, on_privop,      UNNAMED },
    { TRC_PV_FORCED_INVALID_OP | TRC_64_FLAG, 2, on_privop,      UNNAMED },
    { TRC_PV_FORCED_INVALID_OP,               1, on_privop,      UNNAMED },
    { TRC_PARAGON_EMULATED,                   3, on_emulated,    UNNAMED },
    { TRC_PARAGON_SEND,                       4, on_send,        UNNAMED },
    { TRC_PARAGON_UPCALL,                     2, on_upcall,      UNNAMED },
    { TRC_MEM_PAGE_GRANT_MAP, 1, on_mem, { "page_grant_map", "grant map", "d" } },
    { TRC_MEM_PAGE_GRANT_UNMAP, 1, on_mem, { "page_grant_unmap", "grant unmap", "d" } },
    { TRC_MEM_PAGE_GRANT_TRANSFER, 1, on_mem, { "page_grant_transfer", "grant transfer", "d" } },
    { TRC_SCHED_RUNSTATE_CHANGE,              1, on_runstate,    UNNAMED },
    { TRC_SCHED_CONTINUE_RUNNING, 1, on_continue, { "continue_running", "continue running", "w" } },
    { TRC_LOST_RECORDS,                       4, on_lost,        UNNAMED },
    { TRC_PARAGON_CLOCK,                      4, on_clock,       UNNAMED },
    { TRC_PARAGON_CLASSES,                    1, on_classes,     UNNAMED },
    { TRC_PARAGON_DOMAIN,                     2, on_domain,      UNNAMED },
    { TRC_PARAGON_COUNTER,                    3, on_counter,     UNNAMED },
    { TRC_TRACE_CPU_CHANGE,                   0, on_nothing,     UNNAMED },
    { TRC_TRACE_WRAP_BUFFER,                  0, on_nothing,     UNNAMED },
    { TRC_SCHED_DOM_ADD, 0, on_sched, { "dom_add", "domain added", "d" } },
    { TRC_SCHED_DOM_REM, 0, on_sched, { "dom_rem", "domain removed", "v" } },
    { TRC_SCHED_SLEEP, 0, on_sched, { "sleep", "sleep", "v" } },
    { TRC_SCHED_WAKE, 0, on_sched, { "wake", "wake", "v" } },
    { TRC_SCHED_YIELD, 0, on_sched, { "yield", "yield", "v" } },
    { TRC_SCHED_BLOCK, 0, on_sched, { "block", "block", "v" } },
    { TRC_SCHED_SHUTDOWN, 0, on_sched, { "shutdown", "shutdown", "vu" } },
    { TRC_SCHED_SHUTDOWN_CODE, 0, on_sched, { "shutdown_code", "shutdown code", "vu" } },
    { TRC_SCHED_SWITCH, 0, on_sched, { "switch", "switch", "v>v" } },
    { TRC_SCHED_SWITCH_INFPREV, 0, on_sched, { "switch_infprev", "switch from", "vu" } },
    { TRC_SCHED_SWITCH_INFNEXT, 0, on_sched, { "switch_infnext", "switch to", "vuu" } },
    { TRC_SCHED_SWITCH_INFCONT, 0, on_sched, { "switch_infcont", "switch: goes on", "vuu" } },
    { TRC_SCHED_S_TIMER_FN, 0, on_sched, { "s_timer_fn", NULL, "" } },
    { TRC_SCHED_T_TIMER_FN, 0, on_sched, { "t_timer_fn", NULL, "" } },
    { TRC_MEM_SET_P2M_ENTRY, 0, on_other, { NULL, "p2m entry", "" } },
    { TRC_MEM_DECREASE_RESERVATION, 0, on_other,
      { "decrease_reservation", "decrease reservation", "dd" } },
    { TRC_PV_HYPERCALL, 0, on_other, { "hypercall (old form)", NULL, "" } },
    { TRC_PV_EMULATE_4GB, 0, on_other, { "emulate_4gb", NULL, "" } },
    { TRC_PV_MATH_STATE_RESTORE, 0, on_other, { "math_state_restore", NULL, "" } },
    { TRC_PV_PAGING_FIXUP, 0, on_other, { "paging_fixup", NULL, "" } },
    { TRC_PV_GDT_LDT_MAPPING_FAULT, 0, on_other, { "gdt_ldt_mapping_fault", NULL, "" } },
};

/* Searched from the top: what is in most traces stands there. */
static const struct row *row_of(uint32_t event)
{
    for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++)
        if (row->event == event)
            return row;
    return NULL;
}

const struct record_words *record_words(uint32_t event)
{
    static const struct record_words none;
    const struct row *row = row_of(event);

    return row != NULL ? &row->words : &none;
}

/* --- One record ------------------------------------------------------------------------------- */
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
    const struct row *row = row_of(runstate ? TRC_SCHED_RUNSTATE_CHANGE : r->event);
    struct cpu *c = &m->cpus[r->cpu];

    m->several_cpus |= r->cpu != 0;
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
