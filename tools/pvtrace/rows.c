/* The rows in which calls are counted, found by a hash, and their orders. The number of rows is
 * bounded, whatever the input says. Called by account.c and diff_table.c. */
#include <string.h>
#include <stdint.h>
#include <public/xen.h>

#include "common/abi_names.h"
#include "common/compiler.h"
#include "tools/pvtrace/account.h"
#include "tools/pvtrace/decode.h"

#define MAX_ELEMENTS 16u            /* of an mmuext_op's array that are looked at */
#define MAX_NAMES 3u                /* that one row shows */

void tally_add(struct tally *to, const struct tally *t)
{
    to->calls += t->calls;
    to->failed += t->failed;
    to->unfinished += t->unfinished;
    to->gave += t->gave;
    to->timed += t->timed;
    to->ticks += t->ticks;
    to->whole += t->whole;
    to->away += t->away;
    to->away_ticks += t->away_ticks;
    to->max = MAX(to->max, t->max);
    to->away_max = MAX(to->away_max, t->away_max);
}

/* --- Names ------------------------------------------------------------------------------------ */
const char *row_name(uint32_t nr, struct label *buf)
{
    return nr == NR_REST ? "others" : hypercall_label(nr, buf);
}

/* The commands in an mmuext_op's array, each once: the time of one call cannot be divided among
 * them. */
static void mmuext_names(struct text *t, const struct call *c)
{
    uint32_t seen = 0, cmd, names = 0, count = MIN((uint32_t)c->args[1], MAX_ELEMENTS);

    for (uint32_t i = 0; i < count; i++) {
        uint64_t va = c->args[0] + i * sizeof(struct mmuext_op);
        const char *name;

        if (read_memory(c, IN, va, &cmd, sizeof(cmd)) != sizeof(cmd))
            break;
        name = cmd < 32 && (seen >> cmd & 1) == 0 ? abi_operation_name(c->nr, cmd) : NULL;
        if (name == NULL)
            continue;
        seen |= 1u << cmd;
        if (names++ == MAX_NAMES) {
            text_str(t, " ...");
            break;
        }
        text_str(t, names > 1 ? "+" : "");
        text_str(t, names > 1 && strncmp(name, "MMUEXT_", 7) == 0 ? name + 7 : name);
    }
}

void row_operation(const struct call *c, char buf[OPERATION_BYTES])
{
    struct text t = { .buf = buf, .size = OPERATION_BYTES };
    const char *name;

    buf[0] = '\0';
    if (c->nr == __HYPERVISOR_mmuext_op && c->args[1] > 1)
        mmuext_names(&t, c);
    if (t.len == 0 && (name = call_operation(c)) != NULL)
        text_str(&t, name);
}

/* --- Rows ------------------------------------------------------------------------------------- */
static uint32_t hash(uint32_t who, const struct call *c, const char *operation)
{
    uint32_t h = ((who * 2 + (c->depth > 0)) * 64u + c->nr) * 2654435761u;

    for (; *operation != '\0'; operation++)
        h = (h ^ (uint8_t)*operation) * 16777619u;
    return h ^ h >> 15;
}

struct row *row_of(struct rows *rows, uint32_t who, const struct call *c, const char *operation)
{
    uint32_t at = hash(who, c, operation) % ROW_INDEX;
    bool member = c->depth > 0;
    struct row *r;

    for (; rows->index[at] != 0; at = (at + 1) % ROW_INDEX) {
        r = &rows->row[rows->index[at] - 1];
        if (r->who == who && r->nr == c->nr && r->member == member &&
            strcmp(r->operation, operation) == 0)
            return r;
    }
    if (rows->n == MAX_ROWS) {
        r = &rows->row[MAX_ROWS - 1];
        strcpy(r->operation, "(many different ones)");
        r->nr = NR_REST;
        return r;
    }
    r = &rows->row[rows->n++];
    *r = (struct row){ .who = who, .nr = c->nr, .member = member };
    snprintf(r->operation, sizeof(r->operation), "%s", operation);
    rows->index[at] = (uint16_t)rows->n;
    return r;
}

/* --- Orders: by name where all else is equal -------------------------------------------------- */
static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_name(const void *pa, const void *pb)
{
    const struct row *a = pa, *b = pb;
    struct label na, nb;
    int c = a->nr == b->nr ? 0 : strcmp(row_name(a->nr, &na), row_name(b->nr, &nb));

    return c != 0 ? c : strcmp(a->operation, b->operation);
}

/* The most of a tally's field first, then by what comes next. */
#define ORDER(name, field, next)                                                               \
    int name(const void *a, const void *b)                                                     \
    {                                                                                          \
        int c = compare(((const struct row *)b)->t.field, ((const struct row *)a)->t.field);   \
                                                                                               \
        return c != 0 ? c : next(a, b);                                                        \
    }
static ORDER(by_calls, calls, by_name)
static ORDER(by_time, ticks, by_calls)
static ORDER(by_errors, failed, by_time)
ORDER(by_away, away_ticks, by_name)

int by_number(const void *pa, const void *pb)
{
    const struct row *a = pa, *b = pb;

    return a->nr != b->nr ? compare(a->nr, b->nr) : strcmp(a->operation, b->operation);
}

row_order *const row_orders[] = {
    [SORT_TIME] = by_time,
    [SORT_CALLS] = by_calls,
    [SORT_ERRORS] = by_errors,
    [SORT_NAME] = by_name,
};
