/* One table of every hypercall served: number and handler. From it come the prototypes, the dispatch table, the names
 * in the trace and the fuzzer's entries. All handlers take six words and return a long; a handler that does not use
 * them all simply declares fewer (the calling convention allows it and entry.S passes all six in registers).
 *
 * X(number suffix, C prototype arguments, "argument format for the trace"); in the format p is a pointer, u and d numbers,
 * x a hexadecimal one, D a domain, o a sub-operation that has a name. */
#ifndef XEN_HYPERCALLS_H
#define XEN_HYPERCALLS_H

#include "xen/types.h"

#define NR_HYPERCALLS 64u

#define HYPERCALL_TABLE(X)                                                                      \
    X(set_trap_table, (uint64_t traps), "%p")                                                   \
    X(mmu_update, (uint64_t ureqs, unsigned count, uint64_t pdone, unsigned foreigndom), "%p, %u, %p, %D")  \
    X(set_gdt, (uint64_t frame_list, unsigned entries), "%p, %u")                               \
    X(stack_switch, (uint64_t ss, uint64_t sp), "%x, %p")                                       \
    X(set_callbacks, (uint64_t event, uint64_t failsafe, uint64_t syscall), "%p, %p, %p")       \
    X(fpu_taskswitch, (int set), "%u")                                                          \
    X(set_debugreg, (int reg, uint64_t value), "%u, %p")                                        \
    X(get_debugreg, (int reg), "%u")                                                            \
    X(update_descriptor, (uint64_t maddr, uint64_t desc), "%p, %p")                             \
    X(memory_op, (unsigned long cmd, uint64_t arg), "%o, %p")                                   \
    X(multicall, (uint64_t calls, unsigned nr), "%p, %u")                                       \
    X(update_va_mapping, (uint64_t va, uint64_t pte, unsigned long flags), "%p, %p, %x")        \
    X(set_timer_op, (int64_t timeout), "%d")                                                    \
    X(event_channel_op_compat, (uint64_t op), "%p")                                             \
    X(xen_version, (int cmd, uint64_t arg), "%o, %p")                                           \
    X(console_io, (unsigned cmd, unsigned count, uint64_t buffer), "%o, %u, %p")                \
    X(physdev_op_compat, (uint64_t op), "%p")                                                   \
    X(grant_table_op, (unsigned cmd, uint64_t uop, unsigned count), "%o, %p, %u")               \
    X(vm_assist, (unsigned cmd, unsigned type), "%o, %u")                                       \
    X(update_va_mapping_otherdomain, (uint64_t va, uint64_t pte, unsigned long flags, unsigned domid), "%p, %p, %x, %D")  \
    X(iret, (void), "")                                                                         \
    X(vcpu_op, (int cmd, unsigned vcpuid, uint64_t arg), "%o, %u, %p")                          \
    X(set_segment_base, (unsigned which, uint64_t base), "%o, %p")                              \
    X(mmuext_op, (uint64_t uops, unsigned count, uint64_t pdone, unsigned foreigndom), "%p, %u, %p, %D")    \
    X(nmi_op, (unsigned cmd, uint64_t arg), "%o, %p")                                           \
    X(sched_op, (int cmd, uint64_t arg), "%o, %p")                                              \
    X(sched_op_compat, (int cmd, uint64_t arg), "%u, %p")                                       \
    X(callback_op, (int cmd, uint64_t arg), "%o, %p")                                           \
    X(event_channel_op, (int cmd, uint64_t arg), "%o, %p")                                      \
    X(physdev_op, (int cmd, uint64_t arg), "%o, %p")

#define X(name, args, format) long do_##name args;
HYPERCALL_TABLE(X)
#undef X

typedef long (*hypercall_fn)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
extern const hypercall_fn hypercall_table[NR_HYPERCALLS];   /* never NULL: unserved ones answer -ENOSYS */
extern const char *const hypercall_names[NR_HYPERCALLS];    /* NULL: not served */
extern uint64_t hypercall_counts[NR_HYPERCALLS];            /* since boot, on this CPU; entry.S adds */
extern uint8_t hypercall_trace_on;                          /* entry.S tests it: off costs one predicted branch */
long hypercall_traced(uint64_t nr, const uint64_t args[6]); /* the call with a record of it */
void hypercalls_report(void);                               /* debug key / end of run: counts on the console */

#endif
