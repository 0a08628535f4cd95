/* Which domain a guest may name, in domid.c. */
#ifndef XEN_DOMID_H
#define XEN_DOMID_H

#include "xen/core/types.h"

/* What names a call knows besides the numbers of other domains. */
enum domid_names {
    NAMES_SELF = 1,             /* DOMID_SELF is the caller */
    NAMES_OWN_NUMBER = 2,       /* so is its own number; without this, it is nobody's */
    /* DOMID_IO and DOMID_XEN are domains, to whose frames no guest has a right */
    NAMES_SYSTEM = 4,
};
/* 0: the caller is meant;  -EPERM: a domain to which it has no right;  -ESRCH: nobody. */
int check_domid(domid_t domid, unsigned names);

#endif
