/*
 * Kernel threads on the one vCPU: cooperative, or preempted by the timer when asked to. Each has
 * its stack, its newlib state, its innermost try_fault() and its place in user mode.
 */
#ifndef GUEST_THREAD_H
#define GUEST_THREAD_H

#include <stdbool.h>
#include <stdint.h>
#include <reent.h>
#include "layout.h"
#include "mm.h"

struct catcher;                             /* trap.c: try_fault()'s */
struct user_run;                            /* user.c: the innermost user_run() */

enum thread_state { THREAD_READY, THREAD_SLEEPING, THREAD_DONE };

struct thread {
    uint64_t rsp;                           /* saved by thread_switch_stacks() */
    enum thread_state state;
    void (*fn)(void *);
    void *arg;
    const char *name;
    char *stack;
    uint64_t kernel_sp;                     /* stack_switch value while it is in user mode */
    pfn_t user_root;                        /* 0: none */
    struct catcher *catcher;
    struct user_run *user;
    uint64_t switches;
    bool wakeup_kept;
    struct thread *next;                    /* ring of all threads */
    struct _reent reent;
};

extern struct thread *current;

struct thread *thread_create(const char *name, void (*fn)(void *), void *arg);
void thread_join(struct thread *t);         /* waits for its end and frees it */
void thread_yield(void);
void thread_sleep(uint64_t ns);             /* blocks the vCPU if no other thread is ready */
void thread_block(void);  /* until thread_wake(), which may come before */
void thread_wake(struct thread *t);
void thread_preempt(uint64_t slice_ns);     /* 0 = off, the default */

/* trap.c, at the end of an event: switch if the slice is over. */
void thread_irq_exit(void);
void thread_init(void);
_Noreturn void thread_main(void);
void thread_switch_stacks(uint64_t *old_rsp, uint64_t new_rsp);
extern char thread_trampoline[];
#endif
