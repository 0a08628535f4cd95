/* Suite "smp", its events, timers and grant tables. A worker sleeps on a masked port without a
 * timeout, as Linux's spinlocks do: a wake-up that is lost is lost for ever, and the test says so,
 * because vCPU 0 waits with a timeout. */
#include <string.h>
#include "clock.h"
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "smp.h"
#include "suite.h"
#include "worker.h"

#define PATIENCE (20 * NS_PER_S)

/* --- Wake-ups --------------------------------------------------------------------------------- */

static struct {
    port_t to_worker[MAX_WORKERS], to_us;
} ping;

static void answer(struct worker *w)
{
    for (;;) {
        w->faults += worker_poll(ping.to_worker[w->id - 1], 0) != 0;
        if (smp_stop)
            return;
        w->count++;
        w->faults += event_send(ping.to_us) != 0;
    }
}

static void bind_all(unsigned nr)
{
    int port = worker_bind_ipi(0);

    ASSERT(port > 0);
    ping.to_us = port;
    for (unsigned i = 0; i < nr; i++) {
        port = worker_bind_ipi(i + 1);
        ASSERT(port > 0);
        ping.to_worker[i] = port;
    }
}

static void close_all(unsigned nr)
{
    EXPECT_EQ(event_close(ping.to_us), 0);
    for (unsigned i = 0; i < nr; i++)
        EXPECT_EQ(event_close(ping.to_worker[i]), 0);
}

/* vCPU 0 and one worker send to each other in turn, and both sleep in between. */
static void no_wakeup_is_lost(void)
{
    unsigned nr = smp_begin(), done = 0;

    bind_all(nr);
    ASSERT(workers_start(answer, NULL));
    for (; smp_goes_on(done, 3000); done++)
        for (unsigned w = 0; w < nr; w++) {
            ASSERT_EQ(event_send(ping.to_worker[w]), 0);
            ASSERT_MSG(worker_poll(ping.to_us, clock_ns() + PATIENCE) == 0,
                       "vCPU %u does not answer in round %u; it has answered %lu times", w + 1,
                       done, workers[w].count);
        }
    smp_stop = true;
    for (unsigned w = 0; w < nr; w++)
        ASSERT_EQ(event_send(ping.to_worker[w]), 0);
    ASSERT(workers_join());
    for (unsigned i = 0; i < nr; i++) {
        EXPECT_EQ(workers[i].count, done);
        EXPECT_EQ(workers[i].faults, 0);
    }
    close_all(nr);
}

/* --- One port, many senders, one that closes it ----------------------------------------------- */

static void send_on(struct worker *w)
{
    while (!smp_stop) {
        int rc = event_send(__atomic_load_n(&ping.to_us, __ATOMIC_RELAXED));

        w->count += rc == 0;
        w->faults += rc != 0 && rc != -XEN_EINVAL;
    }
}

static void port_is_closed_under_senders(void)
{
    unsigned nr = smp_begin(), sent = 0;

    ping.to_us = worker_bind_ipi(0);
    ASSERT(workers_start(send_on, NULL));
    for (unsigned i = 0; smp_goes_on(i, 2000); i++) {
        int port;

        ASSERT_EQ(event_close(ping.to_us), 0);
        port = worker_bind_ipi(0);
        ASSERT(port > 0);
        __atomic_store_n(&ping.to_us, (port_t)port, __ATOMIC_RELAXED);
        if (i % 8 == 0)
            sent += worker_poll(ping.to_us, clock_ns() + PATIENCE) == 0;
    }
    smp_stop = true;
    ASSERT(workers_join());
    for (unsigned i = 0; i < nr; i++)
        EXPECT_EQ(workers[i].faults, 0);
    EXPECT(sent > 0);
    EXPECT_EQ(event_close(ping.to_us), 0);
}

/* All bind and close ports of their own at the same time: no two get the same one. */
static void bind_and_close(struct worker *w)
{
    static uint32_t owner[4096];
    unsigned rounds = smp_rounds(1000);

    for (unsigned i = 0; i < rounds; i++) {
        int port = worker_bind_ipi(w->id);

        if (port <= 0 || port >= 4096) {
            w->faults++;
            continue;
        }
        w->faults += __atomic_exchange_n(&owner[port], w->id, __ATOMIC_SEQ_CST) != 0;
        w->faults += event_send(port) != 0;
        w->faults += worker_poll(port, 0) != 0;
        w->faults += __atomic_exchange_n(&owner[port], 0, __ATOMIC_SEQ_CST) != w->id;
        w->faults += event_close(port) != 0;
        w->count++;
    }
}

static void ports_of_all(void)
{
    unsigned nr = smp_begin();

    ASSERT(workers_start(bind_and_close, NULL));
    ASSERT(workers_join());
    for (unsigned i = 0; i < nr; i++) {
        EXPECT_EQ(workers[i].count, smp_rounds(1000));
        EXPECT_EQ(workers[i].faults, 0);
    }
}

/* --- Timers ----------------------------------------------------------------------------------- */

static int bind_timer(unsigned vcpu)
{
    struct evtchn_bind_virq op = { .virq = VIRQ_TIMER, .vcpu = vcpu };
    int rc = xen_event_channel_op(EVTCHNOP_bind_virq, &op);

    if (rc)
        return rc;
    event_mask(op.port);
    event_clear(op.port);
    return op.port;
}

static port_t timer_port[MAX_WORKERS];

/* Each has a timer of its own, which is never early. (Each also starts with a periodic one.) */
static void sleep_by_timer(struct worker *w)
{
    unsigned rounds = smp_rounds(100);
    uint64_t state = 0x94d049bb133111eb * w->id;

    w->faults += xen_vcpu_op(VCPUOP_stop_periodic_timer, w->id, NULL) != 0;
    event_clear(timer_port[w->id - 1]);
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t at = clock_ns_of(w->id) + smp_random(&state) % NS_PER_MS;
        struct vcpu_set_singleshot_timer op = { .timeout_abs_ns = at };

        w->faults += xen_vcpu_op(VCPUOP_set_singleshot_timer, w->id, &op) != 0;
        w->faults += worker_poll(timer_port[w->id - 1], 0) != 0;
        w->faults += clock_ns_of(w->id) < at;
        w->count++;
    }
}

static void timers_of_all(void)
{
    unsigned nr = smp_begin();

    for (unsigned i = 0; i < nr; i++) {
        int port = bind_timer(i + 1);

        ASSERT(port > 0);
        timer_port[i] = port;
    }
    ASSERT(workers_start(sleep_by_timer, NULL));
    ASSERT(workers_join());
    for (unsigned i = 0; i < nr; i++) {
        EXPECT_EQ(workers[i].count, smp_rounds(100));
        EXPECT_EQ(workers[i].faults, 0);
        EXPECT_EQ(event_close(timer_port[i]), 0);
    }
}

/* --- The grant table grows -------------------------------------------------------------------- */

#define GRANT_FRAMES 16u

static uint64_t grant_frames[MAX_WORKERS + 1][GRANT_FRAMES];

static long setup_table(unsigned nr_frames, uint64_t *frames)
{
    struct gnttab_setup_table op = { .dom = DOMID_SELF, .nr_frames = nr_frames };
    long rc;

    set_xen_guest_handle(op.frame_list, frames);
    rc = xen_grant_table_op(GNTTABOP_setup_table, &op, 1);
    return rc ? rc : op.status;
}

static void grow_table(struct worker *w)
{
    for (unsigned n = 1; n <= GRANT_FRAMES; n++)
        w->faults += setup_table(n, grant_frames[w->id]) != 0;
}

/* All grow it at the same time: all are told the same frames. */
static void grant_table_grows(void)
{
    unsigned nr = smp_begin();

    ASSERT(workers_start(grow_table, NULL));
    EXPECT_EQ(setup_table(GRANT_FRAMES, grant_frames[0]), 0);
    ASSERT(workers_join());
    for (unsigned i = 0; i < nr; i++) {
        EXPECT_EQ(workers[i].faults, 0);
        EXPECT(!memcmp(grant_frames[0], grant_frames[i + 1], sizeof(grant_frames[0])));
    }
    for (unsigned i = 0; i < GRANT_FRAMES; i++)
        for (unsigned k = 0; k < i; k++)
            EXPECT(grant_frames[0][i] != grant_frames[0][k]);
}

SUITE_PART(smp, 57, 2, TEST(no_wakeup_is_lost), TEST(port_is_closed_under_senders),
           TEST(ports_of_all), TEST(timers_of_all), TEST(grant_table_grows));
