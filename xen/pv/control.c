/* Hypercalls for privileged domains only (domctl, sysctl, platform_op). No domain is privileged
 * here. Each is refused as Xen refuses it to an ordinary domain: errors in the arguments come
 * first, then -EPERM. Hypercalls that are refused whatever their arguments have their errno in
 * common/abi.def. Called by the generated dispatch. */
#include "xen/core/domain_list.h"
#include "xen/core/guest_access.h"
#include "xen/pv/domid.h"
#include "xen/pv/hypercalls.h"

/* All three begin with cmd and interface_version. */
static int check_version(uint64_t uop, void *op, size_t len, uint32_t version)
{
    if (copy_from_guest(op, uop, len) != 0)
        return -EFAULT;
    return ((const uint32_t *)op)[1] == version ? 0 : -EACCES;
}

_Static_assert(offsetof(struct xen_platform_op, interface_version) == 4 &&
               offsetof(struct xen_sysctl, interface_version) == 4 &&
               offsetof(struct xen_domctl, interface_version) == 4, "check_version");

long do_platform_op(uint64_t uop)
{
    struct xen_platform_op op;
    int rc = check_version(uop, &op, sizeof(op), XENPF_INTERFACE_VERSION);

    return rc != 0 ? rc : -EPERM;
}

long do_sysctl(uint64_t uop)
{
    struct xen_sysctl op;
    int rc = check_version(uop, &op, sizeof(op), XEN_SYSCTL_INTERFACE_VERSION);

    return rc != 0 ? rc : -EPERM;
}

/* These commands are not about a domain. All others name one, and DOMID_SELF is not accepted. */
static bool names_no_domain(const struct xen_domctl *op)
{
    return op->cmd == XEN_DOMCTL_createdomain ||
           (op->domain == DOMID_INVALID &&
            (op->cmd == XEN_DOMCTL_test_assign_device || op->cmd == XEN_DOMCTL_vm_event_op));
}

long do_domctl(uint64_t uop)
{
    struct xen_domctl op;
    int rc = check_version(uop, &op, sizeof(op), XEN_DOMCTL_INTERFACE_VERSION);

    if (rc != 0)
        return rc;
    if (!names_no_domain(&op) && check_domid(op.domain, NAMES_OWN_NUMBER) == -ESRCH)
        return -ESRCH;
    return -EPERM;
}
