/* Owns physdev_op: the virtual IOPL and the I/O bitmap, which are the vCPU's, and the refusal of everything
 * that is about devices, which no guest has. What the two grant is judged in ioport.c. */
#include "xen/guest_access.h"
#include "xen/domain.h"
#include "xen/hypercalls.h"

#define COMPAT_FIRST 4u         /* of the old interface: unmask notification, which is not served any more */

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

static long physdev_privileged(uint64_t arg)
{
    (void)arg;
    return -EPERM;
}

static long (*const physdev_table[])(uint64_t arg) = {
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
