/* Version 2 of this domain's grant table: its entries, and one function for each operation. The
 * functions are in gnttab_v2.c; gnttab.h has the table and version 1. */
#ifndef GUEST_GNTTAB_V2_H
#define GUEST_GNTTAB_V2_H

#include "gnttab.h"

volatile union grant_entry_v2 *v2_entry(grant_ref_t ref);
/* The hypercall's result; *in_force is the version afterwards. */
long v2_set_version(uint32_t version, uint32_t *in_force);
/* The status, or the hypercall's own error. */
int v2_status_frames(domid_t dom, unsigned nr, xen_pfn_t *frames);

/* Each fills an entry: for a whole page, for a part of one, for another domain's grant. */
void v2_offer(grant_ref_t ref, domid_t to, uint64_t frame, unsigned flags);
void v2_offer_part(grant_ref_t ref, domid_t to, uint64_t frame, unsigned off, unsigned length,
                   unsigned flags);
void v2_offer_transitive(grant_ref_t ref, domid_t to, domid_t via, grant_ref_t gref);
#endif
