/* Prints the youngest trace records on the console, with names and numbers: when a domain crashes,
 * in a panic, and by a console key. Structures that arguments point to are decoded only by
 * tools/pvtrace, which reads the ring from the host.
 *
 *   [d1v0 12.000123456] mmu_update(0x7ff0010, 1, NULL, DOMID_SELF) = 0 <212>
 *
 * The last number is TSC ticks. A multicall's members follow it, indented. When other lines come
 * between a call and its result, the result has a line of its own, which begins with "...". The
 * records of all CPUs are merged by time (trace_cursor.c); with several CPUs, the line says which
 * one it was ([cpu2 d1v0 ...]). */
#include "common/abi_names.h"
#include "common/atomic.h"
#include "common/printf.h"
#include "common/string.h"
#include "common/trace_format.h"
#include "xen/core/console.h"
#include "xen/core/cpu.h"
#include "xen/core/log.h"
#include "xen/core/request.h"
#include "xen/core/time.h"
#include "xen/core/trace_control.h"
#include "xen/core/trace_cursor.h"
#include "xen/core/trace_ring.h"
#include "xen/core/trace_show.h"

#define MINOR(event) ((event) & 0xff)

struct line {
    char text[320];
    size_t len;
    /* A call whose result, if it comes next, is added to the line. */
    bool call;
};

struct walk {
    unsigned cpu;
    uint32_t running;
    uint64_t tsc;
    struct line line;
};

static void __attribute__((format(printf, 2, 3))) add(struct line *l, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
    va_end(ap);
    l->len = MIN(l->len + (size_t)n, sizeof(l->text) - 2);
}

static void flush(struct line *l)
{
    if (l->len != 0) {
        l->text[l->len++] = '\n';
        console_make_room();            /* there may be many lines */
        console_put(l->text, l->len);
    }
    l->len = 0;
    l->call = false;
}

static void begin(struct walk *w)
{
    uint64_t ns = tsc_to_ns(w->tsc);

    flush(&w->line);
    add(&w->line, "[");
    if (nr_cpus > 1)
        add(&w->line, "cpu%u ", w->cpu);
    if (w->running == NO_VCPU || w->running >> 16 == IDLE_WORD >> 16)
        add(&w->line, "idle");
    else
        add(&w->line, "d%uv%u", w->running >> 16, w->running & 0xffff);
    add(&w->line, " %lu.%09lu] ", ns / 1000000000, ns % 1000000000);
}

static uint64_t wide(const uint32_t *w)
{
    return w[0] | (uint64_t)w[1] << 32;
}

static void add_argument(struct line *l, uint32_t nr, char kind, uint64_t value)
{
    const char *name = kind == 'o' ? abi_operation_name(nr, value) : NULL;

    if (name != NULL)
        add(l, "%s", name);
    else if (kind == 'D' && value == DOMID_SELF)
        add(l, "DOMID_SELF");
    else if (kind != 'D' && abi_kind_words(kind) == 1)
        add(l, "%lu", value);
    else if (kind == 't')
        add(l, "%ld", (long)value);
    else if (value == 0 && kind != 'D' &&
             strchr("xefvc", kind) == NULL) /* kinds that are not pointers */
        add(l, "NULL");
    else
        add(l, "0x%lx", value);
}

static void show_call(struct walk *w, const uint32_t *words, unsigned n, bool member)
{
    uint32_t nr = words[0] & ~TRC_PV_HYPERCALL_V2_ARG_MASK;
    const char *name = abi_hypercall_name(nr), *kinds = abi_argument_kinds(nr), *between = "";
    unsigned at = 1;

    begin(w);
    add(&w->line, "%s", member ? "    " : "");
    if (name != NULL)
        add(&w->line, "%s(", name);
    else
        add(&w->line, "hypercall_%u(", nr);
    for (unsigned i = 0; i < 6; i++) {
        unsigned width = words[0] >> (20 + 2 * i) & 3;

        if (width == 0 || at + width > n)
            break;
        add(&w->line, "%s", between);
        add_argument(&w->line, nr, *kinds != '\0' ? *kinds++ : 'p',
                     width == 2 ? wide(&words[at]) : words[at]);
        at += width;
        between = ", ";
    }
    add(&w->line, ")");
    w->line.call = true;
}

static void show_result(struct walk *w, const uint32_t *words)
{
    const char *name = abi_hypercall_name(words[0]);

    if (!w->line.call) {
        begin(w);
        add(&w->line, "... %s", name != NULL ? name : "hypercall");
    }
    add(&w->line, " = %ld <%lu>", (long)wide(&words[1]), wide(&words[3]));
    w->line.call = false;
}

static void show_trap(struct walk *w, uint32_t event, const uint32_t *words)
{
    begin(w);
    if (event == (TRC_PV_PAGE_FAULT | TRC_64_FLAG))
        add(&w->line, "page fault at %lx [%04x] rip %lx", wide(&words[2]), words[4],
            wide(&words[0]));
    else if (event == (TRC_PV_TRAP | TRC_64_FLAG))
        add(&w->line, "trap %u [%04x] rip %lx", words[2] & 0x7fff, words[2] >> 16, wide(&words[0]));
    else if (event == (TRC_PV_PTWR_EMULATION | TRC_64_FLAG))
        add(&w->line, "store to page table at %lx: %lx rip %lx", wide(&words[2]), wide(&words[0]),
            wide(&words[4]));
    else
        add(&w->line, "emulated at rip %lx", wide(&words[0]));
}

/* Records for which no line is printed are skipped. */
static void show_record(struct walk *w, uint32_t event, const uint32_t *words, unsigned n)
{
    static const char *const sends[] = { "port", "VIRQ", "IPI", "console" };
    uint32_t sub = event & 0xfffff000;

    if (sub == TRC_SCHED_MIN) {
        if (MINOR(event) == 2 || (event >> 4 & 3) == RUNSTATE_running) {
            /* Another vCPU's result does not belong to this line. */
            w->line.call &= w->running == words[0];
            w->running = words[0];
        }
    } else if (event == TRC_PV_HYPERCALL_V2 || event == TRC_PV_HYPERCALL_SUBCALL) {
        show_call(w, words, n, event != TRC_PV_HYPERCALL_V2);
    } else if (event == TRC_PARAGON_RESULT) {
        show_result(w, words);
    } else if (sub == TRC_PV_ENTRY) {
        show_trap(w, event, words);
    } else if (event == TRC_PARAGON_SEND) {
        begin(w);
        add(&w->line, "event from %s %u to d%uv%u port %u", sends[words[0] & 3], words[1],
            words[2] >> 16, words[2] & 0xffff, words[3]);
    } else if (event == TRC_PARAGON_UPCALL) {
        begin(w);
        add(&w->line, "upcall");
    }
}

/* The record begins a line. Lines are counted to find where printing starts. */
static bool has_line(uint32_t event)
{
    return event != TRC_PARAGON_RESULT &&
           ((event & 0xffff0000) == (TRC_PV & 0xffff0000) || event == TRC_PARAGON_SEND ||
            event == TRC_PARAGON_UPCALL);
}

/* Records of who runs count even where nothing is printed. A result is on another vCPU's line only
 * if nothing came between. */
static void show_from(unsigned skip)
{
    struct walk w = { .running = NO_VCPU };
    struct trace_cursor *c;
    unsigned cpu, lines = 0;

    while ((c = trace_cursor_oldest(&cpu)) != NULL) {
        const uint32_t *p = c->record;
        uint32_t event = TRC_HD_TO_EVENT(*p);

        w.line.call &= cpu == w.cpu;
        w.cpu = cpu;
        w.running = c->running;
        w.tsc = c->tsc;
        lines += has_line(event);
        if (lines > skip || (event & 0xfffff000) == TRC_SCHED_MIN)
            show_record(&w, event, p + 1 + 2 * TRC_HD_INCLUDES_CYCLE_COUNT(*p), TRC_HD_EXTRA(*p));
        c->running = w.running;
        trace_cursor_advance(cpu);
    }
    flush(&w.line);
}

/* The cursors are one CPU's at a time. In a panic its CPU may have stopped. Not a lock: printing
 * takes longer than a CPU may wait for one. */
static uint32_t showing;

void trace_show(void)
{
    uint64_t records = 0;
    unsigned lines = 0;

    if (trace_rings[0].slots == NULL || trace_header.rings[0].head == 0)
        return;
    while (xchg(&showing, 1) != 0 && panic_depth == 0) {
        serve_flush_requests();
        cpu_relax();
    }
    for (unsigned i = 0; i < trace_header.nr_cpus; i++) {
        lines += trace_cursor_set(i, trace_config.lines, has_line);
        records += trace_rings[i].records;
    }
    log_info("Trace: the last %u of %lu records' lines:", MIN(lines, trace_config.lines), records);
    show_from(lines - MIN(lines, trace_config.lines));
    store_release(&showing, 0);
}
