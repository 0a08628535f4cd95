/* Which domain a guest may name in a hypercall: domid.c. */
#ifndef XEN_DOMID_H
#define XEN_DOMID_H

#include "xen/core/types.h"

/* Which names a hypercall accepts besides the numbers of other domains. */
enum domid_names {
    NAMES_SELF = 1,             /* DOMID_SELF is the caller */
    /* The caller's own number is the caller, too; without this flag it names no domain. */
    NAMES_OWN_NUMBER = 2,
    /* DOMID_IO and DOMID_XEN exist, but no guest has a right to their frames */
    NAMES_SYSTEM = 4,
};
/* 0: the caller itself. -EPERM: a domain to which it has no right. -ESRCH: no such domain. */
int check_domid(domid_t domid, unsigned names);

#endif
