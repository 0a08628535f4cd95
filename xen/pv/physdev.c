/* physdev_op: sets the vCPU's virtual IOPL and I/O bitmap. cpu/ioport.c checks accesses against the
 * two. What is about interrupts is in pirq.c. Called by the generated dispatch (common/abi.def). */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/guest_access.h"
#include "xen/core/lock.h"
#include "xen/core/pci.h"
#include "xen/pv/domid.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/pagetype.h"

#define COMPAT_FIRST 4u         /* of the old interface: unmask notification */

long physdev_set_iopl(const struct physdev_set_iopl *op)
{
    if (op->iopl > 3)
        return -EINVAL;
    current->iopl = (uint8_t)op->iopl;
    return 0;
}

long physdev_set_iobitmap(const struct physdev_set_iobitmap *op)
{
    if (!guest_range_ok((uint64_t)op->bitmap.p, 65536 / 8) || op->nr_ports > 65536)
        return -EINVAL;
    current->iobmp = (uint64_t)op->bitmap.p;
    current->iobmp_ports = op->nr_ports;
    return 0;
}

/* Registers a page with a bit for each interrupt that needs an end-of-interrupt by hypercall. Only
 * interrupts by pins do; who may have some has to ask PHYSDEVOP_irq_status_query. So nothing is
 * ever written there; the page is only checked. */
long physdev_pirq_eoi_gmfn(const struct physdev_pirq_eoi_gmfn *op)
{
    struct domain *d = current->domain;
    struct frame *f;
    int rc;

    if (pci_owns(d))
        return -ENOSYS;
    spin_lock(&d->mm_lock);
    rc = get_page_and_type(op->gmfn, d, TYPE_WRITABLE, &f);
    if (rc == 0)
        put_page_and_type(f);
    spin_unlock(&d->mm_lock);
    if (rc != 0)
        return -EINVAL;
    if (d->pirq_eoi_given)
        return -EBUSY;
    d->pirq_eoi_given = true;
    return 0;
}

/* The form of interface versions before 3.2.2: command and argument in one structure. */
long do_physdev_op_compat(uint64_t uop)
{
    uint32_t cmd;

    if (copy_from_guest(&cmd, uop, sizeof(cmd)) != 0)
        return -EFAULT;
    if (cmd < COMPAT_FIRST || cmd > PHYSDEVOP_alloc_irq_vector)
        return -EINVAL;
    return do_physdev_op(cmd, uop + offsetof(struct physdev_op, u));
}
