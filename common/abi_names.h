/* The names of the numbers of the Xen PV ABI, as the public headers spell them. Used by the
 * hypervisor's console and the trace reader. All functions return NULL for a number without a name,
 * unless stated. */
#ifndef COMMON_ABI_NAMES_H
#define COMMON_ABI_NAMES_H

#include <stdint.h>

#define ABI_HYPERCALLS 64u

/* Every public hypercall, also those that are refused here: "mmu_update". */
const char *abi_hypercall_name(unsigned nr);
/* The kinds of its arguments, a letter each, as in common/abi.def: "ouS". At most six, and never
 * NULL: an unknown number has six words. */
const char *abi_argument_kinds(unsigned nr);
/* 32-bit words of such an argument in a trace record: 2, 1, or 0: none */
unsigned abi_kind_words(char kind);
/* The sub-operation op of hypercall nr: "GNTTABOP_copy". For the two that carry it in memory as
 * well (mmuext_op and event_channel_op_compat, physdev_op_compat). */
const char *abi_operation_name(unsigned nr, uint64_t op);
const char *abi_errno_name(unsigned nr);        /* 22: "EINVAL" */
const char *abi_virq_name(unsigned virq);       /* 0: "VIRQ_TIMER" */
const char *abi_trap_name(unsigned vector);     /* 14: "#PF" */
/* 0x7ff0: "DOMID_SELF"; NULL for ordinary domains */
const char *abi_domid_name(unsigned domid);

#endif
