/* What a tie puts in the place of the fake machine's answers, and what it watches. The linker leads
 * the calls of the hypervisor here (WRAPPED in laws.mk). */
#ifndef HOOKS_H
#define HOOKS_H

#include "support.h"

extern struct hooks {
    uint8_t paddr_bits;
    bool nx;
    uint64_t tsc_hz, cr4_host, cr4_mask, xcr0_mask;

    /* While set, every frame but that of guest's struct is this page; frame: the last one asked
     * for. */
    void *page;
    mfn_t frame;

    /* While set, copies from guest memory have these bytes, copies to it are lost, and words are
     * taken down. */
    const void *guest_bytes;
    uint64_t pushed[16];                    /* words written, by distance from push_base in words */
    uint64_t push_base, push_mask;          /* bit n of the mask: pushed[n] was written */
    bool push_elsewhere;                    /* one was not in that range */
    bool deaf;                      /* nothing is done for a new root or a domain's crash */
    unsigned user_gs;                       /* the last selector of arch_load_user_gs */
} hooks;

extern struct domain *guest;

/* Frame numbers of a table that is all zeros but for what a tie writes there, in place of the
 * machine's. */
#define SPARSE_FRAMES (1u << 20)
void sparse_on(void);
void sparse_off(void);

#endif
