/* What the tests of suite "grants" share: a page that they grant to this domain, and where they map
 * it. The state and the functions are in grants.c. */
#ifndef GUEST_GRANTS_H
#define GUEST_GRANTS_H

#include "gnttab.h"

#define UNMAPPED ((void *)0xffffff0000001000ul)

extern struct own_grant {
    domid_t self;
    grant_ref_t ref;
    pfn_t pfn;                          /* of the page that is granted */
    volatile uint64_t *page;            /* where it is mapped as our own */
    volatile uint64_t *window;          /* where the grant gets mapped */
} own;

/* A new page, a closed entry, and a window with page tables and no mapping. Ends the test if there
 * are no grant tables. */
void grant_begin(void);
/* Expects the grant to be out of use and the window to be unmapped. */
void grant_end(void);
/* GTF_reading and GTF_writing of the entry. */
unsigned grant_use(void);
/* Grants the page to this domain, and maps it: grant_offer() and grant_map(). */
void offer_own(unsigned flags);
int map_own(uint64_t host_addr, unsigned flags, grant_handle_t *handle);
#endif
