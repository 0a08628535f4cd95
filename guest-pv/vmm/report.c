/* What the vmm says when its guest has ended. Called by main.c. */
#include <string.h>
#include "clock.h"
#include "console.h"
#include "guest-pv/vmm/core/emulate.h"
#include "guest-pv/vmm/direct/shadow.h"
#include "guest-pv/vmm/platform/platform.h"
#include "guest-pv/vmm/translate/translate.h"
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

/* Of 32 counters those that are not 0; returns whether there were any. */
static bool print_vectors(const uint64_t *counts)
{
    bool any = false;

    for (unsigned i = 0; i < ARRAY_SIZE(vector_names); i++) {
        if (counts[i] == 0)
            continue;
        kprintf("%s %s %lu", any ? "," : "", vector_names[i] != NULL ? vector_names[i] : "?",
                counts[i]);
        any = true;
    }
    return any;
}

static void print_exceptions(const struct cpu_counters *n)
{
    bool any;

    kprintf("vmm: exceptions:");
    any = print_vectors(n->exceptions);
    kprintf("%s; interrupts %lu\n", any ? "" : " none", n->interrupts);
}

/* Way 1: the core's functions are for what is rare. */
static void print_emulated(const struct cpu_counters *n)
{
    kprintf("vmm: %lu of the instructions by the core alone; %lu blocks, %lu invalidations\n",
            n->generic, n->blocks, n->invalidations);
}

/* Ways 2 and 3: how often the CPU left the guest's code, and what the real MMU was given. */
static void print_direct(const struct cpu *c)
{
    const struct exit_counters *exits = direct_exits();
    const struct shadow_counters *s = shadow_counts(c);
    bool any;

    kprintf("vmm: exits:");
    any = print_vectors(exits->traps);
    kprintf("%s events %lu, system calls %lu\n", any ? "," : "", exits->events, exits->syscalls);
    kprintf("vmm: shadow tables: %lu fills, %lu prefills, %lu writes to tables, %lu drops, %lu "
            "roots\n",
            s->fills, s->prefills, s->writes, s->drops, s->roots);
}

static void print_translator(const struct translate_counters *t)
{
    kprintf("vmm: translated: %lu blocks of %lu instructions, %lu KiB; %lu branches chained\n",
            t->blocks, t->instructions, t->bytes >> 10, t->chained);
    kprintf("vmm: blocks suspended %lu, resumed %lu, dropped %lu; all suspended %lu times, dropped "
            "%lu times\n",
            t->suspended, t->resumed, t->drops, t->all_suspended, t->drops_of_all);
    kprintf("vmm: callouts of branches %lu, of lookups %lu, of instructions %lu; %lu stores call "
            "out\n",
            t->callouts[OF_BRANCHES], t->callouts[OF_LOOKUPS], t->callouts[OF_INSTRUCTIONS],
            t->stores);
}

void print_report(struct cpu *c, uint64_t ns)
{
    const struct cpu_counters *n = &c->counters;
    uint64_t ms = ns / NS_PER_MS;

    if (c->stop == STOP_SHUTDOWN || c->stop == STOP_UNSERVED)
        print_state(c, print_lines);
    kprintf("vmm: the end: %s\n", c->reason);
    kprintf("vmm: %lu instructions in %lu.%03lu s%s\n", n->instructions, ms / 1000, ms % 1000,
            c->shadows != NULL ? ", besides those that the CPU executed" : "");
    print_exceptions(n);
    print_hashes();
    kprintf("vmm: ports %lu reads, %lu writes; TLB %lu fills, %lu flushes\n", c->platform->reads,
            c->platform->writes, n->tlb_fills, n->tlb_flushes);
    if (c->shadows == NULL)
        print_emulated(n);
    else
        print_direct(c);
    if (c->translator != NULL)
        print_translator(translate_counts(c));
}
