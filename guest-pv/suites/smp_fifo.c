/* Suite "smpfifo" (only by name): FIFO event channels while several vCPUs send. vCPU 0 has the
 * queues and takes the events off (fifo_consumer.c). The domain keeps the new ABI until the last
 * test. FIFO channels of one vCPU are in fifo.c. */
#include <string.h>
#include "clock.h"
#include "fifo.h"
#include "hypercall.h"
#include "smp.h"
#include "suite.h"
#include "worker.h"

#define NR_PORTS 8u

static port_t ports[NR_PORTS];
/* Sends of each worker to each port; and what had been sent when it was last delivered. */
static volatile uint64_t sent[MAX_WORKERS][NR_PORTS], seen[MAX_WORKERS][NR_PORTS];

static void on_event(port_t port, void *arg)
{
    unsigned i = (unsigned)(uintptr_t)arg;

    (void)port;
    for (unsigned w = 0; w < MAX_WORKERS; w++)
        seen[w][i] = sent[w][i];
}

static void to_fifo(void)
{
    unsigned nr = smp_begin();

    (void)nr;
    events_off();
    fifo.control_pfn = frame_alloc();
    fifo.control = p2v(fifo.control_pfn);
    ASSERT_EQ(fifo_init_control(pfn_to_mfn(fifo.control_pfn), 0, 0, NULL), 0);
    event_set_dispatcher(fifo_dispatch);
    ASSERT_EQ(fifo_add_page(frame_alloc()), 0);
    events_on();
}

static void bind_ports(void)
{
    for (unsigned i = 0; i < NR_PORTS; i++) {
        int port = event_bind_ipi(on_event, (void *)(uintptr_t)i);

        ASSERT(port > 0 && (unsigned)port < WORDS_PER_PAGE);
        ports[i] = port;
    }
    memset((void *)sent, 0, sizeof(sent));
    memset((void *)seen, 0, sizeof(seen));
}

static void close_ports(void)
{
    for (unsigned i = 0; i < NR_PORTS; i++)
        EXPECT_EQ(event_close(ports[i]), 0);
}

static void send_at_random(struct worker *w)
{
    uint64_t state = 0x9e3779b97f4a7c15 * w->id;

    while (!smp_stop) {
        unsigned i = smp_random(&state) % NR_PORTS;

        sent[w->id - 1][i]++;
        w->faults += event_send(ports[i]) != 0;
        w->count++;
    }
}

static void unmask(port_t port)
{
    struct evtchn_unmask op = { .port = port };

    fifo_clear_flags(port, FIFO_MASKED);
    EXPECT_EQ(xen_event_channel_op(EVTCHNOP_unmask, &op), 0);
}

static unsigned lost_events(unsigned nr)
{
    unsigned lost = 0;

    for (unsigned w = 0; w < nr; w++)
        for (unsigned i = 0; i < NR_PORTS; i++)
            lost += sent[w][i] != seen[w][i];
    return lost;
}

/* All send to ports of four priorities, while vCPU 0 masks and unmasks them and changes their
 * priorities: the last event of each port is delivered. */
static void no_event_is_lost(void)
{
    static const unsigned priorities[] = { 0, 5, EVTCHN_FIFO_PRIORITY_DEFAULT, 15 };
    unsigned nr = smp_begin();
    uint64_t state = 0xd1342543de82ef95;

    need_fifo();
    bind_ports();
    ASSERT(workers_start(send_at_random, NULL));
    for (unsigned k = 0; smp_goes_on(k, 100000); k++) {
        uint64_t r = smp_random(&state);
        port_t port = ports[r % NR_PORTS];

        if (r >> 8 & 1)
            EXPECT_EQ(fifo_set_priority(port, priorities[r >> 16 & 3]), 0);
        else
            fifo_set_flags(port, FIFO_MASKED);
        if (r >> 24 & 1)
            unmask(ports[(r >> 32) % NR_PORTS]);
        if (k % 64 == 0)
            xen_sched_op(SCHEDOP_yield, NULL);  /* with one CPU they send now */
    }
    smp_stop = true;
    ASSERT(workers_join());
    for (unsigned i = 0; i < NR_PORTS; i++)
        unmask(ports[i]);
    event_force_upcall();
    EXPECT_EQ(lost_events(nr), 0);
    for (unsigned i = 0; i < nr; i++) {
        EXPECT_EQ(workers[i].faults, 0);
        EXPECT(workers[i].count > 0);
    }
    close_ports();
}

/* --- Words that change under the hypervisor --------------------------------------------------- */

static void scribble(struct worker *w)
{
    uint64_t state = 0x94d049bb133111eb * w->id;

    if (w->id != 1) {
        send_at_random(w);
        return;
    }
    while (!smp_stop) {
        uint64_t r = smp_random(&state);
        volatile event_word_t *word = fifo_word(r >> 8 & 1 ? ports[r % NR_PORTS] : r % 64);

        switch (r >> 16 & 3) {
        case 0:
            *word = (uint32_t)(r >> 32);
            break;
        case 1:
            *word = FIFO_LINKED | FIFO_PENDING | ports[(r >> 32) % NR_PORTS];
            break;
        case 2:
            *word = 0;
            break;
        default:
            fifo.control->head[(r >> 20) % EVTCHN_FIFO_MAX_QUEUES] = (uint32_t)(r >> 32) % 64;
        }
        w->count++;
    }
}

static void words_as_before(void)
{
    for (unsigned i = 0; i < WORDS_PER_PAGE; i++)
        *fifo_word(i) = 0;
    memset((void *)fifo.control->head, 0, sizeof(fifo.control->head));
    memset(fifo.head, 0, sizeof(fifo.head));
    fifo.control->ready = 0;
    shared_info->vcpu_info[0].evtchn_upcall_pending = 0;
}

/* One vCPU writes what it likes into the words and heads, while others send, and vCPU 0 unmasks,
 * closes and binds ports: all that can be lost are events of this domain. Afterwards the channels
 * work as before. */
static void words_are_scribbled(void)
{
    unsigned nr = smp_begin();
    uint64_t state = 0xda942042e4dd58b5;

    need_fifo();
    if (nr < 2)
        SKIP("one vCPU scribbles, another sends");
    bind_ports();
    events_off();
    ASSERT(workers_start(scribble, NULL));
    for (unsigned k = 0; smp_goes_on(k, 50000); k++) {
        uint64_t r = smp_random(&state);
        struct evtchn_unmask op = { .port = ports[r % NR_PORTS] };

        if (r >> 8 & 1)
            EXPECT_EQ(xen_event_channel_op(EVTCHNOP_unmask, &op), 0);
        else
            EXPECT_EQ(fifo_set_priority(op.port, r >> 16 & 15), 0);
        if (k % 64 == 0)
            xen_sched_op(SCHEDOP_yield, NULL);
    }
    smp_stop = true;
    ASSERT(workers_join());
    words_as_before();
    close_ports();
    words_as_before();
    events_on();
    fifo.nr_logged = 0;
    for (unsigned i = 0; i < NR_PORTS; i++) {
        port_t port = fifo_new_port();

        EXPECT_EQ(event_send(port), 0);
        EXPECT_EVENTS(port);
        EXPECT_EQ(event_close(port), 0);
    }
}

static void back_to_bitmaps(void)
{
    struct evtchn_reset op = { .dom = DOMID_SELF };

    need_fifo();
    events_off();
    ASSERT_EQ(xen_event_channel_op(EVTCHNOP_reset, &op), 0);
    event_set_dispatcher(NULL);
    fifo.nr_pages = 0;
    memset((void *)shared_info->evtchn_pending, 0, sizeof(shared_info->evtchn_pending));
    events_on();
    clock_init();                                       /* its port was closed, too */
}

SUITE(smpfifo, 58, SUITE_NAMED_ONLY, TEST(to_fifo), TEST(no_event_is_lost),
      TEST(words_are_scribbled), TEST(back_to_bitmaps));
