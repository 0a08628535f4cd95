/*
 * One typed wrapper for each hypercall a PV guest makes, through the hypercall page. The result is the
 * hypervisor's own: a negative -XEN_E* (newlib numbers its E* otherwise) or a value. Nothing is checked
 * here: tests want to pass nonsense.
 */
#ifndef GUEST_HYPERCALL_H
#define GUEST_HYPERCALL_H

#include <stddef.h>
#include <stdint.h>
#include <public/xen.h>
#include <public/sched.h>
#include <public/vcpu.h>
#include <public/memory.h>
#include <public/event_channel.h>
#include <public/version.h>
#include <public/physdev.h>
#include <public/callback.h>
#include <public/grant_table.h>
#include <public/nmi.h>
#include <public/errno.h>

/* The arguments' registers are in-out: a debug hypervisor overwrites them on purpose. */
#define HYPERCALL(nr, a1, a2, a3, a4, a5)                                                               \
    ({                                                                                                  \
        uint64_t d_ = (uint64_t)(a1), s_ = (uint64_t)(a2), x_ = (uint64_t)(a3);                         \
        register uint64_t r10_ __asm__("r10") = (uint64_t)(a4);                                         \
        register uint64_t r8_ __asm__("r8") = (uint64_t)(a5);                                           \
        long rc_;                                                                                       \
        __asm__ volatile("call hypercall_page + %c[slot]"                                               \
                         : "=a"(rc_), "+D"(d_), "+S"(s_), "+d"(x_), "+r"(r10_), "+r"(r8_)               \
                         : [slot] "i"((nr) * 32)                                                        \
                         : "rcx", "r11", "memory");                                                     \
        rc_;                                                                                            \
    })

/* Any number, without the page: the raw instruction of the ABI. */
static inline long hypercall_raw(uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    register uint64_t r10 __asm__("r10") = a4;
    register uint64_t r8 __asm__("r8") = a5;

    __asm__ volatile("syscall" : "+a"(nr), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
                     : : "rcx", "r11", "memory");
    return (long)nr;
}

static inline long xen_set_trap_table(const struct trap_info *t)
{
    return HYPERCALL(__HYPERVISOR_set_trap_table, t, 0, 0, 0, 0);
}
static inline long xen_mmu_update(const struct mmu_update *req, unsigned n, unsigned *done,
                                  unsigned foreigndom)
{
    return HYPERCALL(__HYPERVISOR_mmu_update, req, n, done, foreigndom, 0);
}
static inline long xen_set_gdt(const unsigned long *frames, unsigned entries)
{
    return HYPERCALL(__HYPERVISOR_set_gdt, frames, entries, 0, 0, 0);
}
static inline long xen_stack_switch(uint64_t ss, uint64_t sp)
{
    return HYPERCALL(__HYPERVISOR_stack_switch, ss, sp, 0, 0, 0);
}
static inline long xen_fpu_taskswitch(int set)
{
    return HYPERCALL(__HYPERVISOR_fpu_taskswitch, set, 0, 0, 0, 0);
}
static inline long xen_set_debugreg(int reg, uint64_t val)
{
    return HYPERCALL(__HYPERVISOR_set_debugreg, reg, val, 0, 0, 0);
}
static inline long xen_get_debugreg(int reg)
{
    return HYPERCALL(__HYPERVISOR_get_debugreg, reg, 0, 0, 0, 0);
}
static inline long xen_update_descriptor(uint64_t maddr, uint64_t desc)
{
    return HYPERCALL(__HYPERVISOR_update_descriptor, maddr, desc, 0, 0, 0);
}
static inline long xen_memory_op(unsigned cmd, void *arg)
{
    return HYPERCALL(__HYPERVISOR_memory_op, cmd, arg, 0, 0, 0);
}
static inline long xen_multicall(struct multicall_entry *calls, unsigned n)
{
    return HYPERCALL(__HYPERVISOR_multicall, calls, n, 0, 0, 0);
}
static inline long xen_update_va_mapping(uint64_t va, uint64_t pte, uint64_t flags)
{
    return HYPERCALL(__HYPERVISOR_update_va_mapping, va, pte, flags, 0, 0);
}
static inline long xen_set_timer_op(uint64_t timeout_ns)
{
    return HYPERCALL(__HYPERVISOR_set_timer_op, timeout_ns, 0, 0, 0, 0);
}
static inline long xen_version(int cmd, void *arg)
{
    return HYPERCALL(__HYPERVISOR_xen_version, cmd, arg, 0, 0, 0);
}
static inline long xen_console_io(int cmd, uint64_t count, const void *buf)
{
    return HYPERCALL(__HYPERVISOR_console_io, cmd, count, buf, 0, 0);
}
static inline long xen_grant_table_op(unsigned cmd, void *ops, unsigned n)
{
    return HYPERCALL(__HYPERVISOR_grant_table_op, cmd, ops, n, 0, 0);
}
static inline long xen_vm_assist(unsigned cmd, unsigned type)
{
    return HYPERCALL(__HYPERVISOR_vm_assist, cmd, type, 0, 0, 0);
}
static inline long xen_update_va_mapping_otherdomain(uint64_t va, uint64_t pte, uint64_t flags,
                                                     unsigned domid)
{
    return HYPERCALL(__HYPERVISOR_update_va_mapping_otherdomain, va, pte, flags, domid, 0);
}
static inline long xen_vcpu_op(int cmd, unsigned vcpu, void *arg)
{
    return HYPERCALL(__HYPERVISOR_vcpu_op, cmd, vcpu, arg, 0, 0);
}
static inline long xen_set_callbacks(uint64_t event, uint64_t failsafe, uint64_t syscall)
{
    return HYPERCALL(__HYPERVISOR_set_callbacks, event, failsafe, syscall, 0, 0);
}
static inline long xen_set_segment_base(int which, uint64_t base)
{
    return HYPERCALL(__HYPERVISOR_set_segment_base, which, base, 0, 0, 0);
}
static inline long xen_mmuext_op(const struct mmuext_op *ops, unsigned n, unsigned *done, unsigned foreigndom)
{
    return HYPERCALL(__HYPERVISOR_mmuext_op, ops, n, done, foreigndom, 0);
}
static inline long xen_sched_op(int cmd, void *arg)
{
    return HYPERCALL(__HYPERVISOR_sched_op, cmd, arg, 0, 0, 0);
}
static inline long xen_callback_op(int cmd, const void *arg)
{
    return HYPERCALL(__HYPERVISOR_callback_op, cmd, arg, 0, 0, 0);
}
static inline long xen_nmi_op(unsigned cmd, void *arg)
{
    return HYPERCALL(__HYPERVISOR_nmi_op, cmd, arg, 0, 0, 0);
}
static inline long xen_event_channel_op(int cmd, void *arg)
{
    return HYPERCALL(__HYPERVISOR_event_channel_op, cmd, arg, 0, 0, 0);
}
static inline long xen_physdev_op(int cmd, void *arg)
{
    return HYPERCALL(__HYPERVISOR_physdev_op, cmd, arg, 0, 0, 0);
}

#endif
