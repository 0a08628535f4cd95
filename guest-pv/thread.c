/* Kernel threads: a ring of them, round robin, switched on request or at the end of an event when
 * the time slice is over. A switch changes, besides the stack: newlib's state, the stack for
 * entries from user mode, and the user page-table root. Called by the suites and by store/main.c;
 * the switch itself is in entry.S. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "event.h"
#include "hypercall.h"
#include "thread.h"
#include "trap.h"
#include "user.h"

static struct thread boot_thread = { .name = "main", .next = &boot_thread };
struct thread *current = &boot_thread;
static uint64_t slice_ns;
static struct timer slice_timer;
static bool slice_over;

void thread_init(void)
{
    _REENT_INIT_PTR(&boot_thread.reent);
    _impure_ptr = &boot_thread.reent;
}

static struct thread *next_ready(void)
{
    struct thread *t = current->next;

    while (t->state != THREAD_READY && t != current)
        t = t->next;
    return t->state == THREAD_READY ? t : NULL;
}

/* Events stay masked from the choice of the next thread to the switch of stacks. */
static void switch_to(struct thread *t)
{
    struct thread *old = current;

    if (t == old)
        return;
    if (t->user_root != old->user_root)
        set_user_root_raw(t->user_root);
    if (t->kernel_sp)
        xen_stack_switch(FLAT_KERNEL_SS, t->kernel_sp);
    current = t;
    t->switches++;
    _impure_ptr = &t->reent;
    thread_switch_stacks(&old->rsp, t->rsp);
}

/* Switches to the next thread that can run; without one, blocks in the hypervisor until an event
 * wakes a thread. */
static void schedule(void)
{
    struct thread *t;

    while (!(t = next_ready())) {
        /* Unmasks events; an event that came before ends the block at once. */
        xen_sched_op(SCHEDOP_block, NULL);
        events_off();
    }
    switch_to(t);
}

void thread_yield(void)
{
    bool masked = events_save_off();

    schedule();
    events_restore(masked);
}

_Noreturn void thread_main(void)
{
    events_on();
    current->fn(current->arg);
    events_off();
    current->state = THREAD_DONE;
    schedule();
    panic("a finished thread ran");
}

struct thread *thread_create(const char *name, void (*fn)(void *), void *arg)
{
    struct thread *t = calloc(1, sizeof(*t));
    bool masked;

    if (!t || !(t->stack = memalign(16, STACK_SIZE)))
        panic("no memory for thread %s", name);
    _REENT_INIT_PTR(&t->reent);
    t->name = name, t->fn = fn, t->arg = arg;
    t->user_root = user_root();
    uint64_t *sp = (uint64_t *)(t->stack + STACK_SIZE) - 2;
    *--sp = (uint64_t)thread_trampoline;
    for (unsigned i = 0; i < 6; i++)            /* the registers that thread_switch_stacks() pops */
        *--sp = 0;
    t->rsp = (uint64_t)sp;
    masked = events_save_off();
    t->next = current->next;
    current->next = t;
    events_restore(masked);
    return t;
}

void thread_join(struct thread *t)
{
    struct thread *prev = t;
    bool masked;

    while (*(volatile enum thread_state *)&t->state != THREAD_DONE)
        thread_yield();
    masked = events_save_off();
    while (prev->next != t)
        prev = prev->next;
    prev->next = t->next;
    events_restore(masked);
    _reclaim_reent(&t->reent);
    free(t->stack);
    free(t);
}

static void wake(void *arg)
{
    thread_wake(arg);
}

void thread_wake(struct thread *t)
{
    bool masked = events_save_off();

    if (t->state == THREAD_SLEEPING)
        t->state = THREAD_READY;
    else
        t->wakeup_kept = true;
    events_restore(masked);
}

void thread_block(void)
{
    bool masked = events_save_off();

    if (!current->wakeup_kept) {
        current->state = THREAD_SLEEPING;
        schedule();
    }
    current->wakeup_kept = false;
    events_restore(masked);
}

void thread_sleep(uint64_t ns)
{
    struct timer t = { 0 };
    bool masked = events_save_off();

    timer_start(&t, clock_ns() + ns, wake, current);
    while (t.queued) {                          /* not just any wake-up: this timer's */
        current->state = THREAD_SLEEPING;
        schedule();
    }
    events_restore(masked);
}

static void slice_end(void *arg)
{
    (void)arg;
    slice_over = true;
    timer_start(&slice_timer, clock_ns() + slice_ns, slice_end, NULL);
}

void thread_preempt(uint64_t ns)
{
    slice_ns = ns;
    slice_over = false;
    if (ns)
        timer_start(&slice_timer, clock_ns() + ns, slice_end, NULL);
    else
        timer_cancel(&slice_timer);
}

void thread_irq_exit(void)
{
    struct thread *t;

    if (!slice_over)
        return;
    slice_over = false;
    t = next_ready();
    if (t && current->state == THREAD_READY)   /* a thread about to sleep calls schedule() itself */
        switch_to(t);
}
