/* Scenarios: what the guests' vCPUs do, and what must hold afterwards. Each vCPU has a CPU of its
 * own, but in sleeps.c. */
#ifndef INTERLEAVE_H
#define INTERLEAVE_H

#include "host.h"
#include "support.h"

struct scenario {
    const char *name;
    unsigned nr_vcpus[2];       /* of domains 1 and 2; 0: there is no such domain */
    /* May set host.on_turn, what the first CPU does meanwhile. */
    void (*prepare)(struct domain *d[2]);
    void (*program[2])(struct vcpu *v);     /* of each vCPU of domains 1 and 2 */
    void (*check)(struct domain *d[2]);     /* NULL: only what always must hold */
};
extern const struct scenario page_scenarios[], grant_scenarios[], event_scenarios[],
    misc_scenarios[], death_scenarios[], claim_scenarios[];
extern const struct scenario sleep_scenarios[];     /* on CPUs that schedule */

/* A number below n, from the seed. */
unsigned pick(unsigned n);
/* A hypercall of current. */
long call(uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4);
/* The same with a structure, which goes through a page of current's own. */
long call_struct(uint64_t nr, uint64_t cmd, void *arg, size_t len);
long call_mmuext(unsigned cmd, uint64_t arg1, uint64_t arg2);
/* Decreases the reservation by one frame, and increases it. INVALID_MFN: none was given. */
void give_frame_back(mfn_t mfn);
mfn_t get_frame_anew(void);
/* A store or a load of the guest itself; a fault is ignored. */
void guest_store(uint64_t va, uint64_t word);
void guest_load(uint64_t va);

#endif
