/* Stacks that one thread goes on with in turn: of vCPUs (cpu.c) and of the model's second call
 * (tests/model/preempt.c). swapcontext() asks the kernel for the signal mask, which takes longer
 * than all else here, so only the first change to a stack is by <ucontext.h>; the later ones are
 * longjmp(). Not so under AddressSanitizer, whose longjmp() takes the stack for the thread's own.
 */
#ifndef HOST_FIBER_H
#define HOST_FIBER_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <ucontext.h>

#if defined(__has_feature)
#define HAS_ASAN __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#else
#define HAS_ASAN 0
#endif

struct context {
    ucontext_t start;           /* of makecontext(), unless the stack is the thread's own */
    jmp_buf left_at;
    bool was_left;
};

/* Returns when another change comes back to `from`. */
static inline void context_switch(struct context *from, struct context *to)
{
#if HAS_ASAN
    if (swapcontext(&from->start, &to->start) != 0)
        abort();
#else
    from->was_left = true;
    if (_setjmp(from->left_at) != 0)
        return;
    if (to->was_left)
        _longjmp(to->left_at, 1);
    (void)setcontext(&to->start);
    abort();
#endif
}

#endif
