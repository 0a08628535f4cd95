/* The tables of -c: all hypercalls, most expensive first, with their sub-operations below them; the
 * same for each guest, when there are several; what else happened. Called by summary.c at the end.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/pvtrace/account.h"

#define EVERY_GUEST MAX_GUESTS

/* A table in the making. */
struct table {
    const struct account *a;
    FILE *out;
    struct row *rows;               /* sub-operations, those of a hypercall one after the other */
    unsigned nr_rows;
    struct group {
        struct row sum;          /* of a hypercall's; first, so that groups are ordered like rows */
        unsigned first, n;          /* they are these rows */
    } *groups;
    unsigned nr_groups;
    struct tally total;
};

/* --- Lines ------------------------------------------------------------------------------------ */
static double seconds(const struct table *t, uint64_t ticks)
{
    return ticks_to_seconds(t->a->clock, ticks);
}

static void put_header(const struct table *t)
{
    bool insn = t->a->o.instructions;

    fprintf(t->out, "%% time %14s %12s %12s %10s %8s  hypercall\n", insn ? "insn" : "seconds",
            insn ? "insn/call" : "us/call", insn ? "max insn" : "max us", "calls", "errors");
    fprintf(
        t->out,
        "------ -------------- ------------ ------------ ---------- --------  --------------\n");
}

static void put_times(const struct table *t, uint64_t ticks, uint64_t calls, uint64_t max)
{
    double mean = calls != 0 ? 1.0 / (double)calls : 0;

    if (calls == 0)
        fprintf(t->out, " %14s %12s %12s", "-", "-", "-");
    else if (t->a->o.instructions)
        fprintf(t->out, " %14lu %12.0f %12lu", ticks, (double)ticks * mean, max);
    else
        fprintf(t->out, " %14.9f %12.3f %12.3f", seconds(t, ticks), seconds(t, ticks) * mean * 1e6,
                seconds(t, max) * 1e6);
}

static void put_row(const struct table *t, const struct tally *y, const char *indent,
                    const char *name)
{
    double share = t->total.ticks != 0 ? 100.0 * (double)y->ticks / (double)t->total.ticks : 0;

    fprintf(t->out, "%6.2f", share);
    put_times(t, y->ticks, y->timed, y->max);
    fprintf(t->out, " %10lu", y->calls);
    if (y->failed != 0)
        fprintf(t->out, " %8lu", y->failed);
    else
        fprintf(t->out, " %8s", "");
    fprintf(t->out, "  %s%s\n", indent, name);
}

static void put_groups(const struct table *t)
{
    struct label buf;

    for (const struct group *g = t->groups; g < t->groups + t->nr_groups; g++) {
        struct row *rows = t->rows + g->first;

        put_row(t, &g->sum.t, "", row_name(g->sum.nr, &buf));
        qsort(rows, g->n, sizeof(*rows), row_orders[t->a->o.sort]);
        for (unsigned i = 0; i < g->n; i++)
            if (rows[i].operation[0] != '\0')
                put_row(t, &rows[i].t, "  ", rows[i].operation);
            else if (g->n > 1)
                put_row(t, &rows[i].t, "  ", "(other)");
    }
}

/* Sleep is not what a call costs, so it has lines of its own, below the total. */
static void put_away(const struct table *t)
{
    struct label buf;

    qsort(t->rows, t->nr_rows, sizeof(*t->rows), by_away);
    for (unsigned i = 0; i < t->nr_rows && t->rows[i].t.away != 0; i++) {
        const struct row *r = &t->rows[i];
        bool sleep = strcmp(r->operation, "SCHEDOP_block") == 0 ||
                     strcmp(r->operation, "SCHEDOP_poll") == 0;

        if (i == 0)
            fprintf(t->out, "Not in the total, because the vCPU was off the CPU:\n");
        fprintf(t->out, "%6s", sleep ? "asleep" : "waited");
        put_times(t, r->t.away_ticks, r->t.away, r->t.away_max);
        fprintf(t->out, " %10lu %8s  %s%s%s\n", r->t.away, "", row_name(r->nr, &buf),
                r->operation[0] != '\0' ? " " : "", r->operation);
    }
}

static void put_counts(const struct table *t, unsigned guest)
{
    static const char *const texts[NR_COUNTS] = {
        [COUNT_PAGE_FAULT] = "page faults given to the guest",
        [COUNT_TRAP] = "other traps given to the guest",
        [COUNT_PTWR] = "page-table writes emulated",
        [COUNT_EMULATED] = "instructions emulated",
        [COUNT_SENT] = "events sent",
        [COUNT_UPCALL] = "upcalls",
        [COUNT_SWITCH] = "switches to a vCPU of it",
        [COUNT_MOVED] = "migrations of a vCPU to another CPU",
        [COUNT_MEM] = "grants mapped or unmapped, memory given back",
        [COUNT_OTHER] = "other records",
    };

    for (unsigned c = 0; c < NR_COUNTS; c++) {
        uint64_t n = 0;

        for (unsigned g = 0; g < t->a->nr_guests; g++)
            if (g == guest || guest == EVERY_GUEST)
                n += t->a->guests[g].counts[c];
        if (n != 0)
            fprintf(t->out, "%10lu  %s\n", n, texts[c]);
    }
}

/* --- A table ---------------------------------------------------------------------------------- */
/* The same sub-operation of several guests becomes one row; each hypercall gets the sum of its own.
 */
static void collect(struct table *t, unsigned guest)
{
    unsigned n = 0;

    for (unsigned i = 0; i < t->a->rows.n; i++)
        if (t->a->rows.row[i].who == guest || guest == EVERY_GUEST)
            t->rows[n++] = t->a->rows.row[i];
    qsort(t->rows, n, sizeof(*t->rows), by_number);
    for (unsigned i = 0; i < n; i++) {
        struct row *last = t->nr_rows > 0 ? &t->rows[t->nr_rows - 1] : NULL;
        struct group *g = t->groups + t->nr_groups - 1;

        if (last == NULL || last->nr != t->rows[i].nr) {
            g = &t->groups[t->nr_groups++];
            *g = (struct group){ .sum = { .nr = t->rows[i].nr }, .first = t->nr_rows };
        }
        tally_add(&g->sum.t, &t->rows[i].t);
        tally_add(&t->total, &t->rows[i].t);
        if (last != NULL && by_number(last, &t->rows[i]) == 0) {
            tally_add(&last->t, &t->rows[i].t);
        } else {
            t->rows[t->nr_rows++] = t->rows[i];
            g->n++;
        }
    }
    qsort(t->groups, t->nr_groups, sizeof(*t->groups), row_orders[t->a->o.sort]);
}

static void put_title(const struct table *t, unsigned guest)
{
    const struct guest_account *g = &t->a->guests[guest];
    char buf[128] = "";
    struct text title = TEXT(buf);
    const char *name;

    if (guest == EVERY_GUEST) {
        fprintf(t->out, "All guests\n");
    } else if (g->others) {
        fprintf(t->out, "Other guests\n");
    } else if (g->domid == DOMID_NOBODY || g->domid == DOMID_UNKNOWN) {
        fprintf(t->out, "%s\n", g->domid == DOMID_NOBODY ? "While no guest ran" : "Guest unknown");
    } else {
        name = model_domain_name(t->a->m, g->domid);
        text_escape(&title, name, strlen(name));
        fprintf(t->out, buf[0] != '\0' ? "d%u (%s)\n" : "d%u%s\n", g->domid, buf);
    }
}

static void put_table(const struct account *a, unsigned guest, unsigned tables_before)
{
    struct table t = { .a = a, .out = a->o.out };

    t.rows = xcalloc(a->rows.n + 1, sizeof(*t.rows));
    t.groups = xcalloc(a->rows.n + 1, sizeof(*t.groups));
    collect(&t, guest);
    if (tables_before > 0)
        fprintf(t.out, "\n");
    put_title(&t, guest);
    if (t.nr_rows > 0) {
        put_header(&t);
        put_groups(&t);
        put_row(&t, &t.total, "", "total");
        put_away(&t);
        if (t.total.unfinished != 0)
            fprintf(t.out, "%10lu  calls that did not return\n", t.total.unfinished);
    }
    put_counts(&t, guest);
    free(t.rows);
    free(t.groups);
}

static bool has_something(const struct account *a, unsigned guest)
{
    for (unsigned i = 0; i < a->rows.n; i++)
        if (a->rows.row[i].who == guest)
            return true;
    for (unsigned c = 0; c < NR_COUNTS; c++)
        if (a->guests[guest].counts[c] != 0)
            return true;
    return false;
}

void summary_print(const struct account *a)
{
    char buf[48];
    struct text span = TEXT(buf);
    unsigned guests = 0, tables = 0;

    for (unsigned g = 0; g < a->nr_guests; g++)
        guests += has_something(a, g) && a->guests[g].domid < DOMID_NOBODY;
    if (guests > 1)
        put_table(a, EVERY_GUEST, tables++);
    for (unsigned g = 0; g < a->nr_guests; g++)
        if (has_something(a, g))
            put_table(a, g, tables++);
    if (tables == 0)
        fprintf(a->o.out, "Nothing to count\n");
    text_fixed(&span, clock_ns(a->clock, a->last - a->first), 9);
    fprintf(a->o.out, "\n%s seconds from the first record to the last", buf);
    if (a->lost != 0)
        fprintf(a->o.out, "; %lu RECORDS LOST, so the counts are too low", a->lost);
    else
        fprintf(a->o.out, "; no records lost");
    fprintf(a->o.out, "\n");
}
