/* Every sequence of calls, breadth first: from each state found, each call; what is new is kept, with the way to it. A
 * violation prints the shortest sequence of calls that leads to it. `model NAME...` runs the scopes of these names. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "model.h"
#include "support.h"
#include "xen/core/frame.h"

#define MAX_STATES (1u << 23)
#define HASH_SLOTS (1u << 24)
#define AUDIT_EVERY 1000000u        /* transitions; the hypervisor's own recount of everything */

/* In "below" and those after it the guest's CPU walks through the frames, too, as tables below the domain's own. In
 * "return" a frame that was given back may be the domain's again. */
static const struct scope scopes[] = {
    /* name, frames, entries of each, places, comes back, ends, depth */
    { "two",     2, 1, { 2, 0, 0, 0 }, false, false, 0 },
    { "three",   3, 1, { 2, 0, 0, 0 }, false, false, 5 },
    { "four",    4, 1, { 2, 0, 0, 0 }, false, false, 4 },
    { "entries", 2, 2, { 2, 0, 0, 0 }, false, false, 5 },
    { "below",   2, 1, { 1, 1, 0, 0 }, false, false, 8 },
    { "deep",    3, 1, { 1, 1, 1, 1 }, false, false, 5 },
    { "return",  2, 1, { 1, 1, 0, 0 }, true,  false, 7 },
    { "death",   2, 1, { 1, 1, 0, 0 }, true,  true,  4 },
    { "three-deeper", 3, 1, { 2, 0, 0, 0 }, false, false, 6 },
    { "closed-below", 2, 1, { 1, 1, 0, 0 }, true,  false, 0 },
};

struct node {
    uint32_t parent;
    uint16_t op;
    uint8_t renaming, depth;
};

static struct node *nodes;
static uint8_t *states;             /* state_bytes each */
static uint64_t *slots;             /* index of a node + 1, and above it the upper half of its hash; 0: free */
static uint32_t nr_states;
static uint64_t nr_transitions, nr_refused;
static uint32_t at;                 /* whose calls are being tried, */
static int trying;                  /* and which; -1: none, the domain ends */

static void *reserve(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    (void)madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}

/* --- The way to a violation ---------------------------------------------------------------------------------------------- */

static void rename_back(struct renaming *names, const struct renaming *r)
{
    struct renaming old = *names;

    for (unsigned i = 0; i < MAX_FRAMES; i++)
        names->frame[r->frame[i]] = old.frame[i];
    for (unsigned i = 0; i < MAX_PLACES; i++)
        names->place[r->place[i]] = old.place[i];
}

static void print_op(unsigned op, const struct renaming *names)
{
    char text[120];

    op_print(text, sizeof(text), &ops[op], names);
    fprintf(stderr, "    %s;\n", text);
}

static _Noreturn void violation(const char *what)
{
    uint32_t way[256];
    unsigned n = 0;
    struct renaming names;

    for (unsigned i = 0; i < MAX_FRAMES; i++)
        names.frame[i] = (uint8_t)i;
    for (unsigned i = 0; i < MAX_PLACES; i++)
        names.place[i] = (uint8_t)i;
    fprintf(stderr, "model %s: violation: %s. The shortest way there:\n", scope->name, what);
    for (uint32_t i = at; i != 0 && n < 256; i = nodes[i].parent)
        way[n++] = i;
    rename_back(&names, &renamings[nodes[0].renaming]);
    while (n-- > 0) {
        print_op(nodes[way[n]].op, &names);
        rename_back(&names, &renamings[nodes[way[n]].renaming]);
    }
    if (trying >= 0)
        print_op((unsigned)trying, &names);
    fflush(stderr);
    _exit(1);
}

static void died(int sig)
{
    violation(sig == SIGSEGV ? "the hypervisor accessed what is no memory" : "the program ended, see above");
}

/* --- States ---------------------------------------------------------------------------------------------------------------- */

static uint8_t *state_at(uint32_t i)
{
    return states + (size_t)i * state_bytes;
}

static uint64_t hash(const uint8_t *b, unsigned len)
{
    uint64_t h = 0x9e3779b97f4a7c15, w = 0;

    for (; len >= 8; len -= 8, b += 8) {
        memcpy(&w, b, 8);
        h = (h ^ w) * 0xff51afd7ed558ccd;
        h ^= h >> 32;
    }
    w = 0;
    memcpy(&w, b, len);
    h = (h ^ w) * 0xff51afd7ed558ccd;
    return h ^ h >> 29;
}

static void visit(const uint8_t *state, unsigned renaming, unsigned op, unsigned depth)
{
    uint64_t full = hash(state, state_bytes);
    uint32_t h = (uint32_t)full & (HASH_SLOTS - 1);

    while (slots[h] != 0) {
        if ((slots[h] ^ full) >> 32 == 0 && memcmp(state_at((uint32_t)slots[h] - 1), state, state_bytes) == 0)
            return;
        h = (h + 1) & (HASH_SLOTS - 1);
    }
    if (nr_states == MAX_STATES) {
        fprintf(stderr, "model %s: more than %u states\n", scope->name, MAX_STATES);
        exit(2);
    }
    memcpy(state_at(nr_states), state, state_bytes);
    nodes[nr_states] = (struct node){ at, (uint16_t)op, (uint8_t)renaming, (uint8_t)depth };
    slots[h] = full >> 32 << 32 | ++nr_states;
}

static void try_all(void)
{
    uint8_t after[STATE_BYTES];
    unsigned renaming, same;

    for (trying = 0; trying < (int)nr_ops; trying++) {
        const char *wrong;
        bool ok;

        state_load(state_at(at));
        ok = op_run(&ops[trying]);
        wrong = world_check();
        if (wrong != NULL)
            violation(wrong);
        nr_refused += !ok;
        same = ok ? 0 : state_same_bytes(state_at(at));
        if (!ok && same < core_bytes)
            violation("a refused call changed something");
        if (same < state_bytes) {
            renaming = state_save(after);
            visit(after, renaming, (unsigned)trying, nodes[at].depth + 1u);
        }
        if (++nr_transitions % AUDIT_EVERY == 0)
            audit();
    }
}

static void try_end(void)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        trying = -1;
        state_load(state_at(at));
        end_domain_and_count();
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        exit(1);
}

/* Of the processor: others may be using it, too. */
static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(const struct scope *s)
{
    uint8_t first[STATE_BYTES];
    double start = seconds();
    unsigned renaming, depth = 0;

    world_make(s);
    ops_make();
    host_tlb_forget();
    memset(slots, 0, HASH_SLOTS * sizeof(*slots));
    nr_states = at = 0;
    nr_transitions = nr_refused = 0;
    renaming = state_save(first);
    visit(first, renaming, 0, 0);
    state_load(first);
    constant_keep();
    for (at = 0; at < nr_states && (s->depth == 0 || nodes[at].depth < s->depth); at++) {
        depth = nodes[at].depth;
        if (s->ends)
            try_end();
        try_all();
    }
    printf("%-12s %6u %6u+%u+%u+%u %7u %9u %11lu %9lu %5u %-6s %7.1f\n", s->name, s->nr_frames, s->places[0], s->places[1],
           s->places[2], s->places[3], nr_ops, nr_states, nr_transitions, nr_refused, depth + 1,
           at == nr_states ? "closed" : "", seconds() - start);
    fflush(stdout);
    at = 0;
    trying = -1;
    state_load(first);
    constant_check();
    audit();
    world_end();
}

int main(int argc, char **argv)
{
    nodes = reserve(MAX_STATES * sizeof(*nodes));
    states = reserve((size_t)MAX_STATES * STATE_BYTES);
    slots = reserve(HASH_SLOTS * sizeof(*slots));
    signal(SIGABRT, died);
    signal(SIGSEGV, died);
    printf("%-12s %6s %12s %7s %9s %11s %9s %5s %6s %7s\n", "scope", "frames", "places L1-4", "calls", "states",
           "transitions", "refused", "depth", "", "seconds");
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
