/* One wrapper for each hypercall that is served, through the hypercall page. The result is the
 * hypervisor's own: a negative -XEN_E* (newlib numbers its E* otherwise) or a value. Nothing is
 * checked here: tests want to pass nonsense. */
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
#define HYPERCALL(nr, a1, a2, a3, a4, a5)                                                   \
    ({                                                                                      \
        uint64_t d_ = (uint64_t)(a1), s_ = (uint64_t)(a2), x_ = (uint64_t)(a3);             \
        register uint64_t r10_ __asm__("r10") = (uint64_t)(a4);                             \
        register uint64_t r8_ __asm__("r8") = (uint64_t)(a5);                               \
        long rc_;                                                                           \
        __asm__ volatile("call hypercall_page + %c[slot]"                                   \
                         : "=a"(rc_), "+D"(d_), "+S"(s_), "+d"(x_), "+r"(r10_), "+r"(r8_)   \
                         : [slot] "i"((nr) * 32)                                            \
                         : "rcx", "r11", "memory");                                         \
        rc_;                                                                                \
    })

/* Any number, without the page: the raw instruction of the ABI. */
static inline long hypercall_raw(uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                                 uint64_t a5)
{
    register uint64_t r10 __asm__("r10") = a4;
    register uint64_t r8 __asm__("r8") = a5;

    __asm__ volatile("syscall" : "+a"(nr), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
                     : : "rcx", "r11", "memory");
    return (long)nr;
}

/* xen_mmu_update() and the others, of common/abi.def. */
#include "gen/abi_wrappers.h"

#endif
