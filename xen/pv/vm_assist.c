/* vm_assist: options of the ABI that a domain may switch on. Each is implemented where
 * d->vm_assist is tested. Called by the generated dispatch (common/abi.def). */
#include "arch/arch.h"
#include "common/atomic.h"
#include "xen/core/domain.h"
#include "xen/pv/hypercalls.h"

#define ASSIST(name) (1ull << VMASST_TYPE_##name)
#define VM_ASSISTS (ASSIST(4gb_segments) | ASSIST(4gb_segments_notify) |                        \
                    ASSIST(writable_pagetables) | ASSIST(pae_extended_cr3) |                    \
                    ASSIST(architectural_iopl) | ASSIST(runstate_update_flag) |                 \
                    ASSIST(m2p_strict))

long do_vm_assist(unsigned cmd, unsigned type)
{
    struct domain *d = current->domain;
    uint64_t *assists = &d->vm_assist;
    struct vcpu *v;
    unsigned i;

    if (type >= 64 || !(VM_ASSISTS >> type & 1))
        return -EINVAL;
    if (cmd == VMASST_CMD_enable)
        locked_or(assists, 1ull << type);
    else if (cmd == VMASST_CMD_disable)
        locked_and(assists, ~(1ull << type));
    else
        return -ENOSYS;
    if (type == VMASST_TYPE_architectural_iopl) {
        for_each_vcpu(d, v, i) {
            WRITE_ONCE(v->iopl_in_frames, cmd == VMASST_CMD_enable);
            WRITE_ONCE(v->iret_slow, 1);        /* until do_iret finds that it need not be */
        }
    }
    return 0;
}
