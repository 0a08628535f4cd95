/* What the vmm says when its guest has ended. Called by main.c. */
#include <string.h>
#include "clock.h"
#include "console.h"
#include "guest-pv/vmm/core/emulate.h"
#include "guest-pv/vmm/platform/platform.h"
#include "guest-pv/vmm/vmm.h"

static const char *const vector_names[32] = {
    "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "9", "#TS", "#NP", "#SS", "#GP",
    "#PF", "15", "#MF", "#AC", "#MC", "#XM",
};

/* More than kprintf prints at once. */
static void print_lines(const char *lines)
{
    console_write(lines, strlen(lines));
}

static void print_exceptions(const struct cpu_counters *n)
{
    bool any = false;

    kprintf("vmm: exceptions:");
    for (unsigned i = 0; i < ARRAY_SIZE(n->exceptions); i++) {
        if (n->exceptions[i] == 0)
            continue;
        kprintf("%s %s %lu", any ? "," : "", vector_names[i] != NULL ? vector_names[i] : "?",
                n->exceptions[i]);
        any = true;
    }
    kprintf("%s; interrupts %lu\n", any ? "" : " none", n->interrupts);
}

void print_report(struct cpu *c, uint64_t ns)
{
    const struct cpu_counters *n = &c->counters;
    uint64_t ms = ns / NS_PER_MS;

    if (c->stop == STOP_SHUTDOWN || c->stop == STOP_UNSERVED)
        print_state(c, print_lines);
    kprintf("vmm: the end: %s\n", c->reason);
    kprintf("vmm: %lu instructions in %lu.%03lu s, %lu of them by the core alone\n",
            n->instructions, ms / 1000, ms % 1000, n->generic);
    print_exceptions(n);
    kprintf("vmm: ports %lu reads, %lu writes; TLB %lu fills, %lu flushes; %lu blocks, %lu "
            "invalidations\n",
            c->platform->reads, c->platform->writes, n->tlb_fills, n->tlb_flushes, n->blocks,
            n->invalidations);
}
