/* Suite "benchsmp" (only by name): what vCPUs on several CPUs cost one another: interrupts,
 * wake-ups, flushes, and page-table updates at the same time. Under -icount shift=0 the TSC counts
 * the instructions of all CPUs, of which only those work that a row is about. Otherwise it is time.
 * Suite "benchupdates" is the updates alone; suite "benchload" is a load of hypercalls and
 * computing, whose time vCPU 0 prints. */
#include <string.h>
#include "bench.h"
#include "clock.h"
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"
#include "worker.h"

#define ROUNDS 2000u            /* of updates by each vCPU */
#define LOAD_ROUNDS 2000000u

static volatile bool stop;
static volatile __attribute__((used)) uint64_t reached;     /* the TSC there; 0: not yet */
static volatile __attribute__((used)) xen_ulong_t *event_word;
static port_t port;
static uint64_t sent[BENCH_SAMPLES], arrived[BENCH_SAMPLES], nothing;

/* Each PAUSE lets another CPU go on where one thread emulates all. */
static void let_others_run(void)
{
    for (unsigned i = 0; i < 5000; i++)
        __builtin_ia32_pause();
}

static uint64_t cost_of_nothing(void)
{
    for (unsigned i = 0; i < BENCH_SAMPLES; i++) {
        uint64_t start = clock_tsc();

        sent[i] = clock_tsc() - start;
    }
    return bench_median(sent, BENCH_SAMPLES);
}

/* Sends to the worker BENCH_SAMPLES times. Two rows: until event_send() returns, and until it
 * arrives. */
static void send_and_wait(const char *send, const char *arrive)
{
    unsigned wrong = 0;

    for (unsigned i = 0; i < BENCH_SAMPLES; i++) {
        uint64_t start;

        let_others_run();
        reached = 0;
        start = clock_tsc();
        wrong += event_send(port) != 0;
        sent[i] = clock_tsc() - start;
        while (!reached)
            __builtin_ia32_pause();
        arrived[i] = reached - start;
    }
    EXPECT_EQ(wrong, 0);
    bench_samples(send, sent, BENCH_SAMPLES, nothing);
    bench_samples(arrive, arrived, BENCH_SAMPLES, nothing);
}

/* --- An event for a vCPU that runs ------------------------------------------------------------ */

/* vCPU 1's handler: clears its pending bits, and notes the time. */
__attribute__((naked, used)) static void note_event(void)
{
    __asm__("popq %rcx\n\tpopq %r11\n\tmovb $0, shared_info_page + 64(%rip)\n\t"
            "movq $0, shared_info_page + 64 + 8(%rip)\n\tpushq %rax\n\tpushq %rdx\n\t"
            "movq event_word(%rip), %rax\n\tmovq $0, (%rax)\n\t"
            "rdtsc\n\tshlq $32, %rdx\n\torq %rdx, %rax\n\tmovq %rax, reached(%rip)\n\t"
            "popq %rdx\n\tpopq %rax\n\tpushq $0\n\tjmp hypercall_page + 23 * 32");
}
_Static_assert(sizeof(struct vcpu_info) == 64, "the handler's offset");

static void pause_until_stop(void)
{
    while (!stop)
        __builtin_ia32_pause();
}

static void take_events(struct worker *w)
{
    struct callback_register cb = { .type = CALLBACKTYPE_event, .flags = CALLBACKF_mask_events,
                                    .address = (unsigned long)note_event };
    volatile struct vcpu_info *info = &shared_info->vcpu_info[w->id];

    if (w->id == 1) {
        w->faults += xen_callback_op(CALLBACKOP_register, &cb) != 0;
        info->evtchn_upcall_mask = 0;
        pause_until_stop();
        info->evtchn_upcall_mask = 1;
    }
}

static void begin(void (*fn)(struct worker *))
{
    int bound;

    if (workers_nr() == 0)
        SKIP("one vCPU");
    stop = false;
    nothing = cost_of_nothing();
    bound = worker_bind_ipi(1);
    ASSERT(bound > 0);
    port = bound;
    event_word = &shared_info->evtchn_pending[port / 64];
    ASSERT(workers_start(fn, NULL));
    let_others_run();
}

static void end(void)
{
    stop = true;
    EXPECT_EQ(event_send(port), 0);
    ASSERT(workers_join());
    EXPECT_EQ(workers[0].faults, 0);
    EXPECT_EQ(event_close(port), 0);
}

static void interrupts(void)
{
    begin(take_events);
    event_unmask(port);
    send_and_wait("IPI to a vCPU that runs, send", "IPI to a vCPU that runs, send to handler");
    end();
}

/* --- A wake-up -------------------------------------------------------------------------------- */

static void sleep_on_port(struct worker *w)
{
    while (w->id == 1 && !stop) {
        w->faults += worker_poll(port, 0) != 0;
        reached = clock_tsc();
    }
}

static void wakes(void)
{
    begin(sleep_on_port);
    send_and_wait("wake of a vCPU on an idle CPU, send",
                  "wake of a vCPU on an idle CPU, until it runs");
    end();
}

/* --- Flushes ---------------------------------------------------------------------------------- */

static char *flushed_page;

static long multi(unsigned cmd)
{
    uint64_t both = 3;
    struct mmuext_op op = { .cmd = cmd, 
                            .arg1.linear_addr = (uint64_t)flushed_page };

    set_xen_guest_handle(op.arg2.vcpumask, &both);
    return xen_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static long op_invlpg_multi(void)   { return multi(MMUEXT_INVLPG_MULTI); }
static long op_flush_multi(void)    { return multi(MMUEXT_TLB_FLUSH_MULTI); }

static void first_pauses(struct worker *w)
{
    if (w->id == 1)
        pause_until_stop();
}

static void flushes(void)
{
    flushed_page = va_alloc(1);
    begin(first_pauses);
    bench("INVLPG_MULTI of 2 vCPUs that run", op_invlpg_multi, 0, 1);
    bench("TLB_FLUSH_MULTI of 2 vCPUs that run", op_flush_multi, 0, 1);
    end();
}

/* --- Page tables of one guest, by several vCPUs at the same time ------------------------------ */

static struct {
    char *va;
    uint64_t entry[2];
    unsigned active, ready, finished;
    bool go;
} updates;

/* Each has pages of its own. */
static unsigned update(unsigned vcpu)
{
    uint64_t va = (uint64_t)updates.va + vcpu * PAGE_SIZE;
    unsigned wrong = 0;

    for (unsigned i = 0; i < ROUNDS; i++)
        wrong += xen_update_va_mapping(va, updates.entry[i & 1], 0) != 0;
    return wrong;
}

static void update_with_others(struct worker *w)
{
    if (w->id >= updates.active)
        return;
    __atomic_fetch_add(&updates.ready, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&updates.go, __ATOMIC_SEQ_CST))
        __builtin_ia32_pause();
    w->faults = update(w->id);
    __atomic_fetch_add(&updates.finished, 1, __ATOMIC_SEQ_CST);
}

static void wait_for(const unsigned *count)
{
    while (__atomic_load_n(count, __ATOMIC_SEQ_CST) != updates.active - 1)
        __builtin_ia32_pause();
}

static void updates_by(unsigned active)
{
    char name[64] = "update_va_mapping by 0 vCPUs at once, each";
    uint64_t start;

    name[21] = (char)('0' + active);
    updates.active = active;
    updates.ready = updates.finished = 0;
    updates.go = false;
    ASSERT(workers_start(update_with_others, NULL));
    wait_for(&updates.ready);
    let_others_run();
    start = clock_tsc();
    __atomic_store_n(&updates.go, true, __ATOMIC_SEQ_CST);
    EXPECT_EQ(update(0), 0);
    wait_for(&updates.finished);
    bench_print(name, (clock_tsc() - start) / (active * ROUNDS));
    ASSERT(workers_join());
    for (unsigned i = 0; i < active - 1; i++)
        EXPECT_EQ(workers[i].faults, 0);
}

static void contention(void)
{
    unsigned nr = workers_nr() + 1;

    updates.va = va_alloc(4);
    for (unsigned i = 0; i < 2; i++)
        updates.entry[i] = make_pte(pfn_to_mfn(frame_alloc()), PTE_RO);
    for (unsigned i = 0; i < 4; i++)
        ASSERT_EQ(map_page(updates.va + i * PAGE_SIZE, updates.entry[0]), 0);
    updates_by(1);
    if (nr >= 2)
        updates_by(2);
    if (nr >= 4)
        updates_by(4);
}

SUITE(benchsmp, 95, SUITE_NAMED_ONLY, TEST(interrupts), TEST(wakes), TEST(flushes),
      TEST(contention));
SUITE_IN_FILE(benchupdates, 95, 0, SUITE_NAMED_ONLY, TEST(contention));

/* --- A load for guests that run beside each other --------------------------------------------- */

static void load(void)
{
    static volatile uint64_t sum;
    uint64_t start = clock_ns();

    updates.va = va_alloc(1);
    for (unsigned i = 0; i < 2; i++)
        updates.entry[i] = make_pte(pfn_to_mfn(frame_alloc()), PTE_RO);
    ASSERT_EQ(map_page(updates.va, updates.entry[0]), 0);
    for (unsigned i = 0; i < LOAD_ROUNDS / ROUNDS; i++) {
        EXPECT_EQ(update(0), 0);
        for (unsigned j = 0; j < 1000000; j++)
            sum += j;
    }
    test_diag("benchload: %lu ms", (clock_ns() - start) / NS_PER_MS);
}

SUITE_IN_FILE(benchload, 95, 0, SUITE_NAMED_ONLY, TEST(load));
