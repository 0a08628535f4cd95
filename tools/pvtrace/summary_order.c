/* Owns the orders in which rows of the summary can stand, for qsort; by name where all else is equal.
 * Called by summary_print.c. */
#include <inttypes.h>
#include <string.h>

#include "tools/pvtrace/summary.h"

const char *row_name(uint32_t nr, char buf[32])
{
    const char *name = nr == UINT32_MAX ? "others" : hypercall_name(nr);

    if (name != NULL)
        return name;
    snprintf(buf, 32, "hypercall_%" PRIu32, nr);
    return buf;
}

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_name(const void *pa, const void *pb)
{
    const struct row *a = pa, *b = pb;
    char na[32], nb[32];
    int c = a->nr == b->nr ? 0 : strcmp(row_name(a->nr, na), row_name(b->nr, nb));

    return c != 0 ? c : strcmp(a->operation, b->operation);
}

static int by_calls(const void *a, const void *b)
{
    int c = compare(((const struct row *)b)->t.calls, ((const struct row *)a)->t.calls);

    return c != 0 ? c : by_name(a, b);
}

static int by_time(const void *a, const void *b)
{
    int c = compare(((const struct row *)b)->t.ticks, ((const struct row *)a)->t.ticks);

    return c != 0 ? c : by_calls(a, b);
}

static int by_errors(const void *a, const void *b)
{
    int c = compare(((const struct row *)b)->t.failed, ((const struct row *)a)->t.failed);

    return c != 0 ? c : by_time(a, b);
}

int by_away(const void *a, const void *b)
{
    int c = compare(((const struct row *)b)->t.away_ticks, ((const struct row *)a)->t.away_ticks);

    return c != 0 ? c : by_name(a, b);
}

int by_number(const void *pa, const void *pb)
{
    const struct row *a = pa, *b = pb;

    return a->nr != b->nr ? compare(a->nr, b->nr) : strcmp(a->operation, b->operation);
}

row_order *order_of(const char *word)
{
    if (word != NULL && strcmp(word, "calls") == 0)
        return by_calls;
    if (word != NULL && strcmp(word, "errors") == 0)
        return by_errors;
    return word != NULL && strcmp(word, "name") == 0 ? by_name : by_time;
}
