/* Owns the lines about what is no call: traps, events, switches, domains, losses. */
#include <string.h>

#include "tools/pvtrace/decode.h"
#include "tools/pvtrace/words.h"

void print_rip(struct text *t, uint64_t rip)
{
    text_str(t, " rip=");
    decode_address(t, rip);
}

void decode_address(struct text *t, uint64_t va)
{
    uint64_t distance = 0;
    const char *name = decode_options.raw ? NULL : symbol_at(va, &distance);

    if (name == NULL) {
        text_hex(t, va);
        return;
    }
    if (distance != 0)
        text_add(t, "<%s+0x%lx>", name, distance);
    else
        text_add(t, "<%s>", name);
}

static void item_ptwr(struct text *t, const struct item *item)
{
    text_add(t, "ptwr va=0x%lx val=", item->ptwr.va);
    decode_pte(t, item->ptwr.pte);
    print_rip(t, item->ptwr.rip);
}

static void item_emulated(struct text *t, const struct item *item)
{
    text_str(t, "emulate ");
    decode_instruction(t, item);
    print_rip(t, item->emulated.rip);
}

/* --- Events and the scheduler ----------------------------------------------------------------------- */
static void item_send(struct text *t, const struct item *item)
{
    text_str(t, "send ");
    if (item->send.how == TRACE_SEND_VIRQ && !decode_options.raw && abi_virq_name(item->send.from) != NULL) {
        text_str(t, abi_virq_name(item->send.from));
    } else {
        const char *what = item->send.how == TRACE_SEND_VIRQ ? "VIRQ"
                           : item->send.how == TRACE_SEND_IPI ? "IPI" : "port";

        text_add(t, "%s %u", what, item->send.from);
    }
    text_str(t, " -> ");
    text_vcpu(t, item->send.to);
    text_add(t, " port %u", item->send.port);
}

static void item_upcall(struct text *t, const struct item *item)
{
    text_str(t, "upcall ");
    decode_address(t, item->upcall.rip);
}

static void print_state(struct text *t, unsigned state, const char *const names[], unsigned n)
{
    text_name(t, state < n ? names[state] : NULL, state);
}

static void item_runstate(struct text *t, const struct item *item)
{
    text_vcpu(t, item->runstate.who);
    text_put(t, " ", 1);
    print_state(t, item->runstate.from, runstate_names, ARRAY_SIZE(runstate_names));
    text_str(t, " -> ");
    print_state(t, item->runstate.to, runstate_names, ARRAY_SIZE(runstate_names));
}

static void item_sched(struct text *t, const struct item *item)
{
    text_record(t, item->sched.event, item->rec);
}

static void item_mem(struct text *t, const struct item *item)
{
    text_record(t, item->mem.event, item->rec);
}

static void item_other(struct text *t, const struct item *item)
{
    if (item->rec != NULL)
        text_record(t, item->rec->event, item->rec);
}

/* --- About the trace -------------------------------------------------------------------------------- */
static void item_domain(struct text *t, const struct item *item)
{
    size_t len = strnlen(item->domain.name, sizeof(item->domain.name));

    text_str(t, "domain ");
    print_domid(t, item->domain.domid);
    if (len != 0) {
        text_str(t, " (");
        text_escape(t, item->domain.name, len);
        text_char(t, ')');
    }
    text_put(t, " ", 1);
    print_state(t, (unsigned)item->domain.what, domain_states, ARRAY_SIZE(domain_states));
}

static void item_lost(struct text *t, const struct item *item)
{
    text_add(t, item->lost.records == 1 ? "%lu record lost" : "%lu records lost", item->lost.records);
}

static void item_counter(struct text *t, const struct item *item)
{
    text_str(t, "counter ");
    text_name(t, decode_options.raw ? NULL : abi_hypercall_name(item->counter.nr), item->counter.nr);
    text_add(t, " %lu", item->counter.count);
}

static void item_classes(struct text *t, const struct item *item)
{
    text_str(t, item->classes.classes == 0 ? "tracing nothing" : "tracing ");
    text_classes(t, item->classes.classes, "|");
}

static void item_call(struct text *t, const struct item *item)
{
    const struct call *c = item->call;

    text_hypercall(t, c->nr);
    decode_arguments(t, c);
    if (item->kind == ITEM_CALL_END)
        decode_result(t, c);
}

void decode_item(struct text *t, const struct item *item)
{
    static void (*const printers[NR_ITEM_KINDS])(struct text *, const struct item *) = {
        [ITEM_CALL_BEGIN] = item_call, [ITEM_CALL_END] = item_call, [ITEM_TRAP] = decode_trap,
        [ITEM_PTWR] = item_ptwr,
        [ITEM_EMULATED] = item_emulated, [ITEM_SEND] = item_send, [ITEM_UPCALL] = item_upcall,
        [ITEM_RUNSTATE] = item_runstate, [ITEM_SCHED] = item_sched, [ITEM_DOMAIN] = item_domain,
        [ITEM_MEM] = item_mem,
        [ITEM_LOST] = item_lost, [ITEM_COUNTER] = item_counter, [ITEM_CLASSES] = item_classes,
        [ITEM_OTHER] = item_other,
    };

    if ((unsigned)item->kind < NR_ITEM_KINDS)
        printers[item->kind](t, item);
}
