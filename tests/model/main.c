/* The scopes: what is looked at, and how deep; and the table of what was covered. `model NAME...`
 * runs the scopes of these names. In "below" and those after it the guest's CPU walks through the
 * frames, too, as tables below the domain's own. In "return" a frame that was given back may be the
 * domain's again. */
#include <stdio.h>
#include <string.h>
#include "model.h"
#include "search.h"
#include "support.h"

static const struct scope scopes[] = {
    { .name = "two", .nr_frames = 2, .nr_entries = 1, .places = { 2 } },
    { .name = "three", .nr_frames = 3, .nr_entries = 1, .places = { 2 }, .depth = 5 },
    { .name = "three-deeper", .nr_frames = 3, .nr_entries = 1, .places = { 2 }, .depth = 6 },
    { .name = "four", .nr_frames = 4, .nr_entries = 1, .places = { 2 }, .depth = 4 },
    { .name = "entries", .nr_frames = 2, .nr_entries = 2, .places = { 2 }, .depth = 5 },
    { .name = "below", .nr_frames = 2, .nr_entries = 1, .places = { 1, 1 }, .depth = 8 },
    { .name = "deep", .nr_frames = 3, .nr_entries = 1, .places = { 1, 1, 1, 1 }, .depth = 5 },
    { .name = "return", .nr_frames = 2, .nr_entries = 1, .places = { 1, 1 }, .comes_back = true,
      .depth = 7 },
    { .name = "descriptors", .nr_frames = 2, .nr_entries = 1, .places = { 1, 1 },
      .comes_back = true, .descriptors = true, .depth = 5 },
    { .name = "closed-below", .nr_frames = 2, .nr_entries = 1, .places = { 1, 1 },
      .comes_back = true },
    { .name = "death", .nr_frames = 2, .nr_entries = 1, .places = { 1, 1 }, .comes_back = true,
      .ends = true, .depth = 4 },

    /* Two domains: ONE frame or TWO, which one domain grants to the other, or both to each
     * other. */
#define ONE .nr_frames = 1, .nr_entries = 1, .places = { 1 }, .levels = 1, .comes_back = true
#define TWO .nr_frames = 2, .nr_entries = 1, .places = { 1 }, .comes_back = true
#define GRANTED .version = 1, .places = 2, .refs = { 1, 0 }, .handles = { 0, 2 }
#define BOTH .version = 1, .frames = 1, .places = 1, .refs = { 1, 1 }, .handles = { 1, 1 }
    { .name = "grant", ONE, .second = { GRANTED } },
    { .name = "grants", TWO, .levels = 2, .second = { GRANTED, .frames = 1 }, .depth = 6 },
    { .name = "grants-deeper", TWO, .levels = 2, .second = { GRANTED, .frames = 1 },
      .depth = 7 },
    { .name = "grants-v2", TWO, .levels = 1, .second = { .version = 2, .frames = 1, .places = 2,
      .refs = { 2, 0 }, .handles = { 0, 2 } }, .depth = 4 },
    { .name = "grants-both", TWO, .levels = 1, .second = { BOTH }, .depth = 5 },
    { .name = "grants-both-deeper", TWO, .levels = 1, .second = { BOTH }, .depth = 7 },
    { .name = "grant-end", ONE, .second = { GRANTED }, .ends = true, .depth = 3, .after_end = 4 },
    { .name = "grants-end", TWO, .levels = 1, .second = { BOTH }, .ends = true, .depth = 3,
      .after_end = 1 },
    { .name = "grants-end-deeper", TWO, .levels = 1, .second = { BOTH }, .ends = true, .depth = 4,
      .after_end = 3 },
    { .name = "grant-ending", ONE, .second = { .version = 1, .places = 1, .refs = { 1, 0 },
      .handles = { 0, 1 } }, .ends = true, .end_windows = true, .depth = 2, .after_end = 1 },
    { .name = "grant-ending-deeper", ONE, .second = { GRANTED }, .ends = true, .end_windows = true,
      .depth = 3, .after_end = 2 },

    /* Two CPUs. */
#define CPUS .nr_entries = 1, .comes_back = true, .two_cpus = true
    { .name = "cpus", CPUS, .nr_frames = 1, .places = { 2 } },
    { .name = "cpus-below", CPUS, .nr_frames = 1, .places = { 1, 1 } },
    { .name = "cpus-descriptors", CPUS, .nr_frames = 1, .places = { 1 }, .levels = 1,
      .descriptors = true },
    { .name = "cpus-descriptors-below", CPUS, .nr_frames = 1, .places = { 1, 1 },
      .descriptors = true },
    { .name = "cpus-two", CPUS, .nr_frames = 2, .places = { 1, 1 }, .depth = 5 },
    { .name = "cpus-two-deeper", CPUS, .nr_frames = 2, .places = { 1, 1 }, .depth = 6 },
    { .name = "cpus-flat", CPUS, .nr_frames = 2, .places = { 2 }, .depth = 5 },
    { .name = "cpus-preempted", CPUS, .nr_frames = 2, .places = { 1, 1 }, .preempted = true,
      .depth = 4 },
    { .name = "cpus-preempted-wide", .nr_frames = 2, .nr_entries = 2, .places = { 1, 1, 1 },
      .two_cpus = true, .preempted = true, .depth = 3 },
    { .name = "cpus-grant", ONE, .two_cpus = true, .second = { GRANTED }, .depth = 7 },
    { .name = "cpus-grant-closed", ONE, .two_cpus = true, .second = { GRANTED } },
    { .name = "cpus-foreign", ONE, .two_cpus = true, .third_cpu = true, .second = { GRANTED },
      .depth = 6 },
    { .name = "cpus-grants", TWO, .levels = 1, .two_cpus = true, .second = { BOTH }, .depth = 5 },

    { .name = "preempted", .nr_frames = 2, .nr_entries = 2, .places = { 1, 1, 1 },
      .preempted = true, .depth = 4 },
    { .name = "preempted-wide", .nr_frames = 3, .nr_entries = 2, .places = { 1, 1 },
      .preempted = true, .depth = 3 },
    { .name = "preempted-three", .nr_frames = 3, .nr_entries = 1, .places = { 1, 1 },
      .preempted = true, .depth = 3 },
    { .name = "preempted-deeper", .nr_frames = 3, .nr_entries = 1, .places = { 1, 1, 1 },
      .preempted = true, .depth = 4 },
};

/* Calls that are refused in every state, by kinds: frames that are alike count as one. */
static unsigned never(void)
{
    unsigned nr = 0;

    for (unsigned i = 0; i < nr_ops; i++) {
        bool ever = false;

        for (unsigned j = 0; j < nr_ops && !ever; j++)
            ever = succeeded[j] && ops[j].kind == ops[i].kind && ops[j].actor == ops[i].actor &&
                   ops[j].arg == ops[i].arg;
        nr += !ever;
    }
    return nr;
}

/* A row for each scope: frames and entries of each; other entries that may lead to them, by level,
 * or by domain; calls that there are, and those that never succeed; states; transitions, and those
 * that were refused; how often a call had to wait for the one that it was in the middle of; calls
 * in a row, and whether longer ones lead to anything new; seconds of the processor. */
static void print_head(void)
{
    printf("%-22s %6s %-9s %7s %5s %5s %9s %11s %10s %8s %5s %-6s %7s\n", "scope", "frames", "who",
           "places", "calls", "never", "states", "transitions", "refused", "waits", "depth", "",
           "seconds");
}

static const char *who(void)
{
    if (nr_domains == 2)
        return scope->two_cpus ? "2 on CPUs" : "2 domains";
    return scope->two_cpus ? "2 CPUs" : nr_actors == 2 ? "2 vCPUs" : "1 vCPU";
}

static void print_row(const char *name, double start)
{
    char frames[16], where[16];
    const unsigned *p = scope->places;

    snprintf(frames, sizeof(frames), "%u * %u", scope->nr_frames, scope->nr_entries);
    snprintf(where, sizeof(where), "%u+%u+%u+%u", p[0], p[1], p[2], p[3]);
    if (nr_domains == 2)
        snprintf(where, sizeof(where), "%u, %u", p[0], scope->second.places);
    printf("%-22s %6s %-9s %7s %5u %5u %9u %11lu %10lu %8lu %5u %-6s %7.1f\n", name, frames,
           who(), where, nr_ops, never(), nr_states, nr_transitions, nr_refused, nr_waits,
           nodes[at - 1].depth + 1u, at == nr_states ? "closed" : "", seconds() - start);
    fflush(stdout);
}

void print_more(const char *name, uint32_t states, uint64_t transitions, unsigned depth,
                bool closed, double start)
{
    printf("%-52s %14u %11lu %25u %-6s %7.1f\n", name, states, transitions, depth,
           closed ? "closed" : "", seconds() - start);
    fflush(stdout);
}

static void run(const struct scope *s)
{
    double start = seconds();

    world_make(s);
    ops_make();
    search();
    print_row(s->name, start);
    if (s->ends && nr_domains == 2)
        search_deaths();
    search_end();
    world_end();
}

int main(int argc, char **argv)
{
    search_init();
    windows_init();
    deaths_init();
    print_head();
    for (int arg = 1; arg < argc; arg++) {
        unsigned i = 0;

        while (i < ARRAY_SIZE(scopes) && strcmp(scopes[i].name, argv[arg]) != 0)
            i++;
        if (i == ARRAY_SIZE(scopes)) {
            fprintf(stderr, "model: no scope %s\n", argv[arg]);
            return 2;
        }
        run(&scopes[i]);
    }
    return 0;
}
