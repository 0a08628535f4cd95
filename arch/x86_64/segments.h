/* GDT, TSS, IDT, and the stacks on which entries begin. */
#ifndef ARCH_X86_SEGMENTS_H
#define ARCH_X86_SEGMENTS_H

#include "common/compiler.h"

struct vcpu;

void segments_init(void);               /* GDT, TSS, IDT, the SYSCALL MSRs */
/* Before another L4 is loaded: sets GDTR to a GDT that is mapped under every L4. */
void segments_leave_vcpu(void);
/* Sets entry stacks and descriptor tables for v, which runs next. */
void segments_set_vcpu(struct vcpu *v);
/* `current`, found without the stack pointer; NULL before there is one. */
struct vcpu *running_vcpu(void);
bool on_known_stack(uint64_t sp);       /* sp is on a stack that this CPU uses now */

#endif
