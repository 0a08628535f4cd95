/* Owns the hypercall log: writing records, which must be cheap and touches nothing but the ring, and showing
 * them, one line a call:
 *
 *   [d1v0 12.000123456] mmu_update(0x7ff0010, 1, NULL, DOMID_SELF) = 0 <212>
 *
 * The last number is TSC ticks. Members of a multicall follow it, indented. A call that has not returned when
 * the log is shown ends in "= ?", and comes again as "... resumed" when it does return. */
#include "common/printf.h"
#include "xen/console.h"
#include "arch/arch.h"
#include "xen/hypercalls.h"
#include "xen/log.h"
#include "xen/frame.h"
#include "xen/time.h"
#include "xen/trace.h"

enum trace_flags { TRACE_DONE = 1, TRACE_MEMBER = 2, TRACE_RESUMED = 4 };

struct trace_record {
    uint64_t number;            /* of the record since boot: says whether the slot is still the same one's */
    uint64_t time_ns;
    uint64_t args[6];
    int64_t result;
    uint64_t cycles;
    domid_t domid;
    uint8_t vcpu, nr, flags;
};

/* Written by its CPU only. */
struct trace_ring {
    struct trace_record *records;   /* NULL: no log */
    uint64_t mask;                  /* slots - 1; their number is a power of two */
    uint64_t next;                  /* number of the next record */
    uint64_t shown;                 /* all below were shown, or are lost */
};

uint64_t trace_size = 1u << 20;
static struct trace_ring rings[1];  /* by CPU id */

void trace_init(void)
{
    struct trace_ring *r = &rings[0];
    uint64_t slots = 16;
    unsigned order = 0;

    if (!hypercall_trace_on)
        return;
    while (2 * slots * sizeof(struct trace_record) <= trace_size)
        slots *= 2;
    while (PAGE_SIZE << order < slots * sizeof(struct trace_record))
        order++;
    r->records = alloc_pages(order);
    r->mask = slots - 1;
    hypercall_trace_on = r->records != NULL;
    if (hypercall_trace_on)
        log_info("Hypercall log: %lu records", slots);
    else
        log_error("trace_size=%lu: no memory for the hypercall log, it stays off", trace_size);
}

/* For whoever starts the log and wants its memory back: the tests do. */
void trace_free(void)
{
    unsigned order = 0;

    while (PAGE_SIZE << order < (rings[0].mask + 1) * sizeof(struct trace_record))
        order++;
    free_pages(rings[0].records, order);
    rings[0] = (struct trace_ring){ .records = NULL };
}

static struct trace_record *new_record(struct trace_ring *r, unsigned nr, const uint64_t args[6],
                                       uint8_t flags)
{
    const struct vcpu *v = current;
    uint64_t number = r->next++;
    struct trace_record *rec = &r->records[number & r->mask];

    rec->number = number;
    rec->time_ns = now_ns();
    for (unsigned i = 0; i < 6; i++)
        rec->args[i] = args[i];
    rec->domid = v->domain->id;
    rec->vcpu = (uint8_t)v->id;
    rec->nr = (uint8_t)nr;
    rec->flags = flags | (v->in_multicall ? TRACE_MEMBER : 0);
    return rec;
}

uint64_t trace_begin(unsigned nr, const uint64_t args[6])
{
    struct trace_ring *r = &rings[current->cpu->id];

    return r->records ? new_record(r, nr, args, 0)->number : 0;
}

/* The call may have slept meanwhile: its record may be shown already, or overwritten. */
void trace_end(uint64_t record, unsigned nr, const uint64_t args[6], long result, uint64_t cycles)
{
    struct trace_ring *r = &rings[current->cpu->id];
    struct trace_record *rec;

    if (r->records == NULL)
        return;
    rec = &r->records[record & r->mask];
    if (unlikely(rec->number != record || record < r->shown))
        rec = new_record(r, nr, args, TRACE_RESUMED);
    rec->result = result;
    rec->cycles = cycles;
    rec->flags |= TRACE_DONE;
}

struct line {
    char text[320];
    size_t len;
};

static void __attribute__((format(printf, 2, 3))) add(struct line *l, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
    va_end(ap);
    l->len = MIN(l->len + (size_t)n, sizeof(l->text) - 1);
}

static void add_pointer(struct line *l, uint64_t value)
{
    if (value == 0)
        add(l, "NULL");
    else
        add(l, "0x%lx", value);
}

static void add_domid(struct line *l, uint64_t value)
{
    if (value == DOMID_SELF)
        add(l, "DOMID_SELF");
    else if (value == DOMID_IO)
        add(l, "DOMID_IO");
    else
        add(l, "0x%x", (unsigned)value);
}

/* kind: p pointer, u 32-bit number, d signed number, x number in hexadecimal, D domain, o sub-operation. */
static void add_argument(struct line *l, const struct trace_record *rec, char kind, uint64_t value)
{
    const char *name = kind == 'o' ? trace_op_name(rec->nr, value) : NULL;

    if (name != NULL)
        add(l, "%s", name);
    else if (kind == 'p')
        add_pointer(l, value);
    else if (kind == 'D')
        add_domid(l, value);
    else if (kind == 'd')
        add(l, "%ld", (long)value);
    else if (kind == 'x')
        add(l, "0x%lx", value);
    else
        add(l, "%u", (unsigned)value);
}

#define X(name, args, format) [__HYPERVISOR_##name] = format,
static const char *const formats[NR_HYPERCALLS] = { HYPERCALL_TABLE(X) };
#undef X

static void add_call(struct line *l, const struct trace_record *rec)
{
    const char *format = formats[rec->nr] ? formats[rec->nr] : "%p, %p, %p, %p, %p, %p";
    const uint64_t *arg = rec->args;

    if (hypercall_names[rec->nr] != NULL)
        add(l, "%s(", hypercall_names[rec->nr]);
    else
        add(l, "hypercall_%u(", rec->nr);
    for (; *format != '\0'; format++) {
        if (*format == '%')
            add_argument(l, rec, *++format, *arg++);
        else
            add(l, "%c", *format);
    }
    add(l, ")");
}

static void show(const struct trace_record *rec)
{
    struct line l = { .len = 0 };

    add(&l, "[d%uv%u %lu.%09lu] %s%s", rec->domid, rec->vcpu, rec->time_ns / 1000000000,
        rec->time_ns % 1000000000, rec->flags & TRACE_MEMBER ? "    " : "",
        rec->flags & TRACE_RESUMED ? "... resumed " : "");
    add_call(&l, rec);
    if (rec->flags & TRACE_DONE)
        add(&l, " = %ld <%lu>\n", (long)rec->result, rec->cycles);
    else
        add(&l, " = ?\n");
    console_put(l.text, l.len);
}

void trace_dump(void)
{
    for (unsigned cpu = 0; cpu < ARRAY_SIZE(rings); cpu++) {
        struct trace_ring *r = &rings[cpu];
        struct line l = { .len = 0 };

        if (r->records == NULL)
            continue;
        if (r->next - r->shown > r->mask + 1) {
            add(&l, "[hypercall log: %lu older calls were overwritten; trace_size=%lu keeps more]\n",
                r->next - r->shown - (r->mask + 1), 4 * (r->mask + 1) * sizeof(struct trace_record));
            console_put(l.text, l.len);
            r->shown = r->next - (r->mask + 1);
        }
        while (r->shown < r->next)
            show(&r->records[r->shown++ & r->mask]);
    }
}
