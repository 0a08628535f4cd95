/* The lines about what is no call: traps, emulated instructions, events, switches, domains, losses.
 * Called by the outputs. */
#include <string.h>

#include "common/x86/format.h"
#include "tools/pvtrace/decode.h"
#include "tools/pvtrace/words.h"

void decode_address(struct text *t, uint64_t va)
{
    uint64_t distance = 0;
    const char *name = decode_options.raw ? NULL : symbol_at(va, &distance);

    if (name == NULL)
        text_hex(t, va);
    else
        text_add(t, distance != 0 ? "<%s+0x%lx>" : "<%s>", name, distance);
}

static void print_rip(struct text *t, uint64_t rip)
{
    text_str(t, " rip=");
    decode_address(t, rip);
}

/* --- Traps ------------------------------------------------------------------------------------ */
/* SDM vol. 3, 4.7. A PV guest's kernel is not "user" here, although it runs in ring 3. */
static void print_page_fault_code(struct text *t, uint32_t code)
{
    text_str(t, code & 16 ? " fetch" : code & 2 ? " write" : " read");
    text_str(t, code & 1 ? " protection" : " not-present");
    text_str(t, code & 4 ? " user" : " kernel");
    if (code & 8)
        text_str(t, " reserved-bit");
    if (code & 32)
        text_str(t, " protection-key");
    if (code & ~63u)
        text_add(t, " code=0x%x", code);
}

/* SDM vol. 3, 6.13: a selector, or a vector with its IDT bit. */
static void print_selector_code(struct text *t, uint32_t code)
{
    uint32_t index = code >> 3 & 0x1fff;

    text_add(t, " code=0x%x", code);
    if (code == 0)
        return;
    if (code & 2)
        text_add(t, " (vector 0x%x", index);
    else
        text_add(t, " (%s %u", code & 4 ? "ldt" : "gdt", index);
    text_str(t, code & 1 ? " ext)" : ")");
}

void decode_trap(struct text *t, const struct item *item)
{
    uint32_t vector = item->trap.vector, code = item->trap.code;
    const char *name = decode_options.raw ? NULL : abi_trap_name(vector);

    if (name != NULL)
        text_str(t, name);
    else
        text_add(t, "trap %u", vector);
    if (item->trap.has_code && !decode_options.raw && vector == 14)
        print_page_fault_code(t, code);
    else if (item->trap.has_code && !decode_options.raw && vector >= 10 && vector <= 13)
        print_selector_code(t, code);
    else if (item->trap.has_code)
        text_add(t, " code=0x%x", code);
    if (vector == 14)
        text_add(t, " va=0x%lx", item->trap.va);
    print_rip(t, item->trap.rip);
}

/* --- Emulated instructions -------------------------------------------------------------------- */
/* Disassembled by common/x86, in the syntax of AT&T, as 64-bit code. What is no instruction, or not
 * all there, is shown as its bytes. */
static bool print_instruction(struct text *t, const uint8_t *bytes, unsigned len, uint64_t rip)
{
    const struct insn_case *c;
    char text[96];
    struct insn in;

    if (!decode_insn(bytes, len, MODE_64, &in) || (c = find_case(&in)) == NULL)
        return false;
    format_insn(&in, c, rip, text, sizeof(text));
    text_str(t, text);
    return true;
}

static void print_bytes(struct text *t, const uint8_t *bytes, unsigned len)
{
    text_str(t, "bytes");
    for (unsigned i = 0; i < len; i++)
        text_add(t, " %02x", bytes[i]);
}

void decode_instruction(struct text *t, const struct item *item)
{
    static const uint8_t forced[5] = { 0x0f, 0x0b, 'x', 'e', 'n' };
    const uint8_t *bytes = item->emulated.bytes;
    unsigned len = MIN(item->emulated.len, sizeof(item->emulated.bytes)), at = 0;

    if (len == 0) {
        text_str(t, item->emulated.forced ? "cpuid (forced)" : "?");
        return;
    }
    if (len >= sizeof(forced) && memcmp(bytes, forced, sizeof(forced)) == 0)
        at = sizeof(forced);
    if (decode_options.raw || !print_instruction(t, bytes + at, len - at, item->emulated.rip + at))
        print_bytes(t, bytes, len);
    if (at != 0 || item->emulated.forced)
        text_str(t, " (forced)");
}

/* --- The others ------------------------------------------------------------------------------- */
static void print_call(struct text *t, const struct item *item)
{
    text_hypercall(t, item->call->nr);
    decode_arguments(t, item->call);
    if (item->kind == ITEM_CALL_END)
        decode_result(t, item->call);
}

static void print_send(struct text *t, const struct item *item)
{
    const char *virq = decode_options.raw ? NULL : abi_virq_name(item->send.from);

    if (item->send.how == TRACE_SEND_VIRQ && virq != NULL)
        text_add(t, "send %s", virq);
    else
        text_add(t, "send %s %u", item->send.how == TRACE_SEND_VIRQ ? "VIRQ"
                 : item->send.how == TRACE_SEND_IPI ? "IPI" : "port", item->send.from);
    text_str(t, " -> ");
    text_vcpu(t, item->send.to);
    text_add(t, " port %u", item->send.port);
}

static void print_state(struct text *t, unsigned state, const char *const names[], unsigned n)
{
    text_name(t, state < n ? names[state] : NULL, state);
}

static void print_runstate(struct text *t, const struct item *item)
{
    text_vcpu(t, item->runstate.who);
    text_put(t, " ", 1);
    print_state(t, item->runstate.from, runstate_names, ARRAY_SIZE(runstate_names));
    text_str(t, " -> ");
    print_state(t, item->runstate.to, runstate_names, ARRAY_SIZE(runstate_names));
}

static void print_domain(struct text *t, const struct item *item)
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

void decode_item(struct text *t, const struct item *item)
{
    switch (item->kind) {
    case ITEM_CALL_BEGIN:
    case ITEM_CALL_END: print_call(t, item); break;
    case ITEM_TRAP: decode_trap(t, item); break;
    case ITEM_PTWR:
        text_add(t, "ptwr va=0x%lx val=", item->ptwr.va);
        decode_pte(t, item->ptwr.pte);
        print_rip(t, item->ptwr.rip);
        break;
    case ITEM_EMULATED:
        text_str(t, "emulate ");
        decode_instruction(t, item);
        print_rip(t, item->emulated.rip);
        break;
    case ITEM_SEND: print_send(t, item); break;
    case ITEM_UPCALL:
        text_str(t, "upcall ");
        decode_address(t, item->upcall.rip);
        break;
    case ITEM_RUNSTATE: print_runstate(t, item); break;
    case ITEM_MIGRATED:
        text_vcpu(t, item->v);
        text_add(t, " from CPU %u to CPU %u", item->migrated.from, item->cpu);
        break;
    case ITEM_SCHED:
    case ITEM_MEM:
    case ITEM_OTHER: text_record(t, item->rec); break;
    case ITEM_DOMAIN: print_domain(t, item); break;
    case ITEM_LOST:
        text_add(t, "%lu record%s lost", item->lost.records, item->lost.records == 1 ? "" : "s");
        break;
    case ITEM_COUNTER:
        text_str(t, "counter ");
        text_name(t, decode_options.raw ? NULL : abi_hypercall_name(item->counter.nr),
                  item->counter.nr);
        text_add(t, " %lu", item->counter.count);
        break;
    case ITEM_CLASSES:
        text_str(t, item->classes.classes == 0 ? "tracing nothing" : "tracing ");
        text_classes(t, item->classes.classes, "|");
        break;
    case NR_ITEM_KINDS: break;
    }
}
