/* Every sequence of calls, breadth first: each call is made from each state that was found; a
 * new state is kept, with the call that led to it. At a violation the shortest sequence of calls
 * that leads to it is printed. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "model.h"
#include "search.h"
#include "support.h"

#define MAX_STATES (48u << 20)
#define FIRST_SLOTS (1u << 16)
#define AUDIT_EVERY 1000000u        /* transitions; the hypervisor's own recount of everything */

struct node *nodes;
uint32_t nr_states, at;
struct step trying;
uint64_t nr_transitions, nr_refused, nr_waits;
bool succeeded[MAX_CALLS];

static uint8_t *states;             /* state_bytes each */
static uint64_t *slots; /* index of a node + 1, and above it the upper half of its hash; 0: free */
static uint32_t nr_slots;           /* a power of two, more than twice nr_states */

double seconds(void)
{
    struct timespec t;
    struct rusage r;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    getrusage(RUSAGE_CHILDREN, &r);
    return (double)(t.tv_sec + r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)t.tv_nsec / 1e9 +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void *reserve(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    if (p == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    (void)madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}

/* --- The way to a violation ------------------------------------------------------------------- */

static void rename_back(struct renaming *names, const struct renaming *r)
{
    struct renaming old = *names;

    for (unsigned i = 0; i < MAX_FRAMES; i++)
        names->frame[r->frame[i]] = old.frame[i];
    for (unsigned i = 0; i < MAX_PLACES; i++)
        names->place[r->place[i]] = old.place[i];
    for (unsigned i = 0; i < MAX_HANDLES; i++)
        names->handle[r->handle[i]] = old.handle[i];
    for (unsigned i = 0; i < MAX_ACTORS; i++)
        names->cpu[r->cpu[i]] = old.cpu[i];
}

static void print_step(const struct step *s, const struct renaming *names)
{
    static const struct op end[2] = { { .kind = OP_END }, { .kind = OP_END } };
    char text[160];

    if (s->op >= STEP_ENDS)
        op_print(text, sizeof(text), &end[0], s->op - STEP_ENDS, names);
    else
        op_print(text, sizeof(text), &ops[s->op], ops[s->op].actor, names);
    if (s->window == NO_WINDOW) {
        fprintf(stderr, "    %s;\n", text);
        return;
    }
    if (s->window <= STEP_POINT)
        fprintf(stderr, "    %s, and at its point %d\n", text, STEP_POINT - s->window);
    else
        fprintf(stderr, "    %s, and in its window %d\n", text, s->window);
    op_print(text, sizeof(text), &ops[s->inner],
             s->op >= STEP_ENDS || scope->two_cpus ? ops[s->inner].actor : 1, names);
    fprintf(stderr, "        %s;\n", text);
}

_Noreturn void violation(const char *what)
{
    uint32_t way[256];
    unsigned n = 0;
    struct renaming names;

    renaming_none(&names);
    fprintf(stderr, "model %s: violation: %s. The shortest way there:\n", scope->name, what);
    for (uint32_t i = at; i != 0 && n < 256; i = nodes[i].parent)
        way[n++] = i;
    rename_back(&names, &renamings[nodes[0].renaming]);
    while (n-- > 0) {
        print_step(&nodes[way[n]].step, &names);
        rename_back(&names, &renamings[nodes[way[n]].renaming]);
    }
    if (trying.op != STEP_NONE)
        print_step(&trying, &names);
    fflush(stderr);
    _exit(1);
}

static void died(int sig)
{
    violation(sig == SIGSEGV ? "the hypervisor accessed what is no memory"
                             : "the program ended, see above");
}

/* --- States ----------------------------------------------------------------------------------- */

uint8_t *state_at(uint32_t i)
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

static void slots_make(uint32_t nr)
{
    nr_slots = nr;
    slots = calloc(nr, sizeof(*slots));
    if (slots == NULL) {
        fprintf(stderr, "model: no memory\n");
        exit(2);
    }
}

static void slots_double(void)
{
    free(slots);
    slots_make(2 * nr_slots);
    for (uint32_t i = 0; i < nr_states; i++) {
        uint64_t full = hash(state_at(i), state_bytes);
        uint32_t h = (uint32_t)full & (nr_slots - 1);

        while (slots[h] != 0)
            h = (h + 1) & (nr_slots - 1);
        slots[h] = full >> 32 << 32 | (i + 1);
    }
}

void visit(const uint8_t *state, unsigned renaming, const struct step *step, unsigned depth)
{
    uint64_t full = hash(state, state_bytes);
    uint32_t h = (uint32_t)full & (nr_slots - 1);

    while (slots[h] != 0) {
        if ((slots[h] ^ full) >> 32 == 0 &&
            memcmp(state_at((uint32_t)slots[h] - 1), state, state_bytes) == 0)
            return;
        h = (h + 1) & (nr_slots - 1);
    }
    if (nr_states == MAX_STATES) {
        fprintf(stderr, "model %s: more than %u states\n", scope->name, MAX_STATES);
        exit(2);
    }
    memcpy(state_at(nr_states), state, state_bytes);
    nodes[nr_states] = (struct node){ at, *step, (uint8_t)renaming, (uint8_t)depth };
    slots[h] = full >> 32 << 32 | ++nr_states;
    if (nr_states > nr_slots / 2)
        slots_double();
}

/* --- Calls ------------------------------------------------------------------------------------ */

void judge(bool ok)
{
    uint8_t after[STATE_BYTES];
    const char *wrong = world_check(false);
    unsigned same, renaming;

    if (wrong != NULL)
        violation(wrong);
    nr_refused += !ok;
    same = ok ? 0 : state_same_bytes(state_at(at));
    if (!ok && same < core_bytes)
        violation("a refused call changed something");
    if (same < state_bytes) {
        renaming = state_save(after);
        visit(after, renaming, &trying, nodes[at].depth + 1u);
    }
    if (++nr_transitions % AUDIT_EVERY == 0)
        audit();
}

/* Each call of the other vCPU, in each window of this one. In a window after all that the first
 * call does, the second is a call after it; which of the two was refused does not matter there. */
static void try_windows(uint16_t outer, unsigned nr_windows)
{
    bool ok;

    for (int window = 0; window < (int)nr_windows; window++)
        for (uint16_t inner = 0; inner < nr_ops; inner++) {
            if (scope->two_cpus && ops[inner].actor == ops[outer].actor)
                continue;
            trying = (struct step){ outer, inner, (int16_t)window };
            state_load(state_at(at));
            (void)run_in_windows(outer, window, inner, &ok);
            judge(true);
        }
}

static void try_accesses_at(uint16_t outer, int point, enum accesses which)
{
    bool ok;

    for (uint16_t inner = 0; inner < nr_ops; inner++) {
        const struct op *op = &ops[inner];

        if (op->actor != accessor_of(outer) ||
            (op->kind != OP_WRITE && (op->kind != OP_READ || which != ACCESS_ALL)))
            continue;
        trying = (struct step){ outer, inner, (int16_t)(STEP_POINT - point) };
        state_load(state_at(at));
        run_to_point(outer, point, inner, &ok);
        judge(true);
    }
}

/* Accesses of the other CPU, at each point of this call. */
static void try_points(uint16_t outer)
{
    enum accesses which[MAX_POINTS];
    unsigned nr = nr_points();

    for (unsigned point = 0; point < nr; point++)
        which[point] = accesses_at(point);
    for (unsigned point = 0; point < nr; point++)
        if (which[point] != ACCESS_NONE)
            try_accesses_at(outer, (int)point, which[point]);
}

void try_all(void)
{
    for (uint16_t op = 0; op < nr_ops; op++) {
        unsigned nr_windows = 0;
        bool ok;

        if (ended[domain_of_actor(ops[op].actor)])
            continue;
        trying = (struct step){ op, 0, NO_WINDOW };
        state_load(state_at(at));
        if (scope->preempted)
            nr_windows = run_in_windows(op, NO_WINDOW, 0, &ok);
        else if (!scope->two_cpus)
            ok = op_run(&ops[op], ops[op].actor);
        else
            run_to_point(op, NO_POINT, 0, &ok);
        succeeded[op] |= ok;
        judge(ok);
        if (scope->preempted)
            try_windows(op, nr_windows);
        else if (scope->two_cpus)
            try_points(op);
    }
}

void search(void)
{
    uint8_t first[STATE_BYTES];
    struct step none = { STEP_NONE, 0, NO_WINDOW };
    unsigned renaming;

    nr_states = at = 0;
    nr_transitions = nr_refused = nr_waits = 0;
    memset(succeeded, 0, sizeof(succeeded));
    slots_make(FIRST_SLOTS);
    host_tlb_forget();
    renaming = state_save(first);
    MUST(state_bytes <= STATE_BYTES);
    visit(first, renaming, &none, 0);
    state_load(first);
    constant_keep();
    for (at = 0; at < nr_states && (scope->depth == 0 || nodes[at].depth < scope->depth); at++) {
        if (scope->ends && nr_domains == 1)
            try_end_of_all();
        try_all();
    }
}

void search_end(void)
{
    free(slots);
    at = 0;
    trying.op = STEP_NONE;
    state_load(state_at(0));
    constant_check();
    audit();
}

void search_init(void)
{
    nodes = reserve(MAX_STATES * sizeof(*nodes));
    states = reserve((size_t)MAX_STATES * STATE_BYTES);
    signal(SIGABRT, died);
    signal(SIGSEGV, died);
}
