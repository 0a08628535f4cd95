/* -c: the tables (summary_print.c) of what account.c counts, and whether the counts agree with what
 * the hypervisor itself counted, which it writes when the trace ends. They can only agree if it
 * recorded everything, so a difference comes with what may be its reason. */

#include "common/abi_names.h"
#include "tools/pvtrace/account.h"

struct summary {
    struct account a;
    /* All of the trace, whatever the filter, to hold against the hypervisor's counters. The last:
     * of all numbers that no hypercall can have. */
    uint64_t seen[ABI_HYPERCALLS + 1], counters[ABI_HYPERCALLS + 1];
    bool have_counters, recording, late, paused;
};

static void *summary_open(const struct output_options *o, struct model *m)
{
    return account_open(sizeof(struct summary), o, m);
}

static unsigned counter_of(uint32_t nr)
{
    return nr < ABI_HYPERCALLS ? nr : ABI_HYPERCALLS;
}

static void summary_item(void *state, const struct item *item)
{
    struct summary *s = state;

    account_item(&s->a, item);
    if (item->kind == ITEM_CALL_END) {
        s->seen[counter_of(item->call->nr)]++;
        s->late |= !s->recording;
    } else if (item->kind == ITEM_COUNTER) {
        s->have_counters = true;
        s->counters[counter_of(item->counter.nr)] = item->counter.count;
    } else if (item->kind == ITEM_CLASSES) {
        s->paused |= s->recording && (item->classes.classes & TRACE_HYPERCALL) == 0;
        s->recording |= (item->classes.classes & TRACE_HYPERCALL) != 0;
    }
}

/* --- The hypervisor's own counts -------------------------------------------------------------- */
/* Numbers that no hypercall can have may have no counter. */
static unsigned compared(const struct summary *s)
{
    return ABI_HYPERCALLS + (s->counters[ABI_HYPERCALLS] != 0);
}

static unsigned put_differences(const struct summary *s)
{
    unsigned differ = 0;

    for (unsigned nr = 0; nr < compared(s); nr++) {
        struct label buf;

        if (s->seen[nr] == s->counters[nr])
            continue;
        if (differ++ == 0)
            fprintf(s->a.o.out,
                    "The counts differ from the hypervisor's own:\n     trace hypervisor\n");
        fprintf(s->a.o.out, "%10lu %10lu  %s\n", s->seen[nr], s->counters[nr],
                nr < ABI_HYPERCALLS ? hypercall_label(nr, &buf) : "numbers above 63");
    }
    return differ;
}

static const char *because(unsigned *reasons)
{
    return (*reasons)++ == 0 ? "Because " : "; ";
}

static void put_reasons(const struct summary *s)
{
    unsigned reasons = 0;

    if (s->a.lost != 0)
        fprintf(s->a.o.out, "%s%lu records were lost", because(&reasons), s->a.lost);
    if (s->late)
        fprintf(s->a.o.out, "%shypercalls were made before the trace says that it records them",
                because(&reasons));
    if (!s->recording)
        fprintf(s->a.o.out, "%shypercalls were not recorded", because(&reasons));
    else if (s->paused)
        fprintf(s->a.o.out, "%sthe recording of hypercalls was switched off for a time",
                because(&reasons));
    for (unsigned g = 0; g < s->a.nr_guests; g++) {
        const struct guest_account *guest = &s->a.guests[g];

        if (guest->any_call || guest->domid >= DOMID_NOBODY)
            continue;
        fprintf(s->a.o.out, "%sno hypercall of d%u is in the trace", because(&reasons),
                guest->domid);
    }
    if (reasons != 0)
        fprintf(s->a.o.out, ".\n");
    else
        fprintf(s->a.o.out,
                "Nothing was lost and recording was on all the time: a guest that was not "
                "recorded, or an error in the hypervisor or in this program.\n");
}

static void check(const struct summary *s)
{
    uint64_t total = 0;

    if (!s->have_counters)
        return;
    for (unsigned nr = 0; nr < compared(s); nr++)
        total += s->seen[nr];
    if (put_differences(s) == 0)
        fprintf(s->a.o.out, "The counts agree with the hypervisor's own, number by number: all %lu "
                          "hypercalls are in the trace.\n", total);
    else
        put_reasons(s);
    if (compared(s) == ABI_HYPERCALLS && s->seen[ABI_HYPERCALLS] != 0)
        fprintf(s->a.o.out, "%lu more have numbers above %u, which it does not count.\n",
                s->seen[ABI_HYPERCALLS], ABI_HYPERCALLS - 1);
}

static int summary_end(void *state)
{
    struct summary *s = state;

    summary_print(&s->a);
    check(s);
    account_close(&s->a);
    return 0;
}

const struct output_type summary_output = {
    .name = "summary", .open = summary_open, .item = summary_item, .end = summary_end,
    .unfiltered = true,
};
