/* We are wrong: panic. No value that a guest controls may reach BUG_ON. */
#ifndef XEN_BUG_H
#define XEN_BUG_H

#include "common/compiler.h"

_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same in two steps, for who has more to show than a reason. From panic_begin on, lines go out whatever the levels are
 * and whoever holds a lock. True: show everything. False: this failure came while the first was being shown, so nothing
 * but the reason is safe. At the third, panic_begin does not return: the machine halts. */
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
