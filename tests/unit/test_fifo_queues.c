/* The queues of FIFO event channels, against a consumer that obeys the protocol and a guest that
 * does not. */
#include "cmocka_main.h"
#include "fifo_fixture.h"

#define LINK_MASK ((uint32_t)EVTCHN_FIFO_LINK_MASK)
#define WORDS (PAGE_SIZE / sizeof(event_word_t))

#define NR_PORTS 12u

static evtchn_port_t ports[NR_PORTS], peers[NR_PORTS], head[2][EVTCHN_FIFO_MAX_QUEUES];
static uint32_t ready[2];
static bool due[NR_PORTS];              /* the model: sent, and not handled since */

/* Consumes at most `limit` ports, lowest priority number first; every one that it handles was
 * pending. */
static void consume(unsigned vcpu, unsigned limit)
{
    struct evtchn_fifo_control_block *c = control[vcpu];

    a->vcpu[vcpu]->info->evtchn_upcall_pending = 0;
    while (limit-- > 0 && (ready[vcpu] |= c->ready) != 0) {
        unsigned q = (unsigned)__builtin_ctz(ready[vcpu]);
        evtchn_port_t port = head[vcpu][q] != 0 ? head[vcpu][q] : c->head[q];
        uint32_t w = array[port];

        c->ready = 0;
        assert_true(w & LINKED);
        array[port] = w & ~(LINKED | LINK_MASK);
        head[vcpu][q] = w & LINK_MASK;
        if (head[vcpu][q] == 0)
            ready[vcpu] &= ~(1u << q);
        if (!(w & PENDING) || (w & MASKED))
            continue;
        array[port] &= ~PENDING;
        for (unsigned i = 0; i < NR_PORTS; i++)
            if (ports[i] == port) {
                assert_true(due[i]);
                due[i] = false;
            }
    }
    /* the consumer was interrupted, and will read the queues again */
    if ((ready[vcpu] | c->ready) != 0)
        a->vcpu[vcpu]->info->evtchn_upcall_pending = 1;
}

static void connect_ports(void)
{
    for (unsigned i = 0; i < NR_PORTS; i++) {
        struct evtchn_alloc_unbound u = { .dom = DOMID_SELF, .remote_dom = 1 };
        struct evtchn_bind_interdomain s = { .remote_dom = 2 };

        host_become(b->vcpu[0]);
        assert_int_equal(OP(alloc_unbound, u), 0);
        host_become(a->vcpu[0]);
        s.remote_port = peers[i] = u.port;
        assert_int_equal(OP(bind_interdomain, s), 0);
        ports[i] = s.local_port;
        due[i] = true;                  /* binding raises it */
    }
}

/* Another domain sends; ports are masked, unmasked and moved between vCPUs and priorities at any
 * moment, in a queue or not; the consumers stop anywhere. At the end no event is lost and no port
 * is still linked. */
static void no_event_is_lost(void **state)
{
    (void)state;
    memset(head, 0, sizeof(head));
    connect_ports();
    use_fifo();
    for (unsigned round = 0; round < 20000; round++) {
        unsigned i = (unsigned)(host_random() % NR_PORTS);
        struct evtchn_unmask unmask = { .port = ports[i] };
        struct evtchn_bind_vcpu move = { .port = ports[i], .vcpu = (uint32_t)(host_random() % 2) };

        switch (host_random() % 8) {
        case 0:
            array[ports[i]] |= MASKED;
            break;
        case 1:
            assert_int_equal(QUICK(unmask, unmask), 0);
            break;
        case 2:
            assert_int_equal(QUICK(bind_vcpu, move), 0);
            break;
        case 3:
            assert_int_equal(set_priority(ports[i], (uint32_t)(host_random() % 3)), 0);
            break;
        case 4:
            consume((unsigned)(host_random() % 2), (unsigned)(host_random() % 6));
            break;
        default:
            host_become(b->vcpu[0]);
            assert_int_equal(send_port(peers[i]), 0);
            host_become(a->vcpu[0]);
            due[i] = true;
        }
        if (round % 500 != 0)
            continue;
        for (i = 0; i < NR_PORTS; i++) {
            unmask.port = ports[i];
            assert_int_equal(QUICK(unmask, unmask), 0);
        }
        for (i = 0; i < 2; i++)
            if (a->vcpu[i]->info->evtchn_upcall_pending)
                consume(i, 1000);
        for (i = 0; i < NR_PORTS; i++) {
            assert_false(due[i]);
            assert_int_equal(array[ports[i]], 0);
        }
    }
    audit();
}

/* Words, heads and ready bits are random. Sends succeed, nothing outside the three pages changes,
 * and the other domain still gets its events. */
static void random_words_harm_nobody(void **state)
{
    char *fence = page_of(3);

    (void)state;
    connect_ports();
    use_fifo();
    memset(fence, 0x5a, PAGE_SIZE);
    for (unsigned round = 0; round < 20000; round++) {
        unsigned i = (unsigned)(host_random() % NR_PORTS);
        struct evtchn_unmask unmask = { .port = ports[i] };
        struct evtchn_bind_vcpu move = { .port = ports[i], .vcpu = (uint32_t)(host_random() % 2) };

        array[ports[host_random() % NR_PORTS]] = (uint32_t)host_random();
        control[host_random() % 2]->head[host_random() % 16] = (uint32_t)host_random();
        control[host_random() % 2]->ready = (uint32_t)host_random();
        assert_int_equal(set_priority(ports[i], (uint32_t)(host_random() % 16)), 0);
        assert_int_equal(QUICK(unmask, unmask), 0);
        assert_int_equal(QUICK(bind_vcpu, move), 0);
        assert_int_equal(send_port(ports[i]), 0);
        host_become(b->vcpu[0]);
        memset(b->shared->evtchn_pending, 0, sizeof(b->shared->evtchn_pending));
        assert_int_equal(send_port(peers[i]), 0);
        host_become(a->vcpu[0]);
        assert_true(array[ports[i]] & PENDING);
    }
    for (unsigned i = 0; i < PAGE_SIZE; i++)
        assert_int_equal(fence[i], 0x5a);
    for (unsigned i = NR_PORTS + 8; i < WORDS; i++)
        assert_int_equal(array[i], 0);
    audit();
}

/* A closed port that is still in a queue is not allocated again, however many such ports there
 * are. */
static void port_in_a_queue_is_not_allocated(void **state)
{
    evtchn_port_t port = new_ipi();
    struct evtchn_close s = { .port = port };

    (void)state;
    use_fifo();
    assert_int_equal(send_port(port), 0);
    assert_int_equal(OP(close, s), 0);
    assert_int_equal(array[port], LINKED);
    assert_true(new_ipi() > port);
    array[port] = 0;
    assert_int_equal(new_ipi(), port);
    for (unsigned i = 0; i < WORDS; i++)
        array[i] |= LINKED;
    assert_true(new_ipi() >= 128);      /* a port beyond the present tables */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guests(no_event_is_lost),
        with_guests(random_words_harm_nobody),
        with_guests(port_in_a_queue_is_not_allocated),
    };

    return cmocka_run_group_tests_name("fifo queues", tests, NULL, NULL);
}
