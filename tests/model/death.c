/* Domains end. That cannot be taken back, so that it happens in processes of their own.
 *   - With one domain: from each state, it ends, and every frame must come back.
 *   - With two: from each state in which one has a handle, each of them ends. Where the other has
 *     frames of the one that ended mapped, these stay, and so does what is left of that one: such
 *     states are looked at like others, in a process whose world is without it; and from the first
 *     of them the other ends, too, or what is left is reaped. Where nothing is left, the other
 *     makes each of its calls once, in a row, and ends.
 *   - With scope->end_windows, the other makes a call while the first one is ending, in each window
 *     in which something has changed for the frames of the model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "model.h"
#include "search.h"
#include "support.h"
#include "xen/core/sched.h"
#include "xen/pv/grant.h"

#define MAX_WINDOWS 16u
#define LAST_ENDS 2u /* calls after the first end, from whose states the other ends, too */

/* What a process tells its parent. */
static struct {
    uint8_t state[STATE_BYTES];
    uint8_t renaming;
    bool gone;
    unsigned nr_windows;
    int window[MAX_WINDOWS];
} *shared;

/* True in the new process; in the old one, whether the new one succeeded. */
static bool in_a_process(void)
{
    pid_t child;
    int status;

    fflush(stdout);
    child = fork();
    if (child == 0)
        return true;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        exit(1);
    return false;
}

/* --- While a domain ends ---------------------------------------------------------------------- */

struct signature {
    uint64_t word[MAX_FRAMES];
    uint32_t linear[MAX_FRAMES], owner[MAX_FRAMES], pins[2];
};
static struct signature before;
static int windows, wanted_window;
static unsigned survivor, survivors_op;

static struct signature sign(void)
{
    struct signature s;

    memset(&s, 0, sizeof(s));
    for (unsigned i = 0; i < scope->nr_frames; i++) {
        const struct frame *f = mfn_to_frame(model_mfn[i]);

        s.word[i] = f->word;
        s.linear[i] = f->linear;
        s.owner[i] = f->owner;
    }
    for (unsigned d = 0; d < 2; d++)
        s.pins[d] = domains[d]->grant->nr_pins;
    return s;
}

static void survivor_runs(void)
{
    struct vcpu *idle = current, *left;
    bool resched = cpus[0]->idle->blocked;

    cpus[0]->idle->blocked = false;
    switch_to(survivor);
    (void)op_run(&ops[survivors_op], survivor);
    left = current;
    current = cpus[0]->running = idle;
    left->on_cpu = NULL;
    idle->on_cpu = cpus[0];
    host_load_root(idle);
    cpus[0]->idle->blocked = resched;
}

static void window(void)
{
    struct signature now;

    if (current != cpus[0]->idle || domains[1 - survivor]->state != DOM_DYING)
        return;
    now = sign();
    if (wanted_window == NO_WINDOW && memcmp(&now, &before, sizeof(now)) != 0) {
        HOST_CHECK(shared->nr_windows < MAX_WINDOWS, "too many windows");
        shared->window[shared->nr_windows++] = windows;
        before = now;
    }
    if (windows++ == wanted_window)
        survivor_runs();
}

/* Returns whether nothing is left of it. */
static bool end_in_windows(unsigned d, int in_window, unsigned inner)
{
    bool gone;

    survivor = 1 - d;
    survivors_op = inner;
    wanted_window = in_window;
    windows = 0;
    shared->nr_windows = 0;
    before = sign();
    if (scope->end_windows) {
        work_budget = 0;
        cpus[0]->work_left = 0;
        host.on_window = window;
    }
    gone = end_domain(d);
    host.on_window = NULL;
    work_budget = 1u << 30;
    cpus[0]->work_left = INT64_MAX / 2;
    return gone;
}

/* --- Afterwards ------------------------------------------------------------------------------- */

/* The other domain ends last, after all calls that it may still make. */
static void go_on_alone(unsigned d)
{
    const struct grant_table *gt = domains[d]->grant;

    for (unsigned h = 0; h < scope->second.handles[d]; h++)
        if (gt->maptrack[0][h].flags != 0)
            violation("a handle for a grant of a domain that is gone");
    for (unsigned i = 0; i < scope->second.refs[d]; i++)
        if (gt->pins[0][8 + i].readers | gt->pins[0][8 + i].writers)
            violation("a grant that a domain uses that is gone");
    audit();
    for (unsigned i = 0; i < nr_ops; i++)
        if (ops[i].actor == d)
            (void)op_run(&ops[i], d);
    audit();
    end_domains_and_count();
}

static void try_end_of(unsigned d, int in_window, unsigned inner)
{
    const char *wrong;

    trying = (struct step){ (uint16_t)(STEP_ENDS + d), (uint16_t)inner, (int16_t)in_window };
    if (in_a_process()) {
        state_load(state_at(at));
        shared->gone = end_in_windows(d, in_window, inner);
        if (shared->gone) {
            go_on_alone(1 - d);
            _exit(0);
        }
        wrong = world_check(false);
        if (wrong != NULL)
            violation(wrong);
        shared->renaming = (uint8_t)state_save(shared->state);
        _exit(0);
    }
    nr_transitions++;
    if (!shared->gone)
        visit(shared->state, shared->renaming, &trying, 0);
}

/* While a domain ends there is free memory besides the model's frames. */
static bool takes_memory(const struct op *op)
{
    return op->kind == OP_INCREASE || op->kind == OP_EXCHANGE || op->kind == OP_HV_TAKES;
}

static void try_ends(void)
{
    for (unsigned d = 0; d < 2; d++) {
        int in_window[MAX_WINDOWS];
        unsigned nr;

        try_end_of(d, NO_WINDOW, 0);
        nr = shared->nr_windows;
        memcpy(in_window, shared->window, sizeof(in_window));
        for (unsigned w = 0; w < nr; w++)
            for (unsigned i = 0; i < nr_ops; i++)
                if (ops[i].actor == 1 - d && !takes_memory(&ops[i]))
                    try_end_of(d, in_window[w], i);
    }
}

/* What is left of d is freed when the last mapping of one of its frames is removed, or when the
 * other domain ends. */
static void try_last_end(unsigned d)
{
    trying.op = STEP_NONE;
    if (!in_a_process())
        return;
    state_load(state_at(at));
    if (domains[d]->nr_frames != 0) {
        end_domains_and_count();
        _exit(0);
    }
    if (!reap_domain(d))
        violation("a domain that has ended and has no frame any more is still there");
    go_on_alone(1 - d);
    _exit(0);
}

/* A world without d, made from a state in which something of d was left at its end; then the
 * states of that world. */
static void search_without(unsigned d, uint32_t first)
{
    uint32_t i = first;
    unsigned depth = 0;
    uint64_t before_it = nr_transitions;
    double start;
    uint32_t mine = 0;

    while (i < nr_states &&
           (state_left_of(state_at(i), d) == 0 || nodes[i].step.window != NO_WINDOW))
        i++;
    if (i == nr_states || !in_a_process())
        return;
    start = seconds();
    at = nodes[i].parent;
    state_load(state_at(at));
    HOST_CHECK(!end_domain(d), "no world without domain %u", d + 1);
    for (at = first;
         at < nr_states && (scope->after_end == 0 || nodes[at].depth < scope->after_end); at++) {
        if (!state_is_without(state_at(at), d))
            continue;
        mine++;
        depth = nodes[at].depth;
        try_all();
        if (nodes[at].depth < LAST_ENDS)
            try_last_end(d);
    }
    print_more(d == 0 ? "  without d1" : "  without d2", mine, nr_transitions - before_it,
               depth + 1, at == nr_states, start);
    _exit(0);
}

void search_deaths(void)
{
    uint32_t nr = nr_states, tried = 0;
    uint64_t before_it = nr_transitions;
    double start = seconds();

    for (at = 0; at < nr; at++) {
        state_load(state_at(at));
        if ((domains[0]->grant->nr_pins | domains[1]->grant->nr_pins) == 0)
            continue;
        tried++;
        try_ends();
    }
    print_more("  ends", tried, nr_transitions - before_it, 1, false, start);
    for (unsigned d = 0; d < 2; d++)
        search_without(d, nr);
}

void try_end_of_all(void)
{
    trying.op = STEP_NONE;
    if (in_a_process()) {
        state_load(state_at(at));
        end_domains_and_count();
        _exit(0);
    }
}

void deaths_init(void)
{
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    HOST_CHECK(shared != MAP_FAILED, "no memory");
}
