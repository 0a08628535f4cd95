/* What the files of suite "segments" share: reading by FS and GS. */
#ifndef GUEST_SEGMENTS_H
#define GUEST_SEGMENTS_H

#include "hypercall.h"
#include "suite.h"

static inline uint64_t read_fs(uint64_t off)
{
    uint64_t v;

    __asm__ volatile("movq %%fs:(%1), %0" : "=r"(v) : "r"(off));
    return v;
}

static inline uint64_t read_gs(uint64_t off)
{
    uint64_t v;

    __asm__ volatile("movq %%gs:(%1), %0" : "=r"(v) : "r"(off));
    return v;
}

/* FS holds null again, and all bases are 0. */
static inline void bases_reset(void)
{
    __asm__ volatile("movl %k0, %%fs" : : "r"(0) : "memory");
    for (unsigned which = SEGBASE_FS; which <= SEGBASE_GS_KERNEL; which++)
        EXPECT_EQ(xen_set_segment_base(which, 0), 0);
}
#endif
