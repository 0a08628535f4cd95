/* Suite "fifo" (only by name): FIFO event channels: the switch from the bitmaps, order, priorities
 * and masks; its other half is fifo_limits.c, the guest's side of the queues fifo_consumer.c. The
 * domain keeps the new ABI until the last test, so the tests need each other, in this order.
 * Two-level event channels are in events.c. */
#include "clock.h"
#include "fifo.h"
#include "hypercall.h"
#include "suite.h"
#include "thread.h"

#define OFFSET       256                        /* of the control block in its page */
#define UNMAPPED     ((void *)0xffffff0000001000ul)

/* --- The switch ------------------------------------------------------------------------------- */

static void before_the_switch(void)
{
    static const uint32_t bad_offsets[] = {
        1, 4, 0xffc, PAGE_SIZE, PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) + 8,
        0x80000000, ~0u,
    };
    mfn_t mfn = pfn_to_mfn(fifo.control_pfn = frame_alloc());
    port_t port = fifo_new_port();

    EXPECT_EQ(fifo_expand_array(mfn), -XEN_EOPNOTSUPP);
    EXPECT_EQ(fifo_set_priority(port, 0), -XEN_ENOSYS);
    EXPECT_EQ(fifo_set_priority(~0u, 0), -XEN_EINVAL);
    for (unsigned i = 0; i < sizeof(bad_offsets) / sizeof(bad_offsets[0]); i++)
        EXPECT_EQ(fifo_init_control(mfn, bad_offsets[i], 0, NULL), -XEN_EINVAL);
    EXPECT_EQ(fifo_init_control(mfn, 0, 9999, NULL), -XEN_ENOENT);
    EXPECT_EQ(fifo_init_control(1ul << 40, 0, 0, NULL), -XEN_EINVAL);
    EXPECT_EQ(fifo_init_control(~0ul, 0, 0, NULL), -XEN_EINVAL);
    EXPECT_EQ(fifo_init_control(pfn_to_mfn(kernel_root()), 0, 0, NULL), -XEN_EINVAL);
    EXPECT_EQ(xen_event_channel_op(EVTCHNOP_init_control, UNMAPPED), -XEN_EFAULT);
    EXPECT_EQ(xen_event_channel_op(EVTCHNOP_expand_array, UNMAPPED), -XEN_EFAULT);
    EXPECT_EQ(xen_event_channel_op(EVTCHNOP_set_priority, UNMAPPED), -XEN_EFAULT);
    EXPECT_EQ(event_send(port), 0);                     /* still by the bitmaps */
    EXPECT_EQ(event_count(port), 1);
    EXPECT_EQ(event_close(port), 0);
}

/* A port that was bound before still works. An event that was pending before is delivered when the
 * port's word has a page. */
static void the_switch(void)
{
    port_t port = fifo_new_port(), quiet = fifo_new_port();
    unsigned link_bits = 0;
    pfn_t pfn = frame_alloc();

    event_mask(port);                   /* the switch drops masks of the bitmaps */
    ASSERT_EQ(event_send(port), 0);
    ASSERT(event_pending(port));
    events_off();
    fifo.control = (void *)((char *)p2v(fifo.control_pfn) + OFFSET);
    ASSERT_EQ(fifo_init_control(pfn_to_mfn(fifo.control_pfn), OFFSET, 0, &link_bits), 0);
    event_set_dispatcher(fifo_dispatch);
    EXPECT_EQ(link_bits, EVTCHN_FIFO_LINK_BITS);
    EXPECT_EQ(fifo_init_control(pfn_to_mfn(fifo.control_pfn), OFFSET, 0, NULL), -XEN_EINVAL);
    EXPECT_EQ(fifo_expand_array(~0ul), -XEN_EINVAL);
    EXPECT_EQ(fifo_expand_array(pfn_to_mfn(kernel_root())), -XEN_EINVAL);
    ASSERT_EQ(fifo_add_page(pfn), 0);
    EXPECT_EQ(*fifo_word(port), FIFO_PENDING | FIFO_LINKED);
    EXPECT_EQ(*fifo_word(quiet), 0);
    EXPECT(fifo.control->ready & 1u << EVTCHN_FIFO_PRIORITY_DEFAULT);
    events_on();
    EXPECT_EVENTS(port);
    EXPECT_EQ(fifo.log[0].priority, EVTCHN_FIFO_PRIORITY_DEFAULT);
    EXPECT_EQ(event_send(quiet), 0);
    EXPECT_EVENTS(quiet);
    EXPECT_EQ(event_close(port), 0);
    EXPECT_EQ(event_close(quiet), 0);
    /* The hypervisor holds the frames: they cannot become page tables. */
    EXPECT_EQ(frame_set_ro(pfn), 0);
    EXPECT(mmu_pin(1, pfn) < 0);
    EXPECT_EQ(frame_set_rw(pfn), 0);
    EXPECT_EQ(frame_set_ro(fifo.control_pfn), 0);
    EXPECT(mmu_pin(1, fifo.control_pfn) < 0);
    EXPECT_EQ(frame_set_rw(fifo.control_pfn), 0);
}

static void timer_still_works(void)
{
    uint64_t before = clock_irqs;

    need_fifo();
    for (unsigned i = 0; i < 5; i++)
        thread_sleep(2 * NS_PER_MS);
    EXPECT(clock_irqs >= before + 5);
}

/* --- Queues ----------------------------------------------------------------------------------- */

/* Ports are delivered in the order of their events. A port that is in a queue is not put there a
 * second time. */
static void first_in_first_out(void)
{
    port_t a, b, c;

    need_fifo();
    a = fifo_new_port(), b = fifo_new_port(), c = fifo_new_port();
    fifo.nr_logged = 0;
    events_off();
    EXPECT_EQ(event_send(c), 0);
    EXPECT_EQ(event_send(a), 0);
    EXPECT_EQ(event_send(c), 0);
    EXPECT_EQ(event_send(b), 0);
    EXPECT_EQ(*fifo_word(a), FIFO_PENDING | FIFO_LINKED | b);
    EXPECT_EQ(*fifo_word(b), FIFO_PENDING | FIFO_LINKED);
    events_on();
    EXPECT_EVENTS(c, a, b);
    EXPECT_EQ(event_send(b), 0);
    EXPECT_EQ(event_send(b), 0);
    EXPECT_EQ(event_send(a), 0);
    EXPECT_EVENTS(b, b, a);
    event_close(a), event_close(b), event_close(c);
}

static void priorities(void)
{
    port_t low, high, normal;

    need_fifo();
    low = fifo_new_port(), high = fifo_new_port(), normal = fifo_new_port();
    fifo.nr_logged = 0;
    EXPECT_EQ(fifo_set_priority(low, EVTCHN_FIFO_PRIORITY_MIN), 0);
    EXPECT_EQ(fifo_set_priority(high, EVTCHN_FIFO_PRIORITY_MAX), 0);
    EXPECT_EQ(fifo_set_priority(low, EVTCHN_FIFO_PRIORITY_MIN + 1), -XEN_EINVAL);
    EXPECT_EQ(fifo_set_priority(low, ~0u), -XEN_EINVAL);
    EXPECT_EQ(fifo_set_priority(1u << 20, 0), -XEN_EINVAL);
    events_off();
    EXPECT_EQ(event_send(low), 0);
    EXPECT_EQ(event_send(normal), 0);
    EXPECT_EQ(event_send(high), 0);
    EXPECT_EQ(fifo.control->head[EVTCHN_FIFO_PRIORITY_MIN], low);
    EXPECT_EQ(fifo.control->head[EVTCHN_FIFO_PRIORITY_MAX], high);
    events_on();
    EXPECT_EQ(fifo.log[0].priority, EVTCHN_FIFO_PRIORITY_MAX);
    EXPECT_EVENTS(high, normal, low);
    event_close(low), event_close(high);
    low = fifo_new_port();                     /* a new port has the default */
    EXPECT_EQ(event_send(low), 0);
    EXPECT_EQ(fifo.log[0].priority, EVTCHN_FIFO_PRIORITY_DEFAULT);
    EXPECT_EVENTS(low);
    event_close(low), event_close(normal);
}

/* A port that is in a queue when its priority changes stays there; its next event uses the new
 * queue. The old queue, whose tail it was, is empty and still works. */
static void moved_between_queues(void)
{
    port_t a, b;

    need_fifo();
    a = fifo_new_port(), b = fifo_new_port();
    fifo.nr_logged = 0;
    events_off();
    EXPECT_EQ(event_send(a), 0);
    EXPECT_EQ(fifo_set_priority(a, 3), 0);
    EXPECT_EQ(event_send(a), 0);
    EXPECT_EQ(fifo.control->ready & (1u << 3), 0);
    events_on();
    EXPECT_EQ(fifo.log[0].priority, EVTCHN_FIFO_PRIORITY_DEFAULT);
    EXPECT_EVENTS(a);
    events_off();
    EXPECT_EQ(event_send(a), 0);
    EXPECT_EQ(event_send(b), 0);                        /* must not be linked behind a */
    EXPECT_EQ(*fifo_word(a) & FIFO_LINK_MASK, 0);
    events_on();
    EXPECT_EQ(fifo.log[0].priority, 3);
    EXPECT_EQ(fifo.log[1].priority, EVTCHN_FIFO_PRIORITY_DEFAULT);
    EXPECT_EVENTS(a, b);
    event_close(a), event_close(b);
}

static void port_mask(void)
{
    port_t port;

    need_fifo();
    port = fifo_new_port();
    fifo.nr_logged = 0;
    fifo_set_flags(port, FIFO_MASKED);
    EXPECT_EQ(event_send(port), 0);
    EXPECT_EQ(*fifo_word(port), FIFO_PENDING | FIFO_MASKED);
    event_force_upcall();
    EXPECT_NO_EVENTS();
    event_unmask(port);
    EXPECT_EVENTS(port);
    EXPECT_EQ(*fifo_word(port), 0);
    fifo_set_flags(port, FIFO_MASKED);
    event_unmask(port);                                 /* no event was sent */
    EXPECT_NO_EVENTS();
    events_off();                                       /* masked while in the queue */
    EXPECT_EQ(event_send(port), 0);
    fifo_set_flags(port, FIFO_MASKED);
    events_on();
    EXPECT_NO_EVENTS();
    event_unmask(port);
    EXPECT_EVENTS(port);
    event_close(port);
}

/* Any event that comes for the vCPU ends a poll, such as one of the console: so its time is judged
 * only if there was none. */
static void poll(void)
{
    struct sched_poll op = { .nr_ports = 1 };
    port_t port;

    need_fifo();
    port = fifo_new_port();
    set_xen_guest_handle(op.ports, &port);
    fifo_set_flags(port, FIFO_MASKED);
    EXPECT_EQ(event_send(port), 0);
    events_off();
    EXPECT_EQ(xen_sched_op(SCHEDOP_poll, &op), 0);      /* without an event it would never return */
    fifo_clear_flags(port, FIFO_PENDING);
    op.timeout = clock_ns() + 5 * NS_PER_MS;
    EXPECT_EQ(xen_sched_op(SCHEDOP_poll, &op), 0);
    EXPECT(clock_ns() >= op.timeout || shared_info->vcpu_info[0].evtchn_upcall_pending);
    events_on();
    event_close(port);
    fifo.nr_logged = 0;
}

/* Closing a port drops its event. A port that is still in a queue is not allocated again until the
 * guest has taken it off. */
static void closed_while_queued(void)
{
    port_t port, other;

    need_fifo();
    port = fifo_new_port();
    fifo.nr_logged = 0;
    events_off();
    EXPECT_EQ(event_send(port), 0);
    EXPECT_EQ(event_close(port), 0);
    EXPECT_EQ(*fifo_word(port), FIFO_LINKED);
    other = fifo_new_port();
    EXPECT(other != port);
    events_on();
    EXPECT_NO_EVENTS();
    event_close(other);
    other = fifo_new_port();
    EXPECT_EQ(other, port);
    EXPECT_EQ(event_send(other), 0);
    EXPECT_EVENTS(other);
    event_close(other);
}

SUITE(fifo, 96, SUITE_NAMED_ONLY, TEST(before_the_switch), TEST(the_switch),
      TEST(timer_still_works), TEST(first_in_first_out), TEST(priorities),
      TEST(moved_between_queues), TEST(port_mask), TEST(poll), TEST(closed_while_queued));
