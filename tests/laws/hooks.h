/* What a comparison sets instead of the fake machine's answers, and what it records. The linker
 * redirects these calls of the hypervisor to hooks.c (WRAPPED in laws.mk). */
#ifndef HOOKS_H
#define HOOKS_H

#include "support.h"

extern struct hooks {
    uint8_t paddr_bits;
    bool nx;
    uint64_t tsc_hz, cr4_host, cr4_mask, xcr0_mask;

    /* If set, this page stands for every frame but that of the guest's struct domain; frame: the
     * last one that was asked for. */
    void *page;
    mfn_t frame;

    /* If set, copies from guest memory give these bytes, copies to it are dropped, and pushed
     * words are recorded. */
    const void *guest_bytes;
    uint64_t pushed[16];                    /* words written, by distance from push_base in words */
    uint64_t push_base, push_mask;          /* bit n of the mask: pushed[n] was written */
    bool push_elsewhere;                    /* a word was pushed outside that range */
    bool deaf;                      /* a new root or a domain's crash has no effect */
    unsigned user_gs;                       /* the last selector of arch_load_user_gs */
} hooks;

extern struct domain *guest;

/* Replaces the machine's frame table by one of zeros, to which a comparison writes. */
#define SPARSE_FRAMES (1u << 20)
void sparse_on(void);
void sparse_off(void);

#endif
