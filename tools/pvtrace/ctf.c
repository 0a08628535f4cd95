/* --ctf DIR: the trace in the Common Trace Format 1.8, for babeltrace2, Trace Compass and what reads those. This
 * file has the events: for each the declaration of its fields (TSDL) and, in the same order, what writes them.
 * ctf_stream.c has packets and files.
 *
 * The streams hold the TSC as it was recorded. The metadata's clock turns it into system time (0 is the machine's
 * start), and is written again when the trace tells another clock than the one assumed. */
#include "tools/pvtrace/ctf_stream.h"

#include <stdlib.h>
#include <string.h>

#define WHO "uint16_t domid; uint16_t vcpu; "

enum ctf_id {
    CTF_ENTRY, CTF_EXIT, CTF_TRAP, CTF_PAGE_FAULT, CTF_PTWR, CTF_EMULATED, CTF_SEND, CTF_UPCALL, CTF_RUNSTATE,
    CTF_SCHED, CTF_DOMAIN, CTF_MEM, CTF_LOST, CTF_COUNTER, CTF_CLASSES, CTF_OTHER,
    NR_CTF_IDS
};

static const struct {
    const char *name, *fields;
} declarations[NR_CTF_IDS] = {
    [CTF_ENTRY] = { "hypercall_entry", WHO "uint32_t number; string name; string operation; uint8_t depth; "
                    "hex8_t args_known; uint8_t nr_args; hex64_t args[nr_args];" },
    [CTF_EXIT] = { "hypercall_exit", WHO "uint32_t number; string name; string operation; uint8_t depth; "
                   "enum : uint8_t { not_returned, returned, returned_no_result } how; int64_t result; string error; "
                   "uint64_t ticks; string arguments; string outcome;" },
    [CTF_TRAP] = { "trap", WHO "uint32_t vector; string name; hex64_t rip; uint8_t has_code; hex32_t code;" },
    [CTF_PAGE_FAULT] = { "page_fault", WHO "hex64_t rip; hex64_t va; hex32_t code;" },
    [CTF_PTWR] = { "ptwr", WHO "hex64_t rip; hex64_t va; hex64_t pte;" },
    [CTF_EMULATED] = { "emulated", WHO "hex64_t rip; string instruction; uint8_t forced; uint8_t length; "
                       "hex8_t bytes[length];" },
    [CTF_SEND] = { "evtchn_send", WHO "enum : uint8_t { port, virq, ipi, xen } how; uint32_t from; uint16_t to_domid; "
                   "uint16_t to_vcpu; uint32_t to_port;" },
    [CTF_UPCALL] = { "upcall", WHO "hex64_t rip;" },
    [CTF_RUNSTATE] = { "runstate", WHO "enum : uint8_t { running, runnable, blocked, offline } from; "
                       "enum : uint8_t { running, runnable, blocked, offline } to;" },
    [CTF_SCHED] = { "sched", WHO "hex32_t record; string name; uint8_t nr_words; hex32_t words[nr_words];" },
    [CTF_DOMAIN] = { "domain", "uint16_t domid; enum : uint8_t { built, ended, crashed } what; string name;" },
    [CTF_MEM] = { "mem", WHO "hex32_t record; string name; uint16_t other_domid;" },
    [CTF_LOST] = { "lost", "uint64_t records;" },
    [CTF_COUNTER] = { "counter", "uint32_t number; string name; uint64_t count;" },
    [CTF_CLASSES] = { "classes", "hex32_t classes; string names;" },
    [CTF_OTHER] = { "other", WHO "hex32_t record; uint8_t nr_words; hex32_t words[nr_words];" },
};

struct ctf {
    struct ctf_directory *directory;
    struct model *model;
    struct clock_info written;          /* what the metadata's file says */
    struct ctf_stream *now;             /* of the item that is being written */
    struct details details;
};

/* --- Metadata ------------------------------------------------------------------------------------------------------ */
static void add_types(struct text *t)
{
    for (unsigned bits = 8; bits <= 64; bits *= 2) {
        const char *form = "typealias integer { size = %u; align = 8; signed = %s; base = %u; } := %s%u_t;\n";
        text_add(t, form, bits, "false", 10, "uint", bits);
        text_add(t, form, bits, "true", 10, "int", bits);
        text_add(t, form, bits, "false", 16, "hex", bits);
    }
}

/* Time 0 is the TSC at c->zero: the clock's offset is minus that, in whole seconds and ticks on from there. */
static void add_clock(struct text *t, const struct clock_info *c)
{
    uint64_t hz = clock_hz(c), rest = c->zero % hz;
    int64_t seconds = -(int64_t)(c->zero / hz & INT64_MAX) - (rest != 0);
    text_add(t, "env { hypervisor_name = \"%s\"; domain = \"hypervisor\"; tracer_name = \"pvtrace\"; tsc_hz = %llu; "
             "tsc_hz_assumed = %d; };\n",
             c->known ? "Paragon" : "Xen", (unsigned long long)(hz & INT64_MAX), !c->known);
    text_add(t, "clock { name = tsc; description = \"the machine's TSC\"; freq = %llu; offset_s = %lld; "
             "offset = %llu; };\n",
             (unsigned long long)hz, (long long)seconds, (unsigned long long)(rest != 0 ? hz - rest : 0));
}

static void write_metadata(struct ctf *c)
{
    struct text *t = &c->details.t;
    const uint8_t *u = ctf_directory_uuid(c->directory);
    c->written = *model_clock(c->model);
    *t = (struct text){ .buf = c->details.buf, .size = sizeof(c->details.buf) };
    text_add(t, "/* CTF 1.8 */\n/* Written by pvtrace. */\n");
    add_types(t);
    text_add(t, "trace {\n    major = 1; minor = 8; byte_order = le;\n    uuid = \"");
    for (unsigned i = 0; i < 16; i++)
        text_add(t, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
    text_add(t, "\";\n");
    text_add(t, "%s", ctf_packet_header_tsdl);
    text_add(t, "};\n");
    add_clock(t, &c->written);
    text_add(t, "typealias integer { size = 64; align = 8; signed = false; map = clock.tsc.value; } := tsc_t;\n");
    text_add(t, "%s", ctf_stream_tsdl);
    for (unsigned i = 0; i < NR_CTF_IDS; i++)
        text_add(t, "event { name = \"%s\"; id = %u; stream_id = 0;\n    fields := struct { %s };\n};\n",
                 declarations[i].name, i, declarations[i].fields);
    ctf_directory_metadata(c->directory, t->buf, t->len);
}

static void refresh_metadata(struct ctf *c)
{
    const struct clock_info *now = model_clock(c->model);
    if (now->hz != c->written.hz || now->zero != c->written.zero || now->known != c->written.known)
        write_metadata(c);
}

static void *ctf_open(const struct output_options *o, struct model *m)
{
    struct ctf *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->model = m;
    c->directory = ctf_directory_open(o->directory);
    if (c->directory == NULL) {
        free(c);
        return NULL;
    }
    write_metadata(c);
    return c;
}

/* --- Fields -------------------------------------------------------------------------------------------------------- */
static void put_who(struct ctf_stream *s, struct vcpu_id v)
{
    ctf_u16(s, v.domid);
    ctf_u16(s, v.vcpu);
}

static void put_str(struct ctf_stream *s, const char *text)
{
    ctf_string(s, text, text != NULL ? strlen(text) : 0);
}

static void put_words(struct ctf_stream *s, const struct record *r)
{
    unsigned n = r->n <= TRACE_EXTRA_MAX ? r->n : TRACE_EXTRA_MAX;
    ctf_u8(s, (uint8_t)n);
    for (unsigned i = 0; i < n; i++)
        ctf_u32(s, r->w[i]);
}

static void put_call(struct ctf_stream *s, const struct call *call)
{
    struct label label;
    put_who(s, call->v);
    ctf_u32(s, call->nr);
    put_str(s, hypercall_label(call->nr, &label));
    put_str(s, call_operation(call));
    ctf_u8(s, call->depth);
}

static void put_entry(struct ctf *c, const struct item *item)
{
    const struct call *call = item->call;
    unsigned known = call->known & 0x3f, n = 0;
    put_call(c->now, call);
    while (known >> n != 0)
        n++;
    ctf_u8(c->now, (uint8_t)known);
    ctf_u8(c->now, (uint8_t)n);
    for (unsigned i = 0; i < n; i++)
        ctf_u64(c->now, known >> i & 1 ? call->args[i] : 0);
}

static void put_exit(struct ctf *c, const struct item *item)
{
    const struct call *call = item->call;
    const struct text *t = call_details(&c->details, call);
    bool means = call_result_means(call);
    put_call(c->now, call);
    ctf_u8(c->now, !call->returned ? 0 : means ? 1 : 2);
    ctf_u64(c->now, means ? (uint64_t)call->result : 0);
    put_str(c->now, means && call_failed(call) ? errno_name(call->result) : NULL);
    ctf_u64(c->now, call->returned ? call->ticks : 0);
    ctf_string(c->now, t->buf, t->len);
    t = outcome_details(&c->details, call);
    ctf_string(c->now, t->buf, t->len);
}

static void put_trap(struct ctf *c, const struct item *item)
{
    struct label label;
    put_who(c->now, item->v);
    ctf_u32(c->now, item->trap.vector);
    put_str(c->now, item_label(item, &label));
    ctf_u64(c->now, item->trap.rip);
    ctf_u8(c->now, item->trap.has_code);
    ctf_u32(c->now, item->trap.code);
}

static void put_page_fault(struct ctf *c, const struct item *item)
{
    put_who(c->now, item->v);
    ctf_u64(c->now, item->trap.rip);
    ctf_u64(c->now, item->trap.va);
    ctf_u32(c->now, item->trap.code);
}

static void put_ptwr(struct ctf *c, const struct item *item)
{
    put_who(c->now, item->v);
    ctf_u64(c->now, item->ptwr.rip);
    ctf_u64(c->now, item->ptwr.va);
    ctf_u64(c->now, item->ptwr.pte);
}

static void put_emulated(struct ctf *c, const struct item *item)
{
    struct text *t = &c->details.t;
    unsigned most = sizeof(item->emulated.bytes), n = item->emulated.len <= most ? item->emulated.len : most;
    *t = (struct text){ .buf = c->details.buf, .size = sizeof(c->details.buf) };
    decode_instruction(t, item);
    put_who(c->now, item->v);
    ctf_u64(c->now, item->emulated.rip);
    ctf_string(c->now, t->buf, t->len);
    ctf_u8(c->now, item->emulated.forced);
    ctf_u8(c->now, (uint8_t)n);
    for (unsigned i = 0; i < n; i++)
        ctf_u8(c->now, item->emulated.bytes[i]);
}

static void put_send(struct ctf *c, const struct item *item)
{
    put_who(c->now, item->v);
    ctf_u8(c->now, (uint8_t)item->send.how);
    ctf_u32(c->now, item->send.from);
    put_who(c->now, item->send.to);
    ctf_u32(c->now, item->send.port);
}

static void put_upcall(struct ctf *c, const struct item *item)
{
    put_who(c->now, item->v);
    ctf_u64(c->now, item->upcall.rip);
}

static void put_runstate(struct ctf *c, const struct item *item)
{
    put_who(c->now, item->runstate.who);
    ctf_u8(c->now, item->runstate.from);
    ctf_u8(c->now, item->runstate.to);
}

static void put_sched(struct ctf *c, const struct item *item)
{
    struct label label;
    put_who(c->now, item->v);
    ctf_u32(c->now, item->sched.event);
    put_str(c->now, item_label(item, &label));
    put_words(c->now, item->rec);
}

static void put_domain(struct ctf *c, const struct item *item)
{
    ctf_u16(c->now, item->domain.domid);
    ctf_u8(c->now, (uint8_t)item->domain.what);
    ctf_string(c->now, item->domain.name, strnlen(item->domain.name, sizeof(item->domain.name)));
}

static void put_mem(struct ctf *c, const struct item *item)
{
    struct label label;
    put_who(c->now, item->v);
    ctf_u32(c->now, item->mem.event);
    put_str(c->now, item_label(item, &label));
    ctf_u16(c->now, item->mem.domid);
}

static void put_lost(struct ctf *c, const struct item *item)
{
    ctf_u64(c->now, item->lost.records);
}

static void put_counter(struct ctf *c, const struct item *item)
{
    struct label label;
    ctf_u32(c->now, item->counter.nr);
    put_str(c->now, item_label(item, &label));
    ctf_u64(c->now, item->counter.count);
}

static void put_classes(struct ctf *c, const struct item *item)
{
    const struct text *t = classes_details(&c->details, item->classes.classes);
    ctf_u32(c->now, item->classes.classes);
    ctf_string(c->now, t->buf, t->len);
}

static void put_other(struct ctf *c, const struct item *item)
{
    put_who(c->now, item->v);
    ctf_u32(c->now, item->rec->event);
    put_words(c->now, item->rec);
}

/* --- Items --------------------------------------------------------------------------------------------------------- */
static const struct {
    enum ctf_id id;
    void (*put)(struct ctf *c, const struct item *item);
} writers[NR_ITEM_KINDS] = {
    [ITEM_CALL_BEGIN] = { CTF_ENTRY,    put_entry    },
    [ITEM_CALL_END]   = { CTF_EXIT,     put_exit     },
    [ITEM_TRAP]       = { CTF_TRAP,     put_trap     },
    [ITEM_PTWR]       = { CTF_PTWR,     put_ptwr     },
    [ITEM_EMULATED]   = { CTF_EMULATED, put_emulated },
    [ITEM_SEND]       = { CTF_SEND,     put_send     },
    [ITEM_UPCALL]     = { CTF_UPCALL,   put_upcall   },
    [ITEM_RUNSTATE]   = { CTF_RUNSTATE, put_runstate },
    [ITEM_SCHED]      = { CTF_SCHED,    put_sched    },
    [ITEM_DOMAIN]     = { CTF_DOMAIN,   put_domain   },
    [ITEM_MEM]        = { CTF_MEM,      put_mem      },
    [ITEM_LOST]       = { CTF_LOST,     put_lost     },
    [ITEM_COUNTER]    = { CTF_COUNTER,  put_counter  },
    [ITEM_CLASSES]    = { CTF_CLASSES,  put_classes  },
    [ITEM_OTHER]      = { CTF_OTHER,    put_other    },
};

/* A call that does not return is seen not to when it cannot any more, at no time of its own. */
static uint64_t event_time(const struct ctf_stream *s, const struct item *item)
{
    bool returned = item->kind != ITEM_CALL_END || item->call->returned;
    return returned || item->tsc > ctf_last(s) ? item->tsc : ctf_last(s);
}

static void ctf_item(void *state, const struct item *item)
{
    struct ctf *c = state;
    struct ctf_stream *s = ctf_directory_stream(c->directory, item->cpu);
    bool fault = item->kind == ITEM_TRAP && (item->rec->event & ~TRC_64_FLAG) == TRC_PV_PAGE_FAULT;
    if (s == NULL)
        return;
    if (item->kind == ITEM_LOST)
        ctf_lost(s, item->lost.records);
    c->now = s;
    ctf_event(s, fault ? CTF_PAGE_FAULT : writers[item->kind].id, event_time(s, item));
    (fault ? put_page_fault : writers[item->kind].put)(c, item);
}

static void ctf_idle(void *state)
{
    struct ctf *c = state;
    refresh_metadata(c);
    ctf_directory_flush(c->directory);
}

static int ctf_end(void *state)
{
    struct ctf *c = state;
    refresh_metadata(c);
    int rc = ctf_directory_close(c->directory);
    free(c);
    return rc;
}

const struct output_type ctf_output = {
    .name = "ctf", .open = ctf_open, .item = ctf_item, .idle = ctf_idle, .end = ctf_end,
};
