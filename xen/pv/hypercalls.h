/* One table of every hypercall served: number and handler. From it come the prototypes, the dispatch table, the names and
 * the fuzzer's entries; what the trace calls their arguments is in common/abi_names.c. All handlers take six words and return
 * a long; a handler that does not use them all simply declares fewer (the calling convention allows it and entry.S passes
 * all six in registers).
 *
 * X(number suffix, C prototype arguments) */
#ifndef XEN_HYPERCALLS_H
#define XEN_HYPERCALLS_H

#include "xen/core/types.h"
#include "xen/pv/desc.h"

#define NR_HYPERCALLS 64u

#define HYPERCALL_TABLE(X)                                                                                      \
    X(set_trap_table, (uint64_t traps))                                                                         \
    X(mmu_update, (uint64_t ureqs, unsigned count, uint64_t pdone, unsigned foreigndom))                        \
    X(set_gdt, (uint64_t frame_list, unsigned entries))                                                         \
    X(stack_switch, (uint64_t ss, uint64_t sp))                                                                 \
    X(set_callbacks, (uint64_t event, uint64_t failsafe, uint64_t syscall))                                     \
    X(fpu_taskswitch, (int set))                                                                                \
    X(set_debugreg, (int reg, uint64_t value))                                                                  \
    X(get_debugreg, (int reg))                                                                                  \
    X(update_descriptor, (uint64_t maddr, uint64_t desc))                                                       \
    X(memory_op, (unsigned long cmd, uint64_t arg))                                                             \
    X(multicall, (uint64_t calls, unsigned nr))                                                                 \
    X(update_va_mapping, (uint64_t va, uint64_t pte, unsigned long flags))                                      \
    X(set_timer_op, (int64_t timeout))                                                                          \
    X(event_channel_op_compat, (uint64_t op))                                                                   \
    X(xen_version, (int cmd, uint64_t arg))                                                                     \
    X(console_io, (unsigned cmd, unsigned count, uint64_t buffer))                                              \
    X(physdev_op_compat, (uint64_t op))                                                                         \
    X(grant_table_op, (unsigned cmd, uint64_t uop, unsigned count))                                             \
    X(vm_assist, (unsigned cmd, unsigned type))                                                                 \
    X(update_va_mapping_otherdomain, (uint64_t va, uint64_t pte, unsigned long flags, unsigned domid))          \
    X(iret, (void))                                                                                             \
    X(vcpu_op, (int cmd, unsigned vcpuid, uint64_t arg))                                                        \
    X(set_segment_base, (unsigned which, uint64_t base))                                                        \
    X(mmuext_op, (uint64_t uops, unsigned count, uint64_t pdone, unsigned foreigndom))                          \
    X(nmi_op, (unsigned cmd, uint64_t arg))                                                                     \
    X(sched_op, (int cmd, uint64_t arg))                                                                        \
    X(sched_op_compat, (int cmd, uint64_t arg))                                                                 \
    X(callback_op, (int cmd, uint64_t arg))                                                                     \
    X(event_channel_op, (int cmd, uint64_t arg))                                                                \
    X(physdev_op, (int cmd, uint64_t arg))                                                                      \
    X(platform_op, (uint64_t uop))                                                                              \
    X(sysctl, (uint64_t uop))                                                                                   \
    X(domctl, (uint64_t uop))                                                                                   \
    X(kexec_op, (unsigned long cmd, uint64_t arg))                                                              \
    X(hypfs_op, (unsigned cmd, uint64_t path, unsigned long path_len, uint64_t buf, unsigned long buf_len))     \
    X(mca, (uint64_t op))                                                                                       \
    X(xenpmu_op, (unsigned op, uint64_t arg))

#define X(name, args) long do_##name args;
HYPERCALL_TABLE(X)
#undef X

typedef long (*hypercall_fn)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
extern const hypercall_fn hypercall_table[NR_HYPERCALLS];   /* never NULL: unserved ones answer -ENOSYS */
extern const char *const hypercall_names[NR_HYPERCALLS];    /* NULL: not served */
extern uint64_t hypercall_counts[NR_HYPERCALLS];            /* since boot, on this CPU; entry.S adds */
long hypercall_traced(uint64_t nr, const uint64_t args[6]); /* any number: the call with records of it */
void hypercalls_report(void);                               /* the counts on the console, largest first */

#endif
