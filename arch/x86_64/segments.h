/* GDT, TSS, IDT, and the stacks of entries. */
#ifndef ARCH_X86_SEGMENTS_H
#define ARCH_X86_SEGMENTS_H

#include "common/compiler.h"

struct vcpu;

void segments_init(void);               /* GDT, TSS, IDT, the SYSCALL MSRs */
void segments_leave_vcpu(void);         /* the GDT that is there under every root; before it changes */
void segments_set_vcpu(struct vcpu *v); /* entry stacks and descriptor tables for the vCPU about to run */
/* The vCPU that runs here, wherever the stack pointer is; NULL before there is one. */
struct vcpu *running_vcpu(void);
bool on_known_stack(uint64_t sp);       /* a stack pointer is on a stack that this CPU uses now */

#endif
