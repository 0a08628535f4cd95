/* --ctf DIR: the trace in the Common Trace Format 1.8, for babeltrace2, Trace Compass and what reads
 * those. This file has the events: for each the declaration of its fields (TSDL) and, in the same order,
 * what writes them. ctf_stream.c has packets and files.
 *
 * The streams hold the TSC as it was recorded. The metadata's clock turns it into system time (0 is the
 * machine's start), and is written again when the trace tells another clock than the one assumed. */
#include "common/compiler.h"
#include "tools/pvtrace/ctf_stream.h"

#include <stdlib.h>
#include <string.h>

struct ctf {
    struct ctf_directory *directory;
    struct model *model;
    struct clock_info written;          /* what the metadata's file says */
    struct ctf_stream *now;             /* of the item that is being written */
    struct details details;
};

/* --- Events ----------------------------------------------------------------------------------------- */
/* The fields of each event, in their order: N(type, name, value) a number; E(name, value, meanings...) a
 * byte of which each value has a name; S(name, characters), NULL for none; L(type, name, n, value) as
 * many numbers as nr_name before them says, value by i. Both the declaration of an event in TSDL and the
 * function that writes it come from this, so they cannot disagree. */
#define VCPU(N, v) N(uint16, domid, (v).domid) N(uint16, vcpu, (v).vcpu)
#define CALL(N, S) VCPU(N, item->call->v) N(uint32, number, item->call->nr) \
    S(name, hypercall_label(item->call->nr, &label)) S(operation, call_operation(item->call)) \
    N(uint8, depth, item->call->depth)
#define WORDS(L) L(hex32, words, MIN(item->rec->n, TRACE_EXTRA_MAX), item->rec->w[i])
#define STATES running, runnable, blocked, offline

#define EVENTS(X) \
    X(hypercall_entry, CALL(N, S) N(hex8, args_known, item->call->known & 0x3f) \
      L(hex64, args, args_end(item->call), item->call->known >> i & 1 ? item->call->args[i] : 0)) \
    X(hypercall_exit, \
      CALL(N, S) E(how, how_it_ended(item->call), not_returned, returned, returned_no_result) \
      N(int64, result, call_result_means(item->call) ? item->call->result : 0) \
      S(error, call_failed(item->call) ? errno_name(item->call->result) : NULL) \
      N(uint64, ticks, item->call->returned ? item->call->ticks : 0) \
      S(arguments, details_arguments(&c->details, item->call)->buf) \
      S(outcome, details_outcome(&c->details, item->call)->buf)) \
    X(trap, VCPU(N, item->v) N(uint32, vector, item->trap.vector) S(name, item_label(item, &label)) \
      N(hex64, rip, item->trap.rip) N(uint8, has_code, item->trap.has_code) N(hex32, code, item->trap.code)) \
    X(page_fault, VCPU(N, item->v) N(hex64, rip, item->trap.rip) N(hex64, va, item->trap.va) \
      N(hex32, code, item->trap.code)) \
    X(ptwr, VCPU(N, item->v) N(hex64, rip, item->ptwr.rip) N(hex64, va, item->ptwr.va) \
      N(hex64, pte, item->ptwr.pte)) \
    X(emulated, VCPU(N, item->v) N(hex64, rip, item->emulated.rip) S(instruction, instruction(c, item)) \
      N(uint8, forced, item->emulated.forced) N(uint8, length, MIN(item->emulated.len, 16u)) \
      A(hex8, bytes, length, MIN(item->emulated.len, 16u), item->emulated.bytes[i])) \
    X(evtchn_send, VCPU(N, item->v) E(how, item->send.how, port, virq, ipi, xen) \
      N(uint32, from, item->send.from) N(uint16, to_domid, item->send.to.domid) \
      N(uint16, to_vcpu, item->send.to.vcpu) N(uint32, to_port, item->send.port)) \
    X(upcall, VCPU(N, item->v) N(hex64, rip, item->upcall.rip)) \
    X(runstate, VCPU(N, item->runstate.who) E(from, item->runstate.from, STATES) \
      E(to, item->runstate.to, STATES)) \
    X(sched, \
      VCPU(N, item->v) N(hex32, record, item->sched.event) S(name, item_label(item, &label)) WORDS(L)) \
    X(domain, N(uint16, domid, item->domain.domid) E(what, item->domain.what, built, ended, crashed) \
      S(name, domain_name(item, &label))) \
    X(mem, VCPU(N, item->v) N(hex32, record, item->mem.event) S(name, item_label(item, &label)) \
      N(uint16, other_domid, item->mem.domid)) \
    X(lost, N(uint64, records, item->lost.records)) \
    X(counter, N(uint32, number, item->counter.nr) S(name, item_label(item, &label)) \
      N(uint64, count, item->counter.count)) \
    X(classes, N(hex32, classes, item->classes.classes) S(names, classes(c, item))) \
    X(other, VCPU(N, item->v) N(hex32, record, item->rec->event) WORDS(L))

static unsigned args_end(const struct call *c)
{
    return (c->known & 0x3f) != 0 ? 32u - (unsigned)__builtin_clz(c->known & 0x3f) : 0;
}

static unsigned how_it_ended(const struct call *c)
{
    return !c->returned ? 0 : call_result_means(c) ? 1 : 2;
}

static const char *instruction(struct ctf *c, const struct item *item)
{
    decode_instruction(details_begin(&c->details), item);
    return c->details.buf;
}

static const char *classes(struct ctf *c, const struct item *item)
{
    text_classes(details_begin(&c->details), item->classes.classes, ",");
    return c->details.buf;
}

static const char *domain_name(const struct item *item, struct label *buf)
{
    struct text t = TEXT(buf->s);

    text_put(&t, item->domain.name, strnlen(item->domain.name, sizeof(item->domain.name)));
    return buf->s;
}

enum ctf_id {
#define X(name, fields) CTF_##name,
    EVENTS(X)
#undef X
    NR_CTF_IDS
};

/* As TSDL. */
#define N(type, name, value) #type "_t " #name "; "
#define E(name, value, ...) "enum : uint8_t { " LIST(__VA_ARGS__) " } " #name "; "
#define LIST(...) #__VA_ARGS__
#define S(name, chars) "string " #name "; "
#define A(type, name, nr, n, value) #type "_t " #name "[" #nr "]; "
#define L(type, name, n, value) "uint8_t nr_" #name "; " #type "_t " #name "[nr_" #name "]; "
static const char *const declarations[NR_CTF_IDS] = {
#define X(name, fields) [CTF_##name] = "event { name = \"" #name "\"; id = %u; stream_id = 0;\n" \
                                       "    fields := struct { " fields "};\n};\n",
    EVENTS(X)
#undef X
};
#undef N
#undef E
#undef S
#undef A
#undef L

/* As bytes. */
typedef uint8_t hex8_t;
typedef uint32_t hex32_t;
typedef uint64_t hex64_t;
#define N(type, name, value) ctf_put(c->now, &(type##_t){ (type##_t)(value) }, sizeof(type##_t));
#define E(name, value, ...) N(uint8, name, value)
#define S(name, chars) ctf_string(c->now, chars);
#define A(type, name, nr, n, value) for (unsigned i = 0; i < (n); i++) { N(type, name, value) }
#define L(type, name, n, value) N(uint8, nr_, n) A(type, name, nr_, n, value)
#define X(name, fields) \
    static void put_##name(struct ctf *c, const struct item *item) \
    { \
        struct label label; \
        (void)label; \
        fields \
    }
EVENTS(X)
#undef X

/* --- Metadata --------------------------------------------------------------------------------------- */
static void add_types(struct text *t)
{
    for (unsigned bits = 8; bits <= 64; bits *= 2) {
        const char *form = "typealias integer { size = %u; align = 8; signed = %s; base = %u; } := %s%u_t;\n";
        text_add(t, form, bits, "false", 10, "uint", bits);
        text_add(t, form, bits, "true", 10, "int", bits);
        text_add(t, form, bits, "false", 16, "hex", bits);
    }
}

/* Time 0 is the TSC at c->zero: the clock's offset is minus that, in whole seconds and ticks on from
 * there. */
static void add_clock(struct text *t, const struct clock_info *c)
{
    uint64_t hz = clock_hz(c), rest = c->zero % hz;
    int64_t seconds = -(int64_t)(c->zero / hz & INT64_MAX) - (rest != 0);
    text_add(t, "env { hypervisor_name = \"%s\"; domain = \"hypervisor\"; tracer_name = \"pvtrace\"; "
             "tsc_hz = %lu; tsc_hz_assumed = %d; };\n",
             c->known ? "Paragon" : "Xen", (hz & INT64_MAX), !c->known);
    text_add(t, "clock { name = tsc; description = \"the machine's TSC\"; freq = %lu; offset_s = %ld; "
             "offset = %lu; };\n",
             hz, seconds, (rest != 0 ? hz - rest : 0));
}

static void write_metadata(struct ctf *c)
{
    struct text *t = details_begin(&c->details);
    const uint8_t *u = ctf_directory_uuid(c->directory);
    c->written = *model_clock(c->model);
    text_add(t, "/* CTF 1.8 */\n/* Written by pvtrace. */\n");
    add_types(t);
    text_add(t, "trace {\n    major = 1; minor = 8; byte_order = le;\n    uuid = \"");
    for (unsigned i = 0; i < 16; i++) {
        text_str(t, i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "");
        text_byte(t, u[i]);
    }
    text_add(t, "\";\n%s};\n", ctf_packet_header_tsdl);
    add_clock(t, &c->written);
    text_str(t, "typealias integer { size = 64; align = 8; signed = false; map = clock.tsc.value; } "
             ":= tsc_t;\n");
    text_str(t, ctf_stream_tsdl);
    for (unsigned i = 0; i < NR_CTF_IDS; i++)
        text_add(t, declarations[i], i);
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

/* --- Items ------------------------------------------------------------------------------------------ */
static const struct {
    enum ctf_id id;
    void (*put)(struct ctf *c, const struct item *item);
} writers[NR_ITEM_KINDS] = {
#define W(kind, name) [ITEM_##kind] = { CTF_##name, put_##name }
    W(CALL_BEGIN, hypercall_entry), W(CALL_END, hypercall_exit), W(TRAP, trap), W(PTWR, ptwr),
    W(EMULATED, emulated), W(SEND, evtchn_send), W(UPCALL, upcall), W(RUNSTATE, runstate), W(SCHED, sched),
    W(DOMAIN, domain), W(MEM, mem), W(LOST, lost), W(COUNTER, counter), W(CLASSES, classes), W(OTHER, other),
#undef W
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
    ctf_event(s, fault ? CTF_page_fault : writers[item->kind].id, event_time(s, item));
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
