/* Workers: the vCPUs but the first, each of which runs one function of a suite at a time, with
 * events masked and without threads, newlib and the trap handlers of trap.c, which are vCPU 0's.
 * Used by the suites about several vCPUs. A worker waits with worker_poll() or a loop. */
#ifndef GUEST_WORKER_H
#define GUEST_WORKER_H

#define WORKER_STACK 16384

#ifndef __ASSEMBLY__
#include <stdbool.h>
#include <stdint.h>
#include "event.h"

#define MAX_WORKERS 31u

struct worker {
    unsigned id;                        /* of the vCPU, from 1 */
    void (*fn)(struct worker *);
    void *arg;
    unsigned done;                      /* calls of fn that have returned */
    /* The last trap that was none of worker_load, worker_store and worker_set_fs, which ended the
     * worker; rip 0: none. */
    uint64_t trap_rip, trap_rsp;
    uint64_t count, faults;             /* of the suite's use */
};
extern struct worker workers[MAX_WORKERS];      /* of vCPU i: [i - 1] */

/* How many there are: the domain's vCPUs without the first. */
unsigned workers_nr(void);
/* Every worker runs fn, which finds arg in its struct; they begin when all are up. False, and the
 * test has failed: one did not start. */
bool workers_start(void (*fn)(struct worker *), void *arg);
/* Waits until each has returned and its vCPU is down. False, and the test has failed: that took
 * too long, or one met a trap. */
bool workers_join(void);

/* One access of 8 bytes; false: it raised a page fault. */
bool worker_load(const volatile uint64_t *va, uint64_t *val);
bool worker_store(volatile uint64_t *va, uint64_t val);
/* Loads a selector into FS; false: that raised a fault with an error code. */
bool worker_set_fs(unsigned selector);

/* Sleeps until the port, which is masked and bound to the calling vCPU, is pending, and clears it.
 * Without a timeout, as Linux waits for a spinlock; timeout_ns: the system time at which it gives
 * up, 0 for never. Returns 0, 1 when the time is over, or the hypercall's negative errno. */
int worker_poll(port_t port, uint64_t timeout_ns);
/* A port for IPIs to that vCPU, masked; or a negative errno. */
int worker_bind_ipi(unsigned vcpu);

/* worker_entry.S, and what it calls */
extern char worker_fault[], worker_fault_no_error[], worker_failsafe[], worker_start[];
_Noreturn void worker_main(struct worker *w);
_Noreturn void worker_trap(const uint64_t *frame);
#endif
#endif
