/* We are wrong: panic. No value that a guest controls may reach BUG_ON. */
#ifndef XEN_BUG_H
#define XEN_BUG_H

#include "common/compiler.h"

_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

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
