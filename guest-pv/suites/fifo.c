/*
 * Suite "fifo": FIFO event channels: the switch from the bitmaps, order and priorities, masks,
 * queues that a port moves between, more ports than bitmaps have, words that we scribble over, and
 * the way back. The domain is another one afterwards, so it runs only when named, and its tests in
 * this order.
 *
 * Holds a consumer of its own, which keeps a log of what it takes off.
 */
#include <string.h>
#include "clock.h"
#include "console.h"
#include "event.h"
#include "gnttab.h"
#include "hypercall.h"
#include "mm.h"
#include "suite.h"
#include "thread.h"

#define FLAG_PENDING (1u << EVTCHN_FIFO_PENDING)
#define FLAG_MASKED  (1u << EVTCHN_FIFO_MASKED)
#define FLAG_LINKED  (1u << EVTCHN_FIFO_LINKED)
#define FLAG_BUSY    (1u << EVTCHN_FIFO_BUSY)
#define LINK_MASK    ((uint32_t)EVTCHN_FIFO_LINK_MASK)
#define WORDS        (PAGE_SIZE / sizeof(event_word_t))
#define MAX_PAGES    (EVTCHN_FIFO_NR_CHANNELS / WORDS)
#define LOW_PORTS    4096
#define OFFSET       256                        /* of the control block in its page */
#define UNMAPPED     ((void *)0xffffff0000001000ul)

static volatile struct evtchn_fifo_control_block *control;
static volatile event_word_t *pages[MAX_PAGES];
static unsigned nr_pages;
static pfn_t control_pfn;
static port_t head[EVTCHN_FIFO_MAX_QUEUES];     /* 0: look into the control block */

static struct {
    port_t port;
    unsigned priority;
} taken[64];
static volatile unsigned nr_taken;              /* the timer's and the console's are not counted */

/* --- the consumer ----------------------------------------------------------------------------- */

static volatile event_word_t *word(port_t port)
{
    return &pages[port / WORDS][port % WORDS];
}

static void set_flags(port_t port, uint32_t flags)
{
    __atomic_fetch_or(word(port), flags, __ATOMIC_SEQ_CST);
}

static bool clear_flags(port_t port, uint32_t flags)
{
    return __atomic_fetch_and(word(port), ~flags, __ATOMIC_SEQ_CST) & flags;
}

static void dequeue_one(unsigned priority, uint32_t *ready)
{
    port_t port = head[priority] ? head[priority] : control->head[priority];
    uint32_t w;

    if (port == 0 || port >= nr_pages * WORDS) {        /* only after we scribbled */
        head[priority] = 0;
        *ready &= ~(1u << priority);
        return;
    }
    w = __atomic_fetch_and(word(port), ~(FLAG_LINKED | LINK_MASK), __ATOMIC_SEQ_CST);
    head[priority] = w & LINK_MASK;
    if (head[priority] == 0)
        *ready &= ~(1u << priority);
    if ((w & FLAG_MASKED) || !clear_flags(port, FLAG_PENDING))
        return;
    event_deliver(port);
    if (port == clock_port || port == console_port())
        return;
    if (nr_taken < sizeof(taken) / sizeof(taken[0])) {
        taken[nr_taken].port = port;
        taken[nr_taken].priority = priority;
    }
    nr_taken++;
}

static void dispatch(void)
{
    volatile struct vcpu_info *v = &shared_info->vcpu_info[0];

    while (v->evtchn_upcall_pending) {
        uint32_t ready = 0;

        v->evtchn_upcall_pending = 0;
        for (;;) {
            ready |= __atomic_exchange_n(&control->ready, 0, __ATOMIC_SEQ_CST);
            if (ready == 0)
                break;
            dequeue_one(__builtin_ctz(ready), &ready);
        }
    }
}

static void expect_taken(int line, const port_t *ports, unsigned n)
{
    for (unsigned i = 0; i < n && i < nr_taken; i++)
        if (taken[i].port != ports[i])
            test_fail(__FILE__, line, "event %u was port %u, expected %u", i, taken[i].port, ports[i]);
    test_eq(__FILE__, line, "events", nr_taken, n);
    nr_taken = 0;
}
#define EXPECT_TAKEN(...)                                   \
    expect_taken(__LINE__, (const port_t[]){ __VA_ARGS__ }, \
                 sizeof((const port_t[]){ __VA_ARGS__ }) / sizeof(port_t))
#define EXPECT_NONE_TAKEN() expect_taken(__LINE__, NULL, 0)

/* --- hypercalls ------------------------------------------------------------------------------- */

static long init_control(mfn_t mfn, uint32_t offset, uint32_t vcpu, unsigned *link_bits)
{
    struct evtchn_init_control op = { .control_gfn = mfn, .offset = offset, .vcpu = vcpu };
    long rc = xen_event_channel_op(EVTCHNOP_init_control, &op);

    if (link_bits)
        *link_bits = op.link_bits;
    return rc;
}

static long expand_array(mfn_t mfn)
{
    struct evtchn_expand_array op = { .array_gfn = mfn };

    return xen_event_channel_op(EVTCHNOP_expand_array, &op);
}

/* The port is bound before its word's page exists: its event is delivered at the end of the call
 * that adds the page. */
static long add_page(pfn_t pfn)
{
    long rc;

    pages[nr_pages++] = p2v(pfn);
    rc = expand_array(pfn_to_mfn(pfn));
    if (rc != 0)
        nr_pages--;
    return rc;
}

static long set_priority(port_t port, uint32_t priority)
{
    struct evtchn_set_priority op = { .port = port, .priority = priority };

    return xen_event_channel_op(EVTCHNOP_set_priority, &op);
}

static long bind_vcpu(port_t port, uint32_t vcpu)
{
    struct evtchn_bind_vcpu op = { .port = port, .vcpu = vcpu };

    return xen_event_channel_op(EVTCHNOP_bind_vcpu, &op);
}

static port_t new_ipi(void)
{
    int port = event_bind_ipi(NULL, NULL);

    ASSERT(port > 0);
    ASSERT((unsigned)port < LOW_PORTS);
    return port;
}

static void need_fifo(void)
{
    if (nr_pages == 0)
        SKIP("the domain did not change to FIFO event channels");
}

static bool second_vcpu(void)
{
    return xen_vcpu_op(VCPUOP_is_up, 1, NULL) >= 0;
}

/* --- the switch ------------------------------------------------------------------------------- */

static void before_the_switch(void)
{
    static const uint32_t bad_offsets[] = {
        1, 4, 0xffc, PAGE_SIZE, PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) + 8, 0x80000000, ~0u
    };
    mfn_t mfn = pfn_to_mfn(control_pfn = frame_alloc());
    port_t port = new_ipi();

    EXPECT_EQ(expand_array(mfn), -XEN_EOPNOTSUPP);
    EXPECT_EQ(set_priority(port, 0), -XEN_ENOSYS);
    EXPECT_EQ(set_priority(~0u, 0), -XEN_EINVAL);
    for (unsigned i = 0; i < sizeof(bad_offsets) / sizeof(bad_offsets[0]); i++)
        EXPECT_EQ(init_control(mfn, bad_offsets[i], 0, NULL), -XEN_EINVAL);
    EXPECT_EQ(init_control(mfn, 0, 9999, NULL), -XEN_ENOENT);
    EXPECT_EQ(init_control(1ul << 40, 0, 0, NULL), -XEN_EINVAL);
    EXPECT_EQ(init_control(~0ul, 0, 0, NULL), -XEN_EINVAL);
    EXPECT_EQ(init_control(pfn_to_mfn(kernel_root()), 0, 0, NULL), -XEN_EINVAL);
    EXPECT_EQ(xen_event_channel_op(EVTCHNOP_init_control, UNMAPPED), -XEN_EFAULT);
    EXPECT_EQ(xen_event_channel_op(EVTCHNOP_expand_array, UNMAPPED), -XEN_EFAULT);
    EXPECT_EQ(xen_event_channel_op(EVTCHNOP_set_priority, UNMAPPED), -XEN_EFAULT);
    EXPECT_EQ(event_send(port), 0);                     /* and nothing has changed */
    EXPECT_EQ(event_count(port), 1);
    EXPECT_EQ(event_close(port), 0);
}

/* A port that was bound before works on, and what was pending comes when its word has a page. */
static void the_switch(void)
{
    port_t port = new_ipi(), quiet = new_ipi();
    unsigned link_bits = 0;
    pfn_t pfn = frame_alloc();

    event_mask(port);                                   /* masks of the bitmaps are gone with them */
    ASSERT_EQ(event_send(port), 0);
    ASSERT(event_pending(port));
    events_off();
    control = (void *)((char *)p2v(control_pfn) + OFFSET);
    ASSERT_EQ(init_control(pfn_to_mfn(control_pfn), OFFSET, 0, &link_bits), 0);
    event_set_dispatcher(dispatch);
    EXPECT_EQ(link_bits, EVTCHN_FIFO_LINK_BITS);
    EXPECT_EQ(init_control(pfn_to_mfn(control_pfn), OFFSET, 0, NULL), -XEN_EINVAL);
    EXPECT_EQ(expand_array(~0ul), -XEN_EINVAL);
    EXPECT_EQ(expand_array(pfn_to_mfn(kernel_root())), -XEN_EINVAL);
    ASSERT_EQ(add_page(pfn), 0);
    EXPECT_EQ(*word(port), FLAG_PENDING | FLAG_LINKED);
    EXPECT_EQ(*word(quiet), 0);
    EXPECT(control->ready & 1u << EVTCHN_FIFO_PRIORITY_DEFAULT);
    events_on();
    EXPECT_TAKEN(port);
    EXPECT_EQ(taken[0].priority, EVTCHN_FIFO_PRIORITY_DEFAULT);
    EXPECT_EQ(event_send(quiet), 0);
    EXPECT_TAKEN(quiet);
    EXPECT_EQ(event_close(port), 0);
    EXPECT_EQ(event_close(quiet), 0);
    /* the frames are held: they cannot become tables */
    EXPECT_EQ(frame_set_ro(pfn), 0);
    EXPECT(mmu_pin(1, pfn) < 0);
    EXPECT_EQ(frame_set_rw(pfn), 0);
    EXPECT_EQ(frame_set_ro(control_pfn), 0);
    EXPECT(mmu_pin(1, control_pfn) < 0);
    EXPECT_EQ(frame_set_rw(control_pfn), 0);
}

static void timer_still_works(void)
{
    uint64_t before = clock_irqs;

    need_fifo();
    for (unsigned i = 0; i < 5; i++)
        thread_sleep(2 * NS_PER_MS);
    EXPECT(clock_irqs >= before + 5);
}

/* --- queues ----------------------------------------------------------------------------------- */

/* Ports are delivered in the order of their events; a second send of a waiting port is no second
 * event. */
static void first_in_first_out(void)
{
    port_t a, b, c;

    need_fifo();
    a = new_ipi(), b = new_ipi(), c = new_ipi();
    nr_taken = 0;
    events_off();
    EXPECT_EQ(event_send(c), 0);
    EXPECT_EQ(event_send(a), 0);
    EXPECT_EQ(event_send(c), 0);
    EXPECT_EQ(event_send(b), 0);
    EXPECT_EQ(*word(a), FLAG_PENDING | FLAG_LINKED | b);
    EXPECT_EQ(*word(b), FLAG_PENDING | FLAG_LINKED);
    events_on();
    EXPECT_TAKEN(c, a, b);
    EXPECT_EQ(event_send(b), 0);
    EXPECT_EQ(event_send(b), 0);
    EXPECT_EQ(event_send(a), 0);
    EXPECT_TAKEN(b, b, a);
    event_close(a), event_close(b), event_close(c);
}

static void priorities(void)
{
    port_t low, high, normal;

    need_fifo();
    low = new_ipi(), high = new_ipi(), normal = new_ipi();
    nr_taken = 0;
    EXPECT_EQ(set_priority(low, EVTCHN_FIFO_PRIORITY_MIN), 0);
    EXPECT_EQ(set_priority(high, EVTCHN_FIFO_PRIORITY_MAX), 0);
    EXPECT_EQ(set_priority(low, EVTCHN_FIFO_PRIORITY_MIN + 1), -XEN_EINVAL);
    EXPECT_EQ(set_priority(low, ~0u), -XEN_EINVAL);
    EXPECT_EQ(set_priority(1u << 20, 0), -XEN_EINVAL);
    events_off();
    EXPECT_EQ(event_send(low), 0);
    EXPECT_EQ(event_send(normal), 0);
    EXPECT_EQ(event_send(high), 0);
    EXPECT_EQ(control->head[EVTCHN_FIFO_PRIORITY_MIN], low);
    EXPECT_EQ(control->head[EVTCHN_FIFO_PRIORITY_MAX], high);
    events_on();
    EXPECT_EQ(taken[0].priority, EVTCHN_FIFO_PRIORITY_MAX);
    EXPECT_TAKEN(high, normal, low);
    event_close(low), event_close(high);
    low = new_ipi();                                    /* a new owner begins with the default */
    EXPECT_EQ(event_send(low), 0);
    EXPECT_EQ(taken[0].priority, EVTCHN_FIFO_PRIORITY_DEFAULT);
    EXPECT_TAKEN(low);
    event_close(low), event_close(normal);
}

/* A waiting port stays in its queue; its next event uses the new one. The old queue, whose tail it
 * was, is empty and still works. */
static void moved_between_queues(void)
{
    port_t a, b;

    need_fifo();
    a = new_ipi(), b = new_ipi();
    nr_taken = 0;
    events_off();
    EXPECT_EQ(event_send(a), 0);
    EXPECT_EQ(set_priority(a, 3), 0);
    EXPECT_EQ(event_send(a), 0);
    EXPECT_EQ(control->ready & (1u << 3), 0);
    events_on();
    EXPECT_EQ(taken[0].priority, EVTCHN_FIFO_PRIORITY_DEFAULT);
    EXPECT_TAKEN(a);
    events_off();
    EXPECT_EQ(event_send(a), 0);
    EXPECT_EQ(event_send(b), 0);                        /* must not be linked behind a */
    EXPECT_EQ(*word(a) & LINK_MASK, 0);
    events_on();
    EXPECT_EQ(taken[0].priority, 3);
    EXPECT_EQ(taken[1].priority, EVTCHN_FIFO_PRIORITY_DEFAULT);
    EXPECT_TAKEN(a, b);
    event_close(a), event_close(b);
}

static void port_mask(void)
{
    port_t port;

    need_fifo();
    port = new_ipi();
    nr_taken = 0;
    set_flags(port, FLAG_MASKED);
    EXPECT_EQ(event_send(port), 0);
    EXPECT_EQ(*word(port), FLAG_PENDING | FLAG_MASKED);
    event_force_upcall();
    EXPECT_NONE_TAKEN();
    event_unmask(port);
    EXPECT_TAKEN(port);
    EXPECT_EQ(*word(port), 0);
    set_flags(port, FLAG_MASKED);
    event_unmask(port);                                 /* nothing came: nothing comes */
    EXPECT_NONE_TAKEN();
    events_off();                                       /* masked while it stands in the queue: passed over */
    EXPECT_EQ(event_send(port), 0);
    set_flags(port, FLAG_MASKED);
    events_on();
    EXPECT_NONE_TAKEN();
    event_unmask(port);
    EXPECT_TAKEN(port);
    event_close(port);
}

static void poll(void)
{
    struct sched_poll op = { .nr_ports = 1 };
    uint64_t start = clock_ns();
    port_t port;

    need_fifo();
    port = new_ipi();
    set_xen_guest_handle(op.ports, &port);
    set_flags(port, FLAG_MASKED);
    EXPECT_EQ(event_send(port), 0);
    EXPECT_EQ(xen_sched_op(SCHEDOP_poll, &op), 0);      /* no timeout: it would not return */
    clear_flags(port, FLAG_PENDING);
    op.timeout = clock_ns() + 5 * NS_PER_MS;
    EXPECT_EQ(xen_sched_op(SCHEDOP_poll, &op), 0);
    EXPECT(clock_ns() >= start + 5 * NS_PER_MS);
    event_close(port);
    nr_taken = 0;
}

/* Closing a port drops its event; a port that still stands in a queue is not reused until it was
 * taken off. */
static void closed_while_queued(void)
{
    port_t port, other;

    need_fifo();
    port = new_ipi();
    nr_taken = 0;
    events_off();
    EXPECT_EQ(event_send(port), 0);
    EXPECT_EQ(event_close(port), 0);
    EXPECT_EQ(*word(port), FLAG_LINKED);
    other = new_ipi();
    EXPECT(other != port);
    events_on();
    EXPECT_NONE_TAKEN();
    event_close(other);
    other = new_ipi();
    EXPECT_EQ(other, port);
    EXPECT_EQ(event_send(other), 0);
    EXPECT_TAKEN(other);
    event_close(other);
}

/* --- vCPUs ------------------------------------------------------------------------------------ */

/* The other vCPU never runs here, but its queues can be read. The port's event stays in the old
 * queue when the port moves. */
static void other_vcpu(void)
{
    struct evtchn_fifo_control_block *theirs;
    int a, b;
    pfn_t pfn;

    need_fifo();
    if (!second_vcpu())
        SKIP("one vCPU");
    a = event_alloc_unbound(DOMID_SELF, NULL, NULL);
    ASSERT(a > 0);
    b = event_bind_interdomain(DOMID_SELF, a, NULL, NULL);
    ASSERT(b > 0);
    EXPECT_EQ(bind_vcpu(a, 1), 0);
    EXPECT_EQ(event_send(b), 0);                        /* no control block: it stands nowhere */
    EXPECT_EQ(*word(a) & FLAG_LINKED, 0);
    pfn = frame_alloc();
    theirs = p2v(pfn);
    ASSERT_EQ(init_control(pfn_to_mfn(pfn), 0, 1, NULL), 0);
    EXPECT_EQ(init_control(pfn_to_mfn(pfn), 128, 1, NULL), -XEN_EINVAL);
    event_force_upcall();
    nr_taken = 0;
    EXPECT_EQ(event_send(b), 0);
    EXPECT_EQ(*word(a), FLAG_PENDING | FLAG_LINKED);
    EXPECT_EQ(theirs->ready, 1u << EVTCHN_FIFO_PRIORITY_DEFAULT);
    EXPECT_EQ(theirs->head[EVTCHN_FIFO_PRIORITY_DEFAULT], a);
    EXPECT_EQ(shared_info->vcpu_info[1].evtchn_upcall_pending, 1);
    EXPECT_EQ(bind_vcpu(a, 0), 0);
    EXPECT_EQ(event_send(b), 0);
    EXPECT_NONE_TAKEN();
    *word(a) = 0;                                       /* taken off and handled there */
    EXPECT_EQ(event_send(b), 0);
    EXPECT_TAKEN(a);
    event_close(a), event_close(b);
}

/* --- many ports ------------------------------------------------------------------------------- */

static void more_than_bitmaps_have(void)
{
    static port_t ports[LOW_PORTS + 200];
    unsigned n, bad = 0, again = 0;
    port_t last;
    long rc = 0;

    need_fifo();
    for (n = 0; n < LOW_PORTS + 200; n++) {
        struct evtchn_bind_ipi op = { .vcpu = 0 };

        rc = xen_event_channel_op(EVTCHNOP_bind_ipi, &op);
        if (rc != 0)
            break;
        ports[n] = op.port;
    }
    if (rc == -XEN_ENOSPC && ports[n - 1] == 1023) {    /* what a domain gets by default */
        while (n-- > 0)
            event_close(ports[n]);
        SKIP("this domain has 1023 ports (max_ports=)");
    }
    ASSERT_EQ(n, LOW_PORTS + 200);
    last = ports[n - 1];
    EXPECT(last >= LOW_PORTS);
    nr_taken = 0;
    EXPECT_EQ(event_send(last), 0);                     /* its word has no page yet */
    EXPECT_NONE_TAKEN();
    while (nr_pages < 5)
        ASSERT_EQ(add_page(frame_alloc()), 0);
    EXPECT_TAKEN(last);
    EXPECT_EQ(event_send(last), 0);
    EXPECT_TAKEN(last);
    events_off();                                       /* each of them in one queue */
    for (unsigned i = 0; i < n; i++)
        bad += event_send(ports[i]) != 0;
    events_on();
    for (unsigned i = 0; i < n; i++)
        again += *word(ports[i]) != 0;
    EXPECT_EQ(nr_taken, n);
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
    for (unsigned n = nr_pages; n < MAX_PAGES; n++)
        ASSERT_EQ(expand_array(mfn), 0);
    EXPECT_EQ(expand_array(mfn), -XEN_ENOSPC);
    EXPECT_EQ(event_send(EVTCHN_FIFO_NR_CHANNELS), -XEN_EINVAL);
    EXPECT_EQ(event_send(~0u), -XEN_EINVAL);
}

/* --- scribbling ------------------------------------------------------------------------------- */

static uint32_t noise(void)
{
    static uint32_t x = 2463534242;

    x ^= x << 13, x ^= x >> 17, x ^= x << 5;
    return x;
}

/* Nothing that we write there harms others; once the words are zero again, events work again. */
static void scribbled_words(void)
{
    port_t ports[8];

    need_fifo();
    for (unsigned i = 0; i < 8; i++)
        ports[i] = new_ipi();
    events_off();
    for (unsigned round = 0; round < 2000; round++) {
        port_t port = ports[noise() % 8];

        *word(ports[noise() % 8]) = noise();
        if (noise() % 4 == 0)
            control->head[noise() % EVTCHN_FIFO_MAX_QUEUES] = noise();
        if (noise() % 4 == 0)
            control->ready = noise();
        if (noise() % 4 == 0)
            EXPECT_EQ(set_priority(port, noise() % EVTCHN_FIFO_MAX_QUEUES), 0);
        if (noise() % 8 == 0)
            event_unmask(port);
        EXPECT_EQ(event_send(port), 0);
    }
    *word(ports[0]) = FLAG_BUSY | FLAG_LINKED | ports[0];
    EXPECT_EQ(event_send(ports[1]), 0);
    for (unsigned i = 0; i < WORDS; i++)
        *word(i) = 0;
    memset((void *)control->head, 0, sizeof(control->head));
    memset(head, 0, sizeof(head));
    control->ready = 0;
    shared_info->vcpu_info[0].evtchn_upcall_pending = 0;
    events_on();
    nr_taken = 0;
    for (unsigned i = 0; i < 8; i++) {
        EXPECT_EQ(event_send(ports[i]), 0);
        EXPECT_TAKEN(ports[i]);
        event_close(ports[i]);
    }
}

/* --- and back --------------------------------------------------------------------------------- */

static void reset(void)
{
    struct evtchn_reset op = { .dom = DOMID_SELF };
    pfn_t pfn = v2p((void *)pages[0]);
    port_t port;

    need_fifo();
    events_off();
    ASSERT_EQ(xen_event_channel_op(EVTCHNOP_reset, &op), 0);
    event_set_dispatcher(NULL);
    nr_pages = 0;
    memset((void *)shared_info->evtchn_pending, 0, sizeof(shared_info->evtchn_pending));    /* as of old */
    events_on();
    clock_init();                                       /* the timer's port went with the others */
    port = new_ipi();
    EXPECT_EQ(event_send(port), 0);                     /* by the bitmaps */
    EXPECT_EQ(event_count(port), 1);
    EXPECT_EQ(expand_array(pfn_to_mfn(pfn)), -XEN_EOPNOTSUPP);
    EXPECT_EQ(event_close(port), 0);
    EXPECT_EQ(frame_set_ro(pfn), 0);                    /* nobody holds the frames any more */
    memset(p2v(control_pfn), 0, PAGE_SIZE);
    EXPECT_EQ(frame_set_rw(pfn), 0);
    memset(p2v(pfn), 0, PAGE_SIZE);
    EXPECT_EQ(frame_set_ro(pfn), 0);
    EXPECT_EQ(mmu_pin(1, pfn), 0);
    EXPECT_EQ(mmu_unpin(pfn), 0);
    EXPECT_EQ(frame_set_rw(pfn), 0);
}

SUITE(fifo, 96, SUITE_NAMED_ONLY, TEST(before_the_switch), TEST(the_switch), TEST(timer_still_works),
      TEST(first_in_first_out), TEST(priorities), TEST(moved_between_queues), TEST(port_mask), TEST(poll),
      TEST(closed_while_queued), TEST(other_vcpu), TEST(more_than_bitmaps_have), TEST(array_is_full),
      TEST(scribbled_words), TEST(reset));
