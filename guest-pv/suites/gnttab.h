/* What the suites about grants and about two domains share: our domain id, our grant table, and
 * one grant operation per call. The table and its free entries are in gnttab.c. */
#ifndef GUEST_GNTTAB_H
#define GUEST_GNTTAB_H

#include <stdbool.h>
#include <stdint.h>
#include <public/grant_table.h>
#include "mm.h"

#define NO_SUCH_DOMAIN ((domid_t)0x7abc)

/* Our domain id, as the status of an event channel tells it. */
domid_t own_domid(void);

/* Version 1, one frame, mapped; NULL when the hypervisor has no grant tables. */
volatile grant_entry_v1_t *gnttab(void);
unsigned gnttab_entries(void);

/* Fills entry ref for `to` (GTF_readonly or 0), and closes it; false while the grant is still in
 * use. */
void grant_offer(grant_ref_t ref, domid_t to, mfn_t mfn, unsigned flags);
bool grant_revoke(grant_ref_t ref);

/* One operation each. The status, or the hypercall's own error. grants_mapped: by these, and not
 * unmapped. */
extern unsigned grants_mapped;
int grant_map(uint64_t host_addr, unsigned flags, domid_t dom, grant_ref_t ref,
              grant_handle_t *handle);
int grant_unmap(uint64_t host_addr, grant_handle_t handle);
#endif
