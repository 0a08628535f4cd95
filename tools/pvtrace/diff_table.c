/* pvtrace diff: what makes two calls the same, and the table of how often each kind was made in A and B. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pvtrace/diff.h"

#define ROWS 1024u              /* a power of two; kinds beyond three quarters of it share the last row */
#define REST UINT32_MAX

/* The arguments that two runs of one guest have in common: bit i for argument i. Left out are pointers and
 * other addresses, machine frames, page-table entries, descriptors and times. */
static const uint8_t stable[64] = {
    [1] = 0x0a,         /* mmu_update: count, domain */
    [2] = 0x02,         /* set_gdt: entries */
    [3] = 0x01,         /* stack_switch: ss */
    [5] = 0x01,         /* fpu_taskswitch: set */
    [6] = 0x01,         /* sched_op_compat: command */
    [8] = 0x01,         /* set_debugreg: which */
    [9] = 0x01,         /* get_debugreg: which */
    [12] = 0x01,        /* memory_op: command */
    [13] = 0x02,        /* multicall: count */
    [17] = 0x01,        /* xen_version: command */
    [18] = 0x03,        /* console_io: command, count */
    [20] = 0x05,        /* grant_table_op: command, count */
    [21] = 0x03,        /* vm_assist: command, type */
    [22] = 0x08,        /* update_va_mapping_otherdomain: domain */
    [24] = 0x03,        /* vcpu_op: command, vCPU */
    [25] = 0x01,        /* set_segment_base: which */
    [26] = 0x0a,        /* mmuext_op: count, domain */
    [27] = 0x01,        /* xsm_op: command */
    [28] = 0x01,        /* nmi_op: command */
    [29] = 0x01,        /* sched_op: command */
    [30] = 0x01,        /* callback_op: command */
    [32] = 0x01,        /* event_channel_op: command */
    [33] = 0x01,        /* physdev_op: command */
    [34] = 0x01,        /* hvm_op: command */
    [37] = 0x01,        /* kexec_op: command */
    [39] = 0x01,        /* argo_op: command */
    [40] = 0x01,        /* xenpmu_op: command */
};

struct row {
    bool used;
    uint32_t nr;
    char op[40];
    uint64_t calls[2], timed[2];
    double ticks[2];
};

struct diff_table {
    struct row rows[ROWS];
    unsigned n;
};

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static uint64_t mix_string(uint64_t hash, const char *s)
{
    for (; s && *s; s++)
        hash = mix(hash, (unsigned char)*s);
    return hash;
}

uint64_t diff_fingerprint(const struct call *call)
{
    uint64_t hash = mix_string(mix(1, call->nr | (uint64_t)call->depth << 32), call_operation(call));
    unsigned mask = call->nr < sizeof(stable) ? stable[call->nr] & call->known : 0;

    for (unsigned i = 0; i < 6; i++)
        if (mask & 1u << i)
            hash = mix(hash, (uint64_t)i << 32 | (uint32_t)call->args[i]);
    return call->returned && call_failed(call) ? mix(hash, (uint64_t)call->result) : hash;
}

struct diff_table *diff_table_new(void)
{
    return calloc(1, sizeof(struct diff_table));
}

static struct row *row_of(struct diff_table *t, uint32_t nr, const char *op)
{
    unsigned slot = (unsigned)mix_string(mix(2, nr), op) % (ROWS - 1);

    for (;; slot = (slot + 1) % (ROWS - 1)) {
        struct row *r = &t->rows[slot];

        if (r->used && r->nr == nr && strncmp(r->op, op, sizeof(r->op) - 1) == 0)
            return r;
        if (r->used)
            continue;
        if (t->n >= ROWS * 3 / 4) {
            r = &t->rows[ROWS - 1];
            nr = REST;
            op = "";
        }
        t->n++;
        r->used = true;
        r->nr = nr;
        snprintf(r->op, sizeof(r->op), "%s", op);
        return r;
    }
}

void diff_table_add(struct diff_table *t, unsigned side, const struct call *call)
{
    const char *op = call_operation(call);
    struct row *r = row_of(t, call->nr, op ? op : "");

    r->calls[side]++;
    if (call->returned) {
        r->timed[side]++;
        r->ticks[side] += (double)call->ticks;
    }
}

static uint64_t apart(const struct row *r)
{
    return r->calls[0] > r->calls[1] ? r->calls[0] - r->calls[1] : r->calls[1] - r->calls[0];
}

static int by_difference(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    uint64_t all = x->calls[0] + x->calls[1], others = y->calls[0] + y->calls[1];

    if (apart(x) != apart(y))
        return apart(x) > apart(y) ? -1 : 1;
    if (all != others)
        return all > others ? -1 : 1;
    return x->nr != y->nr ? (x->nr < y->nr ? -1 : 1) : strcmp(x->op, y->op);
}

static void print_mean(const struct row *r, unsigned side, const struct output_options *o,
                       const struct clock_info *clock)
{
    double ticks = r->timed[side] ? r->ticks[side] / (double)r->timed[side] : 0;

    if (!r->timed[side])
        fprintf(o->out, "  %12s", "-");
    else if (o->instructions)
        fprintf(o->out, "  %12.0f", ticks);
    else
        fprintf(o->out, "  %12.3f", ticks * ticks_to_seconds(clock, 1000000000) / 1e3);
}

static void print_row(const struct row *r, const struct output_options *o, const struct clock_info clocks[2])
{
    const char *name = r->nr == REST ? "(all the rest)" : hypercall_name(r->nr);
    char number[32], whole[96], difference[24] = "";

    snprintf(number, sizeof(number), "hypercall %" PRIu32, r->nr);
    snprintf(whole, sizeof(whole), "%s%s%s", name ? name : number, r->op[0] ? " " : "", r->op);
    if (apart(r))
        snprintf(difference, sizeof(difference), "%c%" PRIu64, r->calls[1] > r->calls[0] ? '+' : '-',
                 apart(r));
    fprintf(o->out, "%-48s  %10" PRIu64 "  %10" PRIu64 "  %11s", whole, r->calls[0], r->calls[1], difference);
    for (unsigned side = 0; side < 2; side++)
        print_mean(r, side, o, &clocks[side]);
    fputc('\n', o->out);
}

void diff_table_print(struct diff_table *t, const struct output_options *o, const struct clock_info clocks[2])
{
    qsort(t->rows, ROWS, sizeof(*t->rows), by_difference);
    fprintf(o->out, "%-48s  %10s  %10s  %11s  %12s  %12s\n", o->instructions ? "mean time in instructions" :
            "mean time in microseconds", "A", "B", "difference", "mean A", "mean B");
    for (unsigned i = 0; i < ROWS; i++)
        if (t->rows[i].used)
            print_row(&t->rows[i], o, clocks);
}

void diff_table_free(struct diff_table *t)
{
    free(t);
}
