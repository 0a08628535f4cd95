/* Which fields the events of the CTF export have: one table that gives their declarations (TSDL)
 * here and what ctf.c writes, so that they cannot disagree; and the rest of the metadata. */
#include <fcntl.h>

#include "common/compiler.h"
#include "tools/pvtrace/ctf.h"

#define PART(where, type, member) \
    where, offsetof(struct type, member), sizeof(((struct type *)0)->member)
#define OF_ITEM(member) PART(ITEM, item, member), NULL
#define OF_CALL(member) PART(CALL, call, member), NULL
#define FACT(member) PART(FACTS, ctf_facts, member), NULL
#define BEGIN(name, kind) { name, EVENT, kind, ITEM, 0, 0, NULL }
#define VCPU { "domid", NUMBER, 2, OF_ITEM(v.domid) }, { "vcpu", NUMBER, 2, OF_ITEM(v.vcpu) }
#define NAME { "name", STRING, 0, FACT(name) }
#define HYPERCALL VCPU, { "number", NUMBER, 4, OF_CALL(nr) }, NAME, \
    { "operation", STRING, 0, FACT(operation) }, { "depth", NUMBER, 1, OF_CALL(depth) }
#define STATES "running, runnable, blocked, offline"
#define LIST_OF(name, bytes) { "nr_" name, NUMBER, 1, FACT(length) }, \
    { name, LIST, bytes, PART(FACTS, ctf_facts, list), "nr_" name }

const struct ctf_field ctf_fields[] = {
    BEGIN("hypercall_entry", ITEM_CALL_BEGIN), HYPERCALL,
    { "args_known", HEX, 1, FACT(known) }, LIST_OF("args", 8),
    BEGIN("hypercall_exit", ITEM_CALL_END), HYPERCALL,
    { "how", ENUM, 1, PART(FACTS, ctf_facts, how), "not_returned, returned, returned_no_result" },
    { "result", SIGNED, 8, FACT(result) }, { "error", STRING, 0, FACT(error) },
    { "ticks", NUMBER, 8, FACT(ticks) }, { "arguments", STRING, 0, FACT(arguments) },
    { "outcome", STRING, 0, FACT(outcome) },
    BEGIN("trap", ITEM_TRAP), VCPU, { "vector", NUMBER, 4, OF_ITEM(trap.vector) }, NAME,
    { "rip", HEX, 8, OF_ITEM(trap.rip) }, { "has_code", NUMBER, 1, OF_ITEM(trap.has_code) },
    { "code", HEX, 4, OF_ITEM(trap.code) },
    BEGIN("page_fault", PAGE_FAULT), VCPU, { "rip", HEX, 8, OF_ITEM(trap.rip) },
    { "va", HEX, 8, OF_ITEM(trap.va) }, { "code", HEX, 4, OF_ITEM(trap.code) },
    BEGIN("ptwr", ITEM_PTWR), VCPU, { "rip", HEX, 8, OF_ITEM(ptwr.rip) },
    { "va", HEX, 8, OF_ITEM(ptwr.va) }, { "pte", HEX, 8, OF_ITEM(ptwr.pte) },
    BEGIN("emulated", ITEM_EMULATED), VCPU, { "rip", HEX, 8, OF_ITEM(emulated.rip) },
    { "instruction", STRING, 0, FACT(arguments) },
    { "forced", NUMBER, 1, OF_ITEM(emulated.forced) }, { "length", NUMBER, 1, FACT(length) },
    { "bytes", LIST, 1, PART(FACTS, ctf_facts, list), "length" },
    BEGIN("evtchn_send", ITEM_SEND), VCPU,
    { "how", ENUM, 1, PART(ITEM, item, send.how), "port, virq, ipi, xen" },
    { "from", NUMBER, 4, OF_ITEM(send.from) }, { "to_domid", NUMBER, 2, OF_ITEM(send.to.domid) },
    { "to_vcpu", NUMBER, 2, OF_ITEM(send.to.vcpu) }, { "to_port", NUMBER, 4, OF_ITEM(send.port) },
    BEGIN("upcall", ITEM_UPCALL), VCPU, { "rip", HEX, 8, OF_ITEM(upcall.rip) },
    BEGIN("runstate", ITEM_RUNSTATE), VCPU,
    { "from", ENUM, 1, PART(ITEM, item, runstate.from), STATES },
    { "to", ENUM, 1, PART(ITEM, item, runstate.to), STATES },
    BEGIN("migrated", ITEM_MIGRATED), VCPU, { "from_cpu", NUMBER, 2, OF_ITEM(migrated.from) },
    BEGIN("sched", ITEM_SCHED), VCPU, { "record", HEX, 4, OF_ITEM(sched.event) }, NAME,
    LIST_OF("words", 4),
    BEGIN("domain", ITEM_DOMAIN), { "domid", NUMBER, 2, OF_ITEM(domain.domid) },
    { "what", ENUM, 1, PART(ITEM, item, domain.what), "built, ended, crashed" }, NAME,
    BEGIN("mem", ITEM_MEM), VCPU, { "record", HEX, 4, OF_ITEM(mem.event) }, NAME,
    { "other_domid", NUMBER, 2, OF_ITEM(mem.domid) },
    BEGIN("lost", ITEM_LOST), { "records", NUMBER, 8, OF_ITEM(lost.records) },
    BEGIN("counter", ITEM_COUNTER), { "number", NUMBER, 4, OF_ITEM(counter.nr) }, NAME,
    { "count", NUMBER, 8, OF_ITEM(counter.count) },
    BEGIN("classes", ITEM_CLASSES), { "classes", HEX, 4, OF_ITEM(classes.classes) },
    { "names", STRING, 0, FACT(arguments) },
    BEGIN("other", ITEM_OTHER), VCPU, { "record", HEX, 4, FACT(record) }, LIST_OF("words", 4),
};
const unsigned nr_ctf_fields = ARRAY_SIZE(ctf_fields);

/* --- Metadata --------------------------------------------------------------------------------- */
static void declare_field(struct text *t, const struct ctf_field *f)
{
    static const char *const types[] = { [NUMBER] = "uint", [SIGNED] = "int", [HEX] = "hex" };

    if (f->type == STRING)
        text_add(t, "string %s; ", f->name);
    else if (f->type == ENUM)
        text_add(t, "enum : uint8_t { %s } %s; ", f->words, f->name);
    else if (f->type == LIST)
        text_add(t, "hex%u_t %s[%s]; ", f->bytes * 8u, f->name, f->words);
    else
        text_add(t, "%s%u_t %s; ", types[f->type], f->bytes * 8u, f->name);
}

static void declare_events(struct text *t)
{
    for (unsigned i = 0, id = 0; i < ARRAY_SIZE(ctf_fields); id++) {
        text_add(t, "event { name = \"%s\"; id = %u; stream_id = 0;\n    fields := struct { ",
                 ctf_fields[i].name, id);
        while (++i < ARRAY_SIZE(ctf_fields) && ctf_fields[i].type != EVENT)
            declare_field(t, &ctf_fields[i]);
        text_str(t, "};\n};\n");
    }
}

static void declare_types(struct text *t)
{
    static const char form[] =
        "typealias integer { size = %u; align = 8; signed = %s; base = %u; } := %s%u_t;\n";

    for (unsigned bits = 8; bits <= 64; bits *= 2) {
        text_add(t, form, bits, "false", 10, "uint", bits);
        text_add(t, form, bits, "true", 10, "int", bits);
        text_add(t, form, bits, "false", 16, "hex", bits);
    }
}

/* Time 0 is the TSC at c->zero: the clock's offset is minus that, in whole seconds and ticks on
 * from there. */
static void declare_clock(struct text *t, const struct clock_info *c)
{
    uint64_t hz = clock_hz(c), rest = c->zero % hz;
    int64_t seconds = -(int64_t)(c->zero / hz & INT64_MAX) - (rest != 0);

    text_add(t, "env { hypervisor_name = \"%s\"; domain = \"hypervisor\"; "
             "tracer_name = \"pvtrace\"; tsc_hz = %lu; tsc_hz_assumed = %d; };\n",
             c->known ? "Paragon" : "Xen", hz & INT64_MAX, !c->known);
    text_add(t, "clock { name = tsc; description = \"the machine's TSC\"; freq = %lu; "
             "offset_s = %ld; offset = %lu; };\n", hz, seconds, rest != 0 ? hz - rest : 0);
    text_str(t, "typealias integer { size = 64; align = 8; signed = false; "
             "map = clock.tsc.value; } := tsc_t;\n");
}

void ctf_write_metadata(struct ctf *c)
{
    struct text *t = export_details(&c->x);

    c->written = *c->x.clock;
    text_add(t, "/* CTF 1.8 */\n/* Written by pvtrace. */\n");
    declare_types(t);
    text_add(t, "trace {\n    major = 1; minor = 8; byte_order = le;\n    uuid = \"");
    for (unsigned i = 0; i < 16; i++)
        text_add(t, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", c->files.uuid[i]);
    text_add(t, "\";\n%s};\n", ctf_packet_header_tsdl);
    declare_clock(t, &c->written);
    text_str(t, ctf_stream_tsdl);
    declare_events(t);
    ctf_write_file(&c->files, "metadata", O_TRUNC, t->buf, t->len);
}

void ctf_refresh_metadata(struct ctf *c)
{
    const struct clock_info *now = c->x.clock;

    if (now->hz != c->written.hz || now->zero != c->written.zero || now->known != c->written.known)
        ctf_write_metadata(c);
}
