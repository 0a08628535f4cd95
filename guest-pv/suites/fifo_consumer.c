/* The guest's side of FIFO event channels: takes events off the queues, delivers and logs them; and
 * one function for each hypercall. Called by the tests in fifo.c and fifo_limits.c; the kernel's
 * own side is event.c, which knows the two-level bitmaps only. */
#include "clock.h"
#include "console.h"
#include "fifo.h"
#include "hypercall.h"
#include "suite.h"

struct fifo fifo;

volatile event_word_t *fifo_word(port_t port)
{
    return &fifo.pages[port / WORDS_PER_PAGE][port % WORDS_PER_PAGE];
}

void fifo_set_flags(port_t port, uint32_t flags)
{
    __atomic_fetch_or(fifo_word(port), flags, __ATOMIC_SEQ_CST);
}

bool fifo_clear_flags(port_t port, uint32_t flags)
{
    return __atomic_fetch_and(fifo_word(port), ~flags, __ATOMIC_SEQ_CST) & flags;
}

static void dequeue_one(unsigned priority, uint32_t *ready)
{
    port_t port = fifo.head[priority] ? fifo.head[priority] : fifo.control->head[priority];
    uint32_t w;

    if (port == 0 || port >= fifo.nr_pages * WORDS_PER_PAGE) {  /* after scribbled_words() only */
        fifo.head[priority] = 0;
        *ready &= ~(1u << priority);
        return;
    }
    w = __atomic_fetch_and(fifo_word(port), ~(FIFO_LINKED | FIFO_LINK_MASK), __ATOMIC_SEQ_CST);
    fifo.head[priority] = w & FIFO_LINK_MASK;
    if (fifo.head[priority] == 0)
        *ready &= ~(1u << priority);
    if ((w & FIFO_MASKED) || !fifo_clear_flags(port, FIFO_PENDING))
        return;
    event_deliver(port);
    if (port == clock_port || port == console_port())
        return;
    if (fifo.nr_logged < sizeof(fifo.log) / sizeof(fifo.log[0])) {
        fifo.log[fifo.nr_logged].port = port;
        fifo.log[fifo.nr_logged].priority = priority;
    }
    fifo.nr_logged++;
}

void fifo_dispatch(void)
{
    volatile struct vcpu_info *v = &shared_info->vcpu_info[0];

    while (v->evtchn_upcall_pending) {
        uint32_t ready = 0;

        v->evtchn_upcall_pending = 0;
        for (;;) {
            ready |= __atomic_exchange_n(&fifo.control->ready, 0, __ATOMIC_SEQ_CST);
            if (ready == 0)
                break;
            dequeue_one(__builtin_ctz(ready), &ready);
        }
    }
}

void fifo_expect(const char *file, int line, const port_t *ports, unsigned n)
{
    for (unsigned i = 0; i < n && i < fifo.nr_logged; i++)
        if (fifo.log[i].port != ports[i])
            test_fail(file, line, "event %u was port %u, expected %u", i, fifo.log[i].port,
                      ports[i]);
    test_eq(file, line, "events", fifo.nr_logged, n);
    fifo.nr_logged = 0;
}

long fifo_init_control(mfn_t mfn, uint32_t offset, uint32_t vcpu, unsigned *link_bits)
{
    struct evtchn_init_control op = { .control_gfn = mfn, .offset = offset, .vcpu = vcpu };
    long rc = xen_event_channel_op(EVTCHNOP_init_control, &op);

    if (link_bits)
        *link_bits = op.link_bits;
    return rc;
}

long fifo_expand_array(mfn_t mfn)
{
    struct evtchn_expand_array op = { .array_gfn = mfn };

    return xen_event_channel_op(EVTCHNOP_expand_array, &op);
}

long fifo_add_page(pfn_t pfn)
{
    long rc;

    fifo.pages[fifo.nr_pages++] = p2v(pfn);     /* before the call, which may deliver events */
    rc = fifo_expand_array(pfn_to_mfn(pfn));
    if (rc != 0)
        fifo.nr_pages--;
    return rc;
}

long fifo_set_priority(port_t port, uint32_t priority)
{
    struct evtchn_set_priority op = { .port = port, .priority = priority };

    return xen_event_channel_op(EVTCHNOP_set_priority, &op);
}

port_t fifo_new_port(void)
{
    int port = event_bind_ipi(NULL, NULL);

    ASSERT(port > 0);
    ASSERT((unsigned)port < TWO_LEVEL_PORTS);
    return port;
}

void need_fifo(void)
{
    if (fifo.nr_pages == 0)
        SKIP("the domain did not change to FIFO event channels");
}
