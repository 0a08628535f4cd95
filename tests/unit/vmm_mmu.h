/* What shadow tables are made of, faked for tests: a struct shadow_host that keeps the tables in
 * memory, counts their types as the hypervisor does and fails the test where the hypervisor would
 * refuse, and an MMU that walks them. */
#ifndef TEST_VMM_MMU_H
#define TEST_VMM_MMU_H

#include "guest-pv/vmm/direct/shadow.h"

#define VMM_MMU_TABLES 64u              /* at most */
#define VMM_MMU_REGION 600u             /* pages of the vmm's own (shadow_map_region()), at most */

extern const struct shadow_host vmm_mmu;
extern unsigned vmm_mmu_refuses;        /* n: the host refuses its n-th call from now on; 0: none */
extern unsigned vmm_mmu_cleared;        /* calls of clear() */
extern const char *vmm_mmu_wrong;       /* what the hypervisor would have refused first, or NULL */

struct vmm_leaf {
    uint64_t linear, frame;
    bool writable, executable;
};

/* All tables are forgotten; the guest's frames are those of c. */
void vmm_mmu_init(struct cpu *c, unsigned nr_tables);
/* What is at a linear address by the loaded root; false: nothing. */
bool vmm_mmu_resolve(uint64_t linear, struct vmm_leaf *leaf);
/* And an access is allowed there; how: of access.h. */
bool vmm_mmu_lets(uint64_t linear, unsigned how, struct vmm_leaf *leaf);
/* Calls f for the pages that the loaded root maps, max_pages of them at most, starting at a slot of
 * level 4. The number of them. */
unsigned vmm_mmu_each(unsigned first_slot, unsigned max_pages, void (*f)(const struct vmm_leaf *));
/* In all tables that are valid: NULL, or what is wrong. */
const char *vmm_mmu_check(void);

#endif
