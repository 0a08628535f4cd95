/* The one rule about which domain a guest may name in a call that is about a domain: itself.
 * Domain 0 exists for every guest, and none has a right to it. The two ends of event channels
 * and grants name each other by other rules, which are evtchn_op.c's and grant_map.c's. Called
 * by the handlers of hypercalls. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/pv/domid.h"

int check_domid(domid_t domid, unsigned names)
{
    if (domid == DOMID_SELF && (names & NAMES_SELF))
        return 0;
    if (domid == current->domain->id)
        return names & NAMES_OWN_NUMBER ? 0 : -ESRCH;
    if ((names & NAMES_SYSTEM) && (domid == DOMID_IO || domid == DOMID_XEN))
        return -EPERM;
    return domain_exists(domid) ? -EPERM : -ESRCH;
}
