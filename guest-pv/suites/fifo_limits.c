/* The second half of suite "fifo": a second vCPU, more ports than the bitmaps have, the maximum of
 * the array, a guest that overwrites its queues, and the way back to the bitmaps. */
#include <string.h>
#include "clock.h"
#include "fifo.h"
#include "hypercall.h"
#include "suite.h"

/* --- A second vCPU ---------------------------------------------------------------------------- */

static long bind_vcpu(port_t port, uint32_t vcpu)
{
    struct evtchn_bind_vcpu op = { .port = port, .vcpu = vcpu };

    return xen_event_channel_op(EVTCHNOP_bind_vcpu, &op);
}

/* vCPU 1 never runs here, but its queues can be read. When a port is bound to another vCPU, its
 * pending event stays in the old vCPU's queue. */
static void other_vcpu(void)
{
    struct evtchn_fifo_control_block *theirs;
    int a, b;
    pfn_t pfn;

    need_fifo();
    if (xen_vcpu_op(VCPUOP_is_up, 1, NULL) < 0)
        SKIP("one vCPU");
    a = event_alloc_unbound(DOMID_SELF, NULL, NULL);
    ASSERT(a > 0);
    b = event_bind_interdomain(DOMID_SELF, a, NULL, NULL);
    ASSERT(b > 0);
    EXPECT_EQ(bind_vcpu(a, 1), 0);
    EXPECT_EQ(event_send(b), 0);                        /* no control block yet: in no queue */
    EXPECT_EQ(*fifo_word(a) & FIFO_LINKED, 0);
    pfn = frame_alloc();
    theirs = p2v(pfn);
    ASSERT_EQ(fifo_init_control(pfn_to_mfn(pfn), 0, 1, NULL), 0);
    EXPECT_EQ(fifo_init_control(pfn_to_mfn(pfn), 128, 1, NULL), -XEN_EINVAL);
    event_force_upcall();
    fifo.nr_logged = 0;
    EXPECT_EQ(event_send(b), 0);
    EXPECT_EQ(*fifo_word(a), FIFO_PENDING | FIFO_LINKED);
    EXPECT_EQ(theirs->ready, 1u << EVTCHN_FIFO_PRIORITY_DEFAULT);
    EXPECT_EQ(theirs->head[EVTCHN_FIFO_PRIORITY_DEFAULT], a);
    EXPECT_EQ(shared_info->vcpu_info[1].evtchn_upcall_pending, 1);
    EXPECT_EQ(bind_vcpu(a, 0), 0);
    EXPECT_EQ(event_send(b), 0);
    EXPECT_NO_EVENTS();
    *fifo_word(a) = 0;                                  /* as vCPU 1 would have done */
    EXPECT_EQ(event_send(b), 0);
    EXPECT_EVENTS(a);
    event_close(a), event_close(b);
}

/* --- Many ports ------------------------------------------------------------------------------- */

static void more_than_bitmaps_have(void)
{
    static port_t ports[TWO_LEVEL_PORTS + 200];
    unsigned n, bad = 0, again = 0;
    port_t last;
    long rc = 0;

    need_fifo();
    for (n = 0; n < TWO_LEVEL_PORTS + 200; n++) {
        struct evtchn_bind_ipi op = { .vcpu = 0 };

        rc = xen_event_channel_op(EVTCHNOP_bind_ipi, &op);
        if (rc != 0)
            break;
        ports[n] = op.port;
    }
    if (rc == -XEN_ENOSPC && ports[n - 1] == 1023) {    /* the default limit */
        while (n-- > 0)
            event_close(ports[n]);
        SKIP("this domain has 1023 ports (max_ports=)");
    }
    ASSERT_EQ(n, TWO_LEVEL_PORTS + 200);
    last = ports[n - 1];
    EXPECT(last >= TWO_LEVEL_PORTS);
    fifo.nr_logged = 0;
    EXPECT_EQ(event_send(last), 0);                     /* its word has no page yet */
    EXPECT_NO_EVENTS();
    while (fifo.nr_pages < 5)
        ASSERT_EQ(fifo_add_page(frame_alloc()), 0);
    EXPECT_EVENTS(last);
    EXPECT_EQ(event_send(last), 0);
    EXPECT_EVENTS(last);
    events_off();                                       /* all of them in one queue */
    for (unsigned i = 0; i < n; i++)
        bad += event_send(ports[i]) != 0;
    events_on();
    for (unsigned i = 0; i < n; i++)
        again += *fifo_word(ports[i]) != 0;
    EXPECT_EQ(fifo.nr_logged, n);
    EXPECT_EQ(again, 0);
    for (unsigned i = 0; i < n; i++) {
        struct evtchn_close op = { .port = ports[i] };

        bad += xen_event_channel_op(EVTCHNOP_close, &op) != 0;
    }
    EXPECT_EQ(bad, 0);
}

/* The array has a maximum. The same frame may be added twice, which harms only the guest itself. */
static void array_is_full(void)
{
    mfn_t mfn;

    need_fifo();
    mfn = pfn_to_mfn(frame_alloc());
    for (unsigned n = fifo.nr_pages; n < MAX_PAGES; n++)
        ASSERT_EQ(fifo_expand_array(mfn), 0);
    EXPECT_EQ(fifo_expand_array(mfn), -XEN_ENOSPC);
    EXPECT_EQ(event_send(EVTCHN_FIFO_NR_CHANNELS), -XEN_EINVAL);
    EXPECT_EQ(event_send(~0u), -XEN_EINVAL);
}

/* --- A guest that overwrites its queues ------------------------------------------------------- */

static uint32_t noise(void)
{
    static uint32_t x = 2463534242;

    x ^= x << 13, x ^= x >> 17, x ^= x << 5;
    return x;
}

/* The guest may write anything into the words and the control block: the hypervisor and other
 * domains are not affected. When all words are zero again, events work again. */
static void scribbled_words(void)
{
    port_t ports[8];

    need_fifo();
    for (unsigned i = 0; i < 8; i++)
        ports[i] = fifo_new_port();
    events_off();
    for (unsigned round = 0; round < 2000; round++) {
        port_t port = ports[noise() % 8];

        *fifo_word(ports[noise() % 8]) = noise();
        if (noise() % 4 == 0)
            fifo.control->head[noise() % EVTCHN_FIFO_MAX_QUEUES] = noise();
        if (noise() % 4 == 0)
            fifo.control->ready = noise();
        if (noise() % 4 == 0)
            EXPECT_EQ(fifo_set_priority(port, noise() % EVTCHN_FIFO_MAX_QUEUES), 0);
        if (noise() % 8 == 0)
            event_unmask(port);
        EXPECT_EQ(event_send(port), 0);
    }
    *fifo_word(ports[0]) = FIFO_BUSY | FIFO_LINKED | ports[0];
    EXPECT_EQ(event_send(ports[1]), 0);
    for (unsigned i = 0; i < WORDS_PER_PAGE; i++)
        *fifo_word(i) = 0;
    memset((void *)fifo.control->head, 0, sizeof(fifo.control->head));
    memset(fifo.head, 0, sizeof(fifo.head));
    fifo.control->ready = 0;
    shared_info->vcpu_info[0].evtchn_upcall_pending = 0;
    events_on();
    fifo.nr_logged = 0;
    for (unsigned i = 0; i < 8; i++) {
        EXPECT_EQ(event_send(ports[i]), 0);
        EXPECT_EVENTS(ports[i]);
        event_close(ports[i]);
    }
}

/* --- The way back ----------------------------------------------------------------------------- */

static void reset(void)
{
    struct evtchn_reset op = { .dom = DOMID_SELF };
    pfn_t pfn = v2p((void *)fifo.pages[0]);
    port_t port;

    need_fifo();
    events_off();
    ASSERT_EQ(xen_event_channel_op(EVTCHNOP_reset, &op), 0);
    event_set_dispatcher(NULL);
    fifo.nr_pages = 0;
    memset((void *)shared_info->evtchn_pending, 0, sizeof(shared_info->evtchn_pending));
    events_on();
    clock_init();                                       /* its port was closed, too */
    port = fifo_new_port();
    EXPECT_EQ(event_send(port), 0);                     /* by the bitmaps */
    EXPECT_EQ(event_count(port), 1);
    EXPECT_EQ(fifo_expand_array(pfn_to_mfn(pfn)), -XEN_EOPNOTSUPP);
    EXPECT_EQ(event_close(port), 0);
    EXPECT_EQ(frame_set_ro(pfn), 0);                    /* the frames are no longer held */
    memset(p2v(fifo.control_pfn), 0, PAGE_SIZE);
    EXPECT_EQ(frame_set_rw(pfn), 0);
    memset(p2v(pfn), 0, PAGE_SIZE);
    EXPECT_EQ(frame_set_ro(pfn), 0);
    EXPECT_EQ(mmu_pin(1, pfn), 0);
    EXPECT_EQ(mmu_unpin(pfn), 0);
    EXPECT_EQ(frame_set_rw(pfn), 0);
}

SUITE_PART(fifo, 96, 1, TEST(other_vcpu), TEST(more_than_bitmaps_have), TEST(array_is_full),
           TEST(scribbled_words), TEST(reset));
