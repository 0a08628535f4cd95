/* Physdev_op: the virtual IOPL and the I/O bitmap, which are the vCPU's, and the refusal of everything
 * that is about devices, which no guest has. What the two grant is judged in ioport.c.
 *
 * A guest may ask about interrupts all the same: there are numbers for them, and none of them is bound. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/guest_access.h"
#include "xen/core/lock.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/pagetype.h"

#define COMPAT_FIRST 4u         /* of the old interface: unmask notification */
#define NR_PIRQS 56             /* what Xen gives a domain without devices: the pins of one I/O APIC, and 32 */

static long physdev_set_iopl(uint64_t arg)
{
    struct physdev_set_iopl op;

    if (copy_from_guest(&op, arg, sizeof(op)) != 0)
        return -EFAULT;
    if (op.iopl > 3)
        return -EINVAL;
    current->iopl = (uint8_t)op.iopl;
    return 0;
}

static long physdev_set_iobitmap(uint64_t arg)
{
    struct physdev_set_iobitmap op;

    if (copy_from_guest(&op, arg, sizeof(op)) != 0)
        return -EFAULT;
    if (!guest_range_ok((uint64_t)op.bitmap.p, 65536 / 8) || op.nr_ports > 65536)
        return -EINVAL;
    current->iobmp = (uint64_t)op.bitmap.p;
    current->iobmp_ports = op.nr_ports;
    return 0;
}

static long physdev_unmask_notify(uint64_t arg)
{
    (void)arg;
    return 0;
}

/* Nothing is bound to any. */
static long physdev_eoi(uint64_t arg)
{
    struct physdev_eoi op;

    return copy_from_guest(&op, arg, sizeof(op)) != 0 ? -EFAULT : -EINVAL;
}

static long physdev_irq_status_query(uint64_t arg)
{
    struct physdev_irq_status_query op;

    if (copy_from_guest(&op, arg, sizeof(op)) != 0)
        return -EFAULT;
    if (op.irq >= NR_PIRQS)
        return -EINVAL;
    op.flags = XENIRQSTAT_needs_eoi;
    return copy_to_guest(arg, &op, sizeof(op));
}

/* A page with a bit for each interrupt that needs an end-of-interrupt by hypercall: none ever does, so nothing is written
 * there, and the page is looked at now only. */
static long physdev_pirq_eoi_gmfn(uint64_t arg)
{
    struct domain *d = current->domain;
    struct physdev_pirq_eoi_gmfn op;
    struct frame *f;
    int rc;

    if (copy_from_guest(&op, arg, sizeof(op)) != 0)
        return -EFAULT;
    spin_lock(&d->mm_lock);
    rc = get_page_and_type(op.gmfn, d, TYPE_WRITABLE, &f);
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

/* Interrupts are given by a domain with privileges over the one that gets them. */
static long refuse_pirq_of(domid_t domid)
{
    return domain_lookup(domid) != NULL || domain_exists(domid) ? -EPERM : -ESRCH;
}

static long physdev_map_pirq(uint64_t arg)
{
    struct physdev_map_pirq op;

    return copy_from_guest(&op, arg, sizeof(op)) != 0 ? -EFAULT : refuse_pirq_of(op.domid);
}

static long physdev_unmap_pirq(uint64_t arg)
{
    struct physdev_unmap_pirq op;

    return copy_from_guest(&op, arg, sizeof(op)) != 0 ? -EFAULT : refuse_pirq_of(op.domid);
}

static long physdev_privileged(uint64_t arg)
{
    (void)arg;
    return -EPERM;
}

static long (*const physdev_table[])(uint64_t arg) = {
    [PHYSDEVOP_IRQ_UNMASK_NOTIFY] = physdev_unmask_notify,
    [PHYSDEVOP_irq_status_query] = physdev_irq_status_query,
    [PHYSDEVOP_eoi] = physdev_eoi,
    [PHYSDEVOP_map_pirq] = physdev_map_pirq,
    [PHYSDEVOP_unmap_pirq] = physdev_unmap_pirq,
    [PHYSDEVOP_pirq_eoi_gmfn_v1] = physdev_pirq_eoi_gmfn,
    [PHYSDEVOP_pirq_eoi_gmfn_v2] = physdev_pirq_eoi_gmfn,
    [PHYSDEVOP_set_iopl] = physdev_set_iopl,
    [PHYSDEVOP_set_iobitmap] = physdev_set_iobitmap,
    [PHYSDEVOP_apic_read] = physdev_privileged,
    [PHYSDEVOP_apic_write] = physdev_privileged,
    [PHYSDEVOP_manage_pci_add] = physdev_privileged,
    [PHYSDEVOP_manage_pci_remove] = physdev_privileged,
    [PHYSDEVOP_manage_pci_add_ext] = physdev_privileged,
    [PHYSDEVOP_restore_msi] = physdev_privileged,
    [PHYSDEVOP_restore_msi_ext] = physdev_privileged,
    [PHYSDEVOP_setup_gsi] = physdev_privileged,
    [PHYSDEVOP_pci_mmcfg_reserved] = physdev_privileged,
    [PHYSDEVOP_pci_device_add] = physdev_privileged,
    [PHYSDEVOP_pci_device_remove] = physdev_privileged,
    [PHYSDEVOP_prepare_msix] = physdev_privileged,
    [PHYSDEVOP_release_msix] = physdev_privileged,
    [PHYSDEVOP_dbgp_op] = physdev_privileged,
};

long do_physdev_op(int cmd, uint64_t arg)
{
    if ((unsigned)cmd >= ARRAY_SIZE(physdev_table) || physdev_table[cmd] == NULL)
        return -ENOSYS;
    return physdev_table[cmd](arg);
}

/* The form of interface versions before 3.2.2: command and argument in one structure. */
long do_physdev_op_compat(uint64_t uop)
{
    uint32_t cmd;

    if (copy_from_guest(&cmd, uop, sizeof(cmd)) != 0)
        return -EFAULT;
    if (cmd < COMPAT_FIRST || cmd > PHYSDEVOP_alloc_irq_vector)
        return -EINVAL;
    return do_physdev_op((int)cmd, uop + offsetof(struct physdev_op, u));
}
