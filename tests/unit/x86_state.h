/* A register state for tests of common/x86: the words in the order of their numbers. */
#ifndef TEST_X86_STATE_H
#define TEST_X86_STATE_H

#include "common/x86/regs.h"

struct x86_state {
    uint64_t words[18];         /* RAX to R15, RIP, RFLAGS */
};

static inline struct x86_regs regs_of(struct x86_state *s)
{
    static const uint8_t places[18] = {
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
    };

    return (struct x86_regs){ s->words, places };
}

#endif
