/* Owns the last lines of -c: whether the counts agree with what the hypervisor itself counted, which it
 * writes when the trace ends. They can only agree if it recorded everything, so a difference comes with
 * what may be its reason. */
#include <inttypes.h>

#include "tools/pvtrace/summary.h"

/* Numbers that no hypercall can have may have no counter. */
static unsigned compared(const struct summary *s)
{
    return ABI_HYPERCALLS + (s->counters[ABI_HYPERCALLS] != 0);
}

static unsigned put_differences(const struct summary *s)
{
    unsigned differ = 0;

    for (unsigned nr = 0; nr < compared(s); nr++) {
        const char *name = nr < ABI_HYPERCALLS ? hypercall_name(nr) : "numbers above 63";

        if (s->seen[nr] == s->counters[nr])
            continue;
        if (differ++ == 0)
            fprintf(s->o.out, "The counts differ from the hypervisor's own:\n     trace hypervisor\n");
        fprintf(s->o.out, "%10" PRIu64 " %10" PRIu64 "  ", s->seen[nr], s->counters[nr]);
        if (name != NULL)
            fprintf(s->o.out, "%s\n", name);
        else
            fprintf(s->o.out, "hypercall_%u\n", nr);
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

    if (s->lost != 0)
        fprintf(s->o.out, "%s%" PRIu64 " records were lost", because(&reasons), s->lost);
    if (s->late)
        fprintf(s->o.out, "%shypercalls were made before the trace says that it records them",
                because(&reasons));
    if (!s->recording)
        fprintf(s->o.out, "%shypercalls were not recorded", because(&reasons));
    else if (s->paused)
        fprintf(s->o.out, "%sthe recording of hypercalls was switched off for a time", because(&reasons));
    for (unsigned g = 0; g < s->nr_guests; g++) {
        const struct guest_counts *guest = &s->guests[g];

        if (guest->calls || guest->domid >= DOMID_NOBODY)
            continue;
        fprintf(s->o.out, "%sno hypercall of d%u is in the trace", because(&reasons), guest->domid);
    }
    if (reasons != 0)
        fprintf(s->o.out, ".\n");
    else
        fprintf(s->o.out, "Nothing was lost and recording was on all the time: a guest that was not "
                          "recorded, or an error in the hypervisor or in this program.\n");
}

void summary_check(const struct summary *s)
{
    uint64_t total = 0;

    if (!s->have_counters)
        return;
    for (unsigned nr = 0; nr < compared(s); nr++)
        total += s->seen[nr];
    if (put_differences(s) == 0)
        fprintf(s->o.out, "The counts agree with the hypervisor's own, number by number: all %" PRIu64
                          " hypercalls are in the trace.\n", total);
    else
        put_reasons(s);
    if (compared(s) == ABI_HYPERCALLS && s->seen[ABI_HYPERCALLS] != 0)
        fprintf(s->o.out, "%" PRIu64 " more have numbers above %u, which it does not count.\n",
                s->seen[ABI_HYPERCALLS], ABI_HYPERCALLS - 1);
}
