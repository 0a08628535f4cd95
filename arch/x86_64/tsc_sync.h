/* Comparing the TSCs of two CPUs. */
#ifndef ARCH_X86_TSC_SYNC_H
#define ARCH_X86_TSC_SYNC_H

#include "common/compiler.h"

struct tsc_sync {
    uint32_t question;          /* written by the one that asks; ~0: the last */
    uint64_t adjust;            /* with the last: to be added to TSC_ADJUST, if not 0 */
    uint64_t patience;          /* ticks */
    uint64_t skew;              /* added to what the other reads: a fault for the tests */
    uint32_t answer __attribute__((aligned(64)));       /* written by the other one */
    uint64_t tsc;
};

/* On the CPU that boots: by how many ticks the other's TSC is ahead of this one's; 0: the
 * difference is too small to be measured. The other one must run tsc_sync_answer. False, as that of
 * tsc_sync_end: it has not answered for s->patience. */
bool tsc_sync_measure(struct tsc_sync *s, int64_t *ahead);
/* Ends the comparison on the other CPU, which corrects its TSC if there is something to adjust. */
bool tsc_sync_end(struct tsc_sync *s, uint64_t adjust);
/* Lets the other CPU go if it is still there. Does not wait. */
void tsc_sync_give_up(struct tsc_sync *s);
void tsc_sync_answer(struct tsc_sync *s);

#endif
