/* A random kernel. */
#ifndef FUZZ_GUEST_H
#define FUZZ_GUEST_H

struct vcpu;
void random_guest(struct vcpu *v);

#endif
