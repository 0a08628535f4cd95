/* Single page-table entries: mmu_update.c. */
#ifndef XEN_MMU_UPDATE_H
#define XEN_MMU_UPDATE_H

#include <stdint.h>

/* Checks that a hypercall's bitmap of vCPUs can be read: 0 or -EFAULT. */
int check_vcpu_set(uint64_t bitmap);
/* Writes the number of completed requests of an mmu_update or mmuext_op. The guest's pointer may be
 * wrong, which is no error. */
void store_done(uint64_t pdone, unsigned done);

#endif
