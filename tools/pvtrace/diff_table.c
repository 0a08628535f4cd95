/* pvtrace diff: the table of how often each kind of call was made in A and B, and how long it took.
 */
#include <stdlib.h>

#include "common/compiler.h"
#include "tools/pvtrace/account.h"

/* A kind of call on both sides. */
struct pair {
    const struct row *row;
    struct tally t[2];
};

void diff_table_add(struct rows *rows, unsigned side, const struct call *call)
{
    const char *op = call_operation(call);
    const struct tally t = { .calls = 1, .timed = call->returned,
                             .ticks = call->returned ? call->ticks : 0 };

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

static void print_mean(const struct tally *t, const struct output_options *o,
                       const struct clock_info *clock)
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

    snprintf(whole, sizeof(whole), "%s%s%s", row_name(p->row->nr, &label),
             operation[0] != '\0' ? " " : "", operation);
    if (apart(p) != 0)
        snprintf(difference, sizeof(difference), "%c%lu", p->t[1].calls > p->t[0].calls ? '+' : '-',
                 apart(p));
    fprintf(o->out, "%-48s  %10lu  %10lu  %11s", whole, p->t[0].calls, p->t[1].calls, difference);
    for (unsigned side = 0; side < 2; side++)
        print_mean(&p->t[side], o, &clocks[side]);
    fputc('\n', o->out);
}

void diff_table_print(struct rows *rows, const struct output_options *o,
                      const struct clock_info clocks[2])
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
    fprintf(o->out, "mean time in %-35s  %10s  %10s  %11s  %12s  %12s\n",
            o->instructions ? "instructions" : "microseconds", "A", "B", "difference", "mean A",
            "mean B");
    for (unsigned i = 0; i < n; i++)
        print_pair(&pairs[i], o, clocks);
}
