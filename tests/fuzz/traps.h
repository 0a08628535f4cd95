/* Traps of a guest. */
#ifndef FUZZ_TRAPS_H
#define FUZZ_TRAPS_H

struct vcpu;
void guest_trap(struct vcpu *v);

#endif
