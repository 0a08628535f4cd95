/* Hypercalls that read or write one register of the calling vCPU: CR0.TS, debug registers,
 * segment bases, the kernel's stack. Called by the generated dispatch (common/abi.def). */
#include "arch/arch.h"
#include "xen/cpu/control_regs.h"
#include "xen/cpu/debugreg.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/hypercalls.h"

long do_fpu_taskswitch(unsigned set)
{
    guest_set_ts(current, set != 0);
    return 0;
}

long do_set_debugreg(unsigned reg, uint64_t value)
{
    return guest_set_debugreg(current, reg, value);
}

long do_get_debugreg(unsigned reg)
{
    uint64_t value;

    return guest_get_debugreg(current, reg, &value) == 0 ? (long)value : -ENODEV;
}

/* A base that is not canonical would fault in the hypervisor, so it is refused. A bad selector
 * is not an error: the ABI promises that this cannot fail, and null is loaded. */
long do_set_segment_base(unsigned which, uint64_t base)
{
    static const enum arch_base bases[] = {
        [SEGBASE_FS] = BASE_FS,
        [SEGBASE_GS_USER] = BASE_GS_USER,
        [SEGBASE_GS_KERNEL] = BASE_GS_KERNEL,
    };

    if (which == SEGBASE_GS_USER_SEL) {
        unsigned selector = (uint16_t)base;

        /* RPL 3, except for null selectors */
        arch_load_user_gs(selector > 3 ? selector | 3 : selector);
        return 0;
    }
    if (which >= ARRAY_SIZE(bases) || !is_canonical(base))
        return -EINVAL;
    arch_set_base(bases[which], base);
    return 0;
}

/* ss:sp for entries from user mode. In 64-bit mode ss is not used: the kernel is entered with
 * the flat one. */
long do_stack_switch(uint64_t ss, uint64_t sp)
{
    (void)ss;
    set_kernel_stack(current, sp);
    return 0;
}
