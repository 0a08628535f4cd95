/* GDT, TSS, IDT, and the stacks on which entries begin. */
#ifndef ARCH_X86_SEGMENTS_H
#define ARCH_X86_SEGMENTS_H

#include "common/compiler.h"

struct arch_cpu;
struct cpu;
struct vcpu;

void segments_init(void);               /* IDT; GDT, TSS, the SYSCALL MSRs of the CPU that boots */
/* Sets and loads GDT, TSS and IDT of this CPU. Its memory is there, zeroed. */
void segments_load(struct arch_cpu *c);
void segments_set_number(struct arch_cpu *c, unsigned number);
void segments_set_entries(unsigned number);     /* this CPU's MSRs of SYSCALL and SYSENTER */
/* Before another L4 is loaded: sets GDTR to a GDT that is mapped under every L4. */
void segments_leave_vcpu(struct arch_cpu *c);
/* Before v's L4 is loaded: its GDT has the reserved page of that CPU, where it ran on another. */
void segments_move_vcpu(struct arch_cpu *c, struct vcpu *v);
/* Sets entry stacks and descriptor tables of this CPU for v, which runs next. */
void segments_set_vcpu(struct cpu *cpu, struct vcpu *v);
/* `current`, found without the stack pointer; NULL before there is one. */
struct vcpu *running_vcpu(void);
bool on_known_stack(uint64_t sp);       /* sp is on a stack that this CPU uses now */

#endif
