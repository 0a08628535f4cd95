/* Which domain a guest may name in a hypercall: only itself. Domain 0 exists for every guest, so
 * naming it gives -EPERM and not -ESRCH. The other end of an event channel or a grant is named
 * by other rules, in evtchn_op.c and grant_map.c. Called by the handlers of hypercalls. */
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
