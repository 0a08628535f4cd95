/* Guest code run by the real CPU, in the domain's user mode, on shadow tables: what ways 2 and 3
 * have in common. direct_run() is the vmm program's (guest-pv/vmm/direct.c); a way gives it a
 * function that is called whenever guest code has stopped. */
#ifndef VMM_DIRECT_DIRECT_H
#define VMM_DIRECT_DIRECT_H

#include "guest-pv/vmm/core/cpu.h"

enum { EXIT_START = 0x100, EXIT_EVENT, EXIT_SYSCALL };

struct exit {
    unsigned vector;            /* of the CPU, or EXIT_*; EXIT_START: nothing ran yet */
    uint32_t error;
    uint64_t address;           /* of #PF */
};

/* General registers and RIP are in c->regs as the CPU had them, and RFLAGS but for IF, IOPL and NT,
 * which are those that c->regs had when guest code went on. Returns where the CPU goes on, with
 * c->regs and the bases of FS and GS, by the root that shadow_load() loaded. When c->stop is set
 * guest code does not go on. */
typedef uint64_t exit_fn(struct cpu *c, const struct exit *e);

/* Until c->stop is set. */
void direct_run(struct cpu *c, exit_fn *on_exit);

/* An EXIT_EVENT at that TSC, or soon after; UINT64_MAX: none. */
void direct_alarm(uint64_t tsc);

#endif
