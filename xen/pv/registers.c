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

_Static_assert((unsigned)BASE_FS == SEGBASE_FS && (unsigned)BASE_GS_USER == SEGBASE_GS_USER &&
               (unsigned)BASE_GS_KERNEL == SEGBASE_GS_KERNEL && SEGBASE_GS_USER_SEL == 3,
               "do_set_segment_base() takes one for the other");

static __attribute__((noinline)) long set_user_gs(uint64_t selector)
{
    selector = (uint16_t)selector;
    /* RPL 3, except for null selectors */
    arch_load_user_gs((unsigned)(selector > 3 ? selector | 3 : selector));
    return 0;
}

/* A base that is not canonical would fault in the hypervisor, so it is refused. A bad selector
 * is not an error: the ABI promises that this cannot fail, and null is loaded. */
long do_set_segment_base(unsigned which, uint64_t base)
{
    if (which == SEGBASE_GS_USER_SEL)
        return set_user_gs(base);
    if (which > SEGBASE_GS_USER_SEL || !is_canonical(base))
        return -EINVAL;
    arch_set_base((enum arch_base)which, base);
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
