/* A call, with a call of another vCPU of the domain in one of its windows: the places where a
 * long call releases the domain's mm_lock and other vCPUs may run. The budget of work is 0, so
 * that each possible place is a window. The second call runs on a stack of its own to its end,
 * or until it has to wait for the first one; then the first runs to its end, and after that the
 * second. The second call has no windows of its own, so that never more than two calls overlap.
 *
 * The other vCPU runs on the same CPU; or on another, which takes the first one's requests while
 * its own call waits. */
#include <stdlib.h>
#include <string.h>
#include "fiber.h"
#include "model.h"
#include "search.h"
#include "xen/core/sched.h"

#define STACK_BYTES (256u << 10)
#define ENOUGH 4u               /* how often in a row a call may find that it still has to wait */

static enum { NOT_YET, RUNS, WAITS, DONE } second;
static struct context first_context, second_context;
static unsigned windows, waited;
static int wanted_window;
static unsigned first_actor, second_op;
#define MAX_WINDOWS 32u
static uint8_t at_window[MAX_WINDOWS][STATE_BYTES];

void __wrap_vcpu_wait(struct spinlock *l);      /* instead of the scheduler's, see model.mk */

static void check_window(void)
{
    const char *wrong = world_check(true);

    if (wrong != NULL)
        violation(wrong);
}

/* Runs it until it has ended or waits. If there is one CPU its TLB is flushed at each switch. */
static void run_second(void)
{
    second = RUNS;
    switch_to(1 - first_actor);
    context_switch(&first_context, &second_context);
    check_window();
    switch_to(first_actor);
}

static void second_stack(void)
{
    for (;;) {
        (void)op_run(&ops[second_op], 1 - first_actor);
        second = DONE;
        context_switch(&second_context, &first_context);
    }
}

static void window(void)
{
    if (second == RUNS)
        return;
    if (wanted_window == NO_WINDOW) {
        HOST_CHECK(windows < MAX_WINDOWS, "too many windows");
        (void)state_save_as_is(at_window[windows]);
        check_window();
    } else if ((int)windows == wanted_window) {
        run_second();
    }
    windows++;
}

/* The number of windows, without those at the end in which the call has made all its changes and
 * holds no reference: a call there is the same as a call after it. */
static unsigned windows_that_matter(void)
{
    uint8_t end[STATE_BYTES];
    unsigned len = state_save_as_is(end);

    while (windows > 0 && memcmp(at_window[windows - 1], end, len) == 0)
        windows--;
    return windows;
}

void __wrap_vcpu_wait(struct spinlock *l)
{
    spin_unlock(l);
    if (++waited > ENOUGH)
        violation("a call waits for ever");
    if (second == RUNS) {
        second = WAITS;
        nr_waits++;
        context_switch(&second_context, &first_context);
    } else {
        if (second != WAITS)
            violation("a call waits for nobody");
        run_second();
    }
    spin_lock(l);
}

unsigned run_in_windows(unsigned outer, int in_window, unsigned inner, bool *ok)
{
    unsigned budget = work_budget;
    struct cpu *cpu;

    second = NOT_YET;
    windows = waited = 0;
    wanted_window = in_window;
    second_op = inner;
    first_actor = scope->two_cpus ? ops[outer].actor : 0;
    cpu = actors[first_actor]->cpu;
    work_budget = 0;
    cpu->work_left = 0;
    host.on_window = window;
    *ok = op_run(&ops[outer], first_actor);
    while (second == WAITS)
        run_second();
    host.on_window = NULL;
    work_budget = budget;
    cpu->work_left = INT64_MAX / 2;
    for (unsigned i = 0; i < nr_tlbs() && scope->two_cpus; i++)
        cpu_take_interrupts(i);
    return wanted_window == NO_WINDOW ? windows_that_matter() : windows;
}

void windows_init(void)
{
    void *stack = malloc(STACK_BYTES);

    HOST_CHECK(stack != NULL && getcontext(&second_context.start) == 0, "no stack");
    second_context.start.uc_stack.ss_sp = stack;
    second_context.start.uc_stack.ss_size = STACK_BYTES;
    makecontext(&second_context.start, second_stack, 0);
}
