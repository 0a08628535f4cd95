/* Suite "share" (only by name): every vCPU computes all the time, and prints how much of 8 s it
 * ran. The time is the same in all guests of the machine: 4 s to 12 s of system time. What is fair
 * is judged by the boot test that starts them, which knows their weights and the number of
 * CPUs. */
#include "clock.h"
#include "hypercall.h"
#include "suite.h"
#include "worker.h"

#define BEGIN_NS (4 * NS_PER_S)
#define END_NS (12 * NS_PER_S)

static uint64_t ran_ns[MAX_WORKERS + 1];

/* The time that the calling vCPU ran so far. */
static uint64_t ran_until(unsigned vcpu, uint64_t ns)
{
    struct vcpu_runstate_info state = { 0 };

    while (clock_ns_of(vcpu) < ns)
        ;
    xen_vcpu_op(VCPUOP_get_runstate_info, vcpu, &state);
    return state.time[RUNSTATE_running];
}

/* A vCPU that does not run at the very end of a second asks when it runs again: the answer is the
 * same. */
static void compute(unsigned vcpu)
{
    uint64_t before = ran_until(vcpu, BEGIN_NS);

    ran_ns[vcpu] = ran_until(vcpu, END_NS) - before;
}

static void compute_as_worker(struct worker *w)
{
    compute(w->id);
}

static void share(void)
{
    unsigned nr = workers_nr();

    ASSERT(nr == 0 || workers_start(compute_as_worker, NULL));
    ASSERT(clock_ns() < BEGIN_NS);
    compute(0);
    ASSERT(nr == 0 || workers_join());
    for (unsigned i = 0; i <= nr; i++)
        test_diag("share: vCPU %u ran %lu us of %lu", i, ran_ns[i] / 1000,
                  (END_NS - BEGIN_NS) / 1000);
}

SUITE(share, 96, SUITE_NAMED_ONLY, TEST(share));
