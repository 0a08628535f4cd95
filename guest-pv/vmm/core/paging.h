/* The walk of the guest's page tables: paging.c. Four levels, pages of 4 KiB and 2 MiB, NX, WP,
 * U/S, accessed and dirty bits (SDM vol. 3, 4.5 to 4.8); no 1 GiB pages, no protection keys. */
#ifndef VMM_CORE_PAGING_H
#define VMM_CORE_PAGING_H

#include "guest-pv/vmm/core/cpu.h"

struct translation {
    uint64_t frame;             /* of the 4 KiB page that linear is in */
    bool writable;              /* at the rights of the walk: a write would be allowed */
    bool dirty;                 /* the leaf entry has D set (after a walk for a write always) */
    bool user, no_execute;
    bool large;
};

/* Linear to physical, at the rights of `how` (access.h); sets A on the way, and D for a write.
 * False: #PF was raised, or #GP(0) for an address that is not canonical. */
bool walk(struct cpu *c, uint64_t linear, unsigned how, struct translation *t);

#endif
