/* pvtrace diff: what makes two calls the same, and the table of how often each kind was made in A and B. */
#include <stdlib.h>
#include <string.h>

#include "common/abi_names.h"
#include "common/compiler.h"
#include "tools/pvtrace/diff.h"

/* The arguments that two runs of one guest have in common: bit i for argument i. Left out are pointers and
 * other addresses, machine frames, page-table entries, descriptors and times. */
static const uint8_t stable[ABI_HYPERCALLS] = {
    [1] = 0x0a,        /* mmu_update: count, domain */
    [2] = 0x02,        /* set_gdt: entries */
    [3] = 0x01,        /* stack_switch: ss */
    [5] = 0x01,        /* fpu_taskswitch: set */
    [6] = 0x01,        /* sched_op_compat: command */
    [8] = 0x01,        /* set_debugreg: which */
    [9] = 0x01,        /* get_debugreg: which */
    [12] = 0x01,       /* memory_op: command */
    [13] = 0x02,       /* multicall: count */
    [17] = 0x01,       /* xen_version: command */
    [18] = 0x03,       /* console_io: command, count */
    [20] = 0x05,       /* grant_table_op: command, count */
    [21] = 0x03,       /* vm_assist: command, type */
    [22] = 0x08,       /* update_va_mapping_otherdomain: domain */
    [24] = 0x03,       /* vcpu_op: command, vCPU */
    [25] = 0x01,       /* set_segment_base: which */
    [26] = 0x0a,       /* mmuext_op: count, domain */
    [27] = 0x01,       /* xsm_op: command */
    [28] = 0x01,       /* nmi_op: command */
    [29] = 0x01,       /* sched_op: command */
    [30] = 0x01,       /* callback_op: command */
    [32] = 0x01,       /* event_channel_op: command */
    [33] = 0x01,       /* physdev_op: command */
    [34] = 0x01,       /* hvm_op: command */
    [37] = 0x01,       /* kexec_op: command */
    [39] = 0x01,       /* argo_op: command */
    [40] = 0x01,       /* xenpmu_op: command */
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
    unsigned mask = call->nr < ABI_HYPERCALLS ? stable[call->nr] & call->known : 0;

    for (unsigned i = 0; i < 6; i++)
        if (mask & 1u << i)
            hash = mix(hash, (uint64_t)i << 32 | (uint32_t)call->args[i]);
    return call->returned && call_failed(call) ? mix(hash, (uint64_t)call->result) : hash;
}

/* A kind of call on both sides. */
struct pair {
    const struct row *row;
    struct tally t[2];
};

void diff_table_add(struct rows *rows, unsigned side, const struct call *call)
{
    const char *op = call_operation(call);
    const struct tally t = { .calls = 1, .timed = call->returned, .ticks = call->returned ? call->ticks : 0 };

    tally_add(&row_of(rows, side, call, op != NULL ? op : "")->t, &t);
}

static uint64_t all(const struct pair *p)
{
    return p->t[0].calls + p->t[1].calls;
}

static uint64_t apart(const struct pair *p)
{
    return MAX(p->t[0].calls, p->t[1].calls) - MIN(p->t[0].calls, p->t[1].calls);
}

static int by_difference(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;

    if (apart(x) != apart(y))
        return apart(x) > apart(y) ? -1 : 1;
    if (all(x) != all(y))
        return all(x) > all(y) ? -1 : 1;
    return by_number(x->row, y->row);
}

static void print_mean(const struct tally *t, const struct output_options *o, const struct clock_info *clock)
{
    double ticks = t->timed != 0 ? (double)t->ticks / (double)t->timed : 0;

    if (t->timed == 0)
        fprintf(o->out, "  %12s", "-");
    else if (o->instructions)
        fprintf(o->out, "  %12.0f", ticks);
    else
        fprintf(o->out, "  %12.3f", ticks * ticks_to_seconds(clock, 1000000000) / 1e3);
}

static void print_pair(const struct pair *p, const struct output_options *o,
                       const struct clock_info clocks[2])
{
    const char *operation = p->row->operation;
    char whole[128], difference[24] = "";
    struct label label;

    snprintf(whole, sizeof(whole), "%s%s%s", row_name(p->row->nr, &label), operation[0] != '\0' ? " " : "",
             operation);
    if (apart(p) != 0)
        snprintf(difference, sizeof(difference), "%c%lu", p->t[1].calls > p->t[0].calls ? '+' : '-',
                 apart(p));
    fprintf(o->out, "%-48s  %10lu  %10lu  %11s", whole, p->t[0].calls, p->t[1].calls, difference);
    for (unsigned side = 0; side < 2; side++)
        print_mean(&p->t[side], o, &clocks[side]);
    fputc('\n', o->out);
}

void diff_table_print(struct rows *rows, const struct output_options *o, const struct clock_info clocks[2])
{
    static struct pair pairs[MAX_ROWS];
    unsigned n = 0;

    qsort(rows->row, rows->n, sizeof(rows->row[0]), by_number);
    for (unsigned i = 0; i < rows->n; i++) {
        const struct row *r = &rows->row[i];

        if (n == 0 || by_number(pairs[n - 1].row, r) != 0)
            pairs[n++].row = r;
        tally_add(&pairs[n - 1].t[r->who & 1], &r->t);
    }
    qsort(pairs, n, sizeof(pairs[0]), by_difference);
    fprintf(o->out, "%-48s  %10s  %10s  %11s  %12s  %12s\n", o->instructions ? "mean time in instructions" :
            "mean time in microseconds", "A", "B", "difference", "mean A", "mean B");
    for (unsigned i = 0; i < n; i++)
        print_pair(&pairs[i], o, clocks);
}
