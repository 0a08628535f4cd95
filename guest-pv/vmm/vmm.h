/* The vmm as a program of guest-pv: what the files beside this header know of each other. The
 * folders below know nothing of guest-pv. */
#ifndef VMM_VMM_H
#define VMM_VMM_H

#include "guest-pv/vmm/core/cpu.h"

/* machine.c: the guest's CPU with its memory and its platform. Lines about what is missing; false:
 * then there is no machine. own_bytes: what the vmm keeps for its heap. */
bool make_machine(struct cpu *c, uint64_t own_bytes);

/* host.c: what the platform has of the world outside; tsc_hz is set by host_init(). */
extern struct host host;
void host_init(void);

/* shadow_host.c: shadow tables by hypercalls, so many. A line and false: no memory. */
bool make_shadows(struct cpu *c, unsigned nr);
/* The same file: memory for translated code, in the guest's kernel roots too. It is reserved before
 * make_machine() gives the guest what is left in a row. */
void reserve_region(unsigned nr_pages);
bool make_translator(struct cpu *c, unsigned nr_pages);

/* direct.c: how often guest code has stopped, and why. */
struct exit_counters {
    uint64_t traps[32];                 /* by vector */
    uint64_t events, syscalls;
};
const struct exit_counters *direct_exits(void);

/* compare.c: hashes of the guest's state, by which two ways are compared, if that is wanted. To be
 * called after host_init() and before the machine is made. */
void compare_init(struct cpu *c);
bool comparing(void);
uint64_t compared_frames(uint64_t frames);      /* how much memory the guest gets then */
void print_hashes(void);

/* report.c: why the guest ended, its state if it was lost, and what running it took. */
void print_report(struct cpu *c, uint64_t ns);

#endif
