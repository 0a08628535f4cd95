/* Failures of the hypervisor itself: panic, BUG_ON, ASSERT. No value that a guest controls may make
 * one of them fail: a wrong request gets an errno, and a guest that cannot go on is ended by
 * domain_crash (domain.h). */
#ifndef XEN_BUG_H
#define XEN_BUG_H

#include "common/compiler.h"

_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* panic in two steps, for callers that print more than a reason (registers). After panic_begin,
 * lines are printed whatever the log levels are and without taking the console's lock. panic_begin
 * returns true for the first panic: print everything. It returns false when this panic happened
 * while the first was being printed: print the reason only. The third call does not return: the
 * machine halts. whole: what panic_begin returned. */
bool panic_begin(void);
_Noreturn void panic_end(bool whole, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
extern unsigned panic_depth;            /* how often panic_begin was called */

#define BUG_ON(cond)                                                            \
    do {                                                                        \
        if (unlikely(cond))                                                     \
            panic("BUG at %s:%d: %s", __FILE__, __LINE__, #cond);               \
    } while (0)

/* Checked in debug builds only (make DEBUG=1 and the host tests). */
#ifdef DEBUG
#define ASSERT(cond) BUG_ON(!(cond))
#else
#define ASSERT(cond) ((void)sizeof(cond))
#endif

#endif
