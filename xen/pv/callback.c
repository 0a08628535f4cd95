/* callback_op, set_callbacks and nmi_op: the guest registers the addresses at which its kernel
 * is entered. They are used by cpu/upcall.c and entry.S. Called by the generated dispatch
 * (common/abi.def). */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/guest_access.h"
#include "xen/cpu/exceptions.h"
#include "xen/pv/hypercalls.h"

static const int8_t callback_of_type[] = {
    [CALLBACKTYPE_event] = CB_EVENT,
    [CALLBACKTYPE_failsafe] = CB_FAILSAFE,
    [CALLBACKTYPE_syscall] = CB_SYSCALL,
    [CALLBACKTYPE_sysenter_deprecated] = -1,
    [CALLBACKTYPE_nmi] = -1,    /* the NMI handler is entry 2 of the trap table */
    [CALLBACKTYPE_sysenter] = CB_SYSENTER,
    [CALLBACKTYPE_syscall32] = CB_SYSCALL32,
};

static void set_callback(struct vcpu *v, enum callback cb, uint64_t address, bool mask_events)
{
    unsigned others = v->cb_masks_events & ~(1u << cb);

    v->callback[cb] = address;
    v->cb_masks_events = (uint8_t)(others | (unsigned)mask_events << cb);
}

static void set_nmi_handler(struct vcpu *v, uint64_t address)
{
    v->traps[TRAP_NMI] = (struct trap_info){
        .vector = TRAP_NMI, .flags = 4, .cs = FLAT_KERNEL_CS64, .address = address };
}

long callback_register(const struct callback_register *op)
{
    if (!is_canonical(op->address))
        return -EINVAL;
    if (op->type == CALLBACKTYPE_nmi) {
        set_nmi_handler(current, op->address);
        return 0;
    }
    if (op->type >= ARRAY_SIZE(callback_of_type) || callback_of_type[op->type] < 0)
        return -ENOSYS;
    set_callback(current, (enum callback)callback_of_type[op->type], op->address,
                 op->flags & CALLBACKF_mask_events);
    return 0;
}

long callback_unregister(const struct callback_unregister *op)
{
    if (op->type == CALLBACKTYPE_nmi) {
        set_nmi_handler(current, 0);
        return 0;
    }
    if (op->type >= ARRAY_SIZE(callback_of_type) || callback_of_type[op->type] < 0)
        return -ENOSYS;
    return -EINVAL;
}

/* The older form of callback_op, in which only the event callback masks events. It never fails:
 * an address that is not valid is ignored, and that callback stays as it was. */
long do_set_callbacks(uint64_t event, uint64_t failsafe, uint64_t syscall)
{
    const uint64_t addresses[] =
        { [CB_EVENT] = event, [CB_FAILSAFE] = failsafe, [CB_SYSCALL] = syscall };

    for (unsigned cb = 0; cb < ARRAY_SIZE(addresses); cb++)
        if (is_canonical(addresses[cb]))
            set_callback(current, (enum callback)cb, addresses[cb], cb == CB_EVENT);
    return 0;
}

long nmi_register_callback(const struct xennmi_callback *op)
{
    if (!is_canonical(op->handler_address))
        return -EINVAL;
    set_nmi_handler(current, op->handler_address);
    return 0;
}

long nmi_unregister_callback(void)
{
    set_nmi_handler(current, 0);
    return 0;
}
