/* Owns the lines about what is no call: traps, events, switches, domains, losses. */
#include "tools/pvtrace/decode.h"

#include <public/xen.h>

#define NOBODY 0x7fffu          /* the idle vCPU's domain */

static void print_vcpu(struct text *t, struct vcpu_id v)
{
    if (v.domid == NOBODY) {
        text_str(t, "idle");
    } else if (v.domid > NOBODY) {
        text_str(t, "?");
    } else {
        text_put(t, "d", 1);
        text_dec(t, v.domid);
        text_put(t, "v", 1);
        text_dec(t, v.vcpu);
    }
}

static struct vcpu_id vcpu_of_word(uint32_t w)
{
    return (struct vcpu_id) { .domid = (uint16_t)(w >> 16), .vcpu = (uint16_t)w };
}

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
    text_put(t, "<", 1);
    text_str(t, name);
    if (distance != 0) {
        text_put(t, "+", 1);
        text_hex(t, distance);
    }
    text_put(t, ">", 1);
}

static void item_ptwr(struct text *t, const struct item *item)
{
    text_str(t, "ptwr va=");
    text_hex(t, item->ptwr.va);
    text_str(t, " val=");
    decode_pte(t, item->ptwr.pte);
    print_rip(t, item->ptwr.rip);
}

static void item_emulated(struct text *t, const struct item *item)
{
    text_str(t, "emulate ");
    decode_instruction(t, item);
    print_rip(t, item->emulated.rip);
}

/* --- Events and the scheduler -------------------------------------------------------------------------------------- */
static void item_send(struct text *t, const struct item *item)
{
    text_str(t, "send ");
    if (item->send.how == TRACE_SEND_VIRQ && !decode_options.raw && abi_virq_name(item->send.from) != NULL) {
        text_str(t, abi_virq_name(item->send.from));
    } else {
        text_str(t, item->send.how == TRACE_SEND_VIRQ ? "VIRQ "
                    : item->send.how == TRACE_SEND_IPI ? "IPI " : "port ");
        text_dec(t, item->send.from);
    }
    text_str(t, " -> ");
    print_vcpu(t, item->send.to);
    text_str(t, " port ");
    text_dec(t, item->send.port);
}

static void item_upcall(struct text *t, const struct item *item)
{
    text_str(t, "upcall ");
    decode_address(t, item->upcall.rip);
}

static void print_runstate(struct text *t, uint8_t state)
{
    static const char *const names[] = { "running", "runnable", "blocked", "offline" };

    if (state < ARRAY_SIZE(names))
        text_str(t, names[state]);
    else
        text_dec(t, state);
}

static void item_runstate(struct text *t, const struct item *item)
{
    print_vcpu(t, item->runstate.who);
    text_put(t, " ", 1);
    print_runstate(t, item->runstate.from);
    text_str(t, " -> ");
    print_runstate(t, item->runstate.to);
}

/* Records that this program does not interpret, by Xen's names and with what their words are: v two words, domain and
 * vCPU; w one word with both; d domain; u a number; what has no letter comes in hexadecimal. */
static const struct {
    uint32_t event;
    const char *name, *words;
} xen_records[] = {
    { TRC_SCHED_CONTINUE_RUNNING, "continue_running", "w" }, { TRC_SCHED_DOM_ADD, "dom_add", "d" },
    { TRC_SCHED_DOM_REM, "dom_rem", "v" },                   { TRC_SCHED_SLEEP, "sleep", "v" },
    { TRC_SCHED_WAKE, "wake", "v" },                         { TRC_SCHED_YIELD, "yield", "v" },
    { TRC_SCHED_BLOCK, "block", "v" },                       { TRC_SCHED_SHUTDOWN, "shutdown", "vu" },
    { TRC_SCHED_SHUTDOWN_CODE, "shutdown_code", "vu" },      { TRC_SCHED_SWITCH, "switch", "v>v" },
    { TRC_SCHED_S_TIMER_FN, "s_timer_fn", "" },              { TRC_SCHED_T_TIMER_FN, "t_timer_fn", "" },
    { TRC_SCHED_SWITCH_INFPREV, "switch_infprev", "vu" },    { TRC_SCHED_SWITCH_INFNEXT, "switch_infnext", "vuu" },
    { TRC_SCHED_SWITCH_INFCONT, "switch_infcont", "vuu" },   { TRC_MEM_PAGE_GRANT_MAP, "page_grant_map", "d" },
    { TRC_MEM_PAGE_GRANT_UNMAP, "page_grant_unmap", "d" },   { TRC_MEM_PAGE_GRANT_TRANSFER, "page_grant_transfer", "d" },
    { TRC_MEM_DECREASE_RESERVATION, "decrease_reservation", "dd" },
    { TRC_PV_HYPERCALL, "hypercall (old form)", "" },        { TRC_PV_EMULATE_4GB, "emulate_4gb", "" },
    { TRC_PV_MATH_STATE_RESTORE, "math_state_restore", "" }, { TRC_PV_PAGING_FIXUP, "paging_fixup", "" },
    { TRC_PV_GDT_LDT_MAPPING_FAULT, "gdt_ldt_mapping_fault", "" },
};

static void print_words(struct text *t, const struct record *rec, const char *words)
{
    unsigned n = MIN(rec->n, TRACE_EXTRA_MAX), i = 0;

    for (; i < n && *words != '\0'; words++) {
        text_put(t, " ", 1);
        if (*words == '>') {
            text_str(t, "->");
        } else if (*words == 'v' && i + 1 < n) {
            print_vcpu(t, (struct vcpu_id) { .domid = (uint16_t)rec->w[i], .vcpu = (uint16_t)rec->w[i + 1] });
            i += 2;
        } else if (*words == 'w') {
            print_vcpu(t, vcpu_of_word(rec->w[i++]));
        } else if (*words == 'd') {
            print_domid(t, rec->w[i++]);
        } else {
            text_dec(t, rec->w[i++]);
        }
    }
    for (; i < n; i++) {
        text_put(t, " ", 1);
        text_hex(t, rec->w[i]);
    }
}

static void print_record(struct text *t, uint32_t event, const struct record *rec)
{
    const char *words = "";
    unsigned i = 0;

    while (i < ARRAY_SIZE(xen_records) && (event & ~TRC_64_FLAG) != xen_records[i].event)
        i++;
    if (i < ARRAY_SIZE(xen_records) && !decode_options.raw) {
        text_str(t, xen_records[i].name);
        words = xen_records[i].words;
    } else {
        text_str(t, "record ");
        text_hex(t, event);
    }
    if (rec != NULL)
        print_words(t, rec, words);
}

static void item_sched(struct text *t, const struct item *item)
{
    print_record(t, item->sched.event, item->rec);
}

static void item_mem(struct text *t, const struct item *item)
{
    print_record(t, item->mem.event, item->rec);
}

static void item_other(struct text *t, const struct item *item)
{
    if (item->rec != NULL)
        print_record(t, item->rec->event, item->rec);
}

/* --- About the trace ----------------------------------------------------------------------------------------------- */
static void item_domain(struct text *t, const struct item *item)
{
    static const char *const what[] = {
        [TRACE_DOMAIN_BUILT] = "built", [TRACE_DOMAIN_ENDED] = "ended", [TRACE_DOMAIN_CRASHED] = "crashed",
    };
    size_t len = 0;

    text_str(t, "domain ");
    print_domid(t, item->domain.domid);
    while (len < sizeof(item->domain.name) && item->domain.name[len] != '\0')
        len++;
    if (len != 0) {
        text_str(t, " (");
        text_escape(t, item->domain.name, len);
        text_str(t, ")");
    }
    text_put(t, " ", 1);
    if ((unsigned)item->domain.what < ARRAY_SIZE(what))
        text_str(t, what[item->domain.what]);
    else
        text_dec(t, (unsigned)item->domain.what);
}

static void item_lost(struct text *t, const struct item *item)
{
    text_dec(t, item->lost.records);
    text_str(t, item->lost.records == 1 ? " record lost" : " records lost");
}

static void item_counter(struct text *t, const struct item *item)
{
    const char *name = decode_options.raw ? NULL : abi_hypercall_name(item->counter.nr);

    text_str(t, "counter ");
    if (name != NULL)
        text_str(t, name);
    else
        text_dec(t, item->counter.nr);
    text_put(t, " ", 1);
    text_dec(t, item->counter.count);
}

static void item_classes(struct text *t, const struct item *item)
{
#define X(name, word, help) [TRACE_##name##_BIT] = word,
    NAMES(classes, TRACE_CLASSES(X));
#undef X

    text_str(t, "tracing ");
    if (item->classes.classes == 0)
        text_str(t, "nothing");
    else
        print_flags(t, &classes, item->classes.classes);
}

static void item_call(struct text *t, const struct item *item)
{
    const struct call *c = item->call;
    const char *name = hypercall_name(c->nr);

    if (name != NULL)
        text_str(t, name);
    else
        text_add(t, "hypercall_%u", c->nr);
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
