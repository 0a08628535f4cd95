/* vm_assist: behaviour of the ABI that a domain may switch on. What each does is where it is asked for. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/pv/hypercalls.h"

#define VM_ASSISTS (1ull << VMASST_TYPE_4gb_segments | 1ull << VMASST_TYPE_4gb_segments_notify | \
                    1ull << VMASST_TYPE_writable_pagetables | 1ull << VMASST_TYPE_pae_extended_cr3 | \
                    1ull << VMASST_TYPE_architectural_iopl | 1ull << VMASST_TYPE_runstate_update_flag | \
                    1ull << VMASST_TYPE_m2p_strict)

long do_vm_assist(unsigned cmd, unsigned type)
{
    struct domain *d = current->domain;
    uint64_t *assists = &d->vm_assist;
    struct vcpu *v;
    unsigned i;

    if (type >= 64 || !(VM_ASSISTS >> type & 1))
        return -EINVAL;
    if (cmd == VMASST_CMD_enable)
        *assists |= 1ull << type;
    else if (cmd == VMASST_CMD_disable)
        *assists &= ~(1ull << type);
    else
        return -ENOSYS;
    if (type == VMASST_TYPE_architectural_iopl)
        for_each_vcpu(d, v, i)
            v->iret_slow = 1;           /* until do_iret finds that it need not be */
    return 0;
}
