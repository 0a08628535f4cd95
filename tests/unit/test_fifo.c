/* FIFO event channels: what is allocated and freed, every refusal, the switch from two-level, and
 * queues against a consumer that obeys the protocol and a guest that does not. After each
 * hypercall the audit counts the references of the pages. */
#include "arch/arch.h"
#include "cmocka_main.h"
#include <string.h>
#include "evtchn_fixture.h"
#include "xen/core/alloc.h"
#include "xen/core/frame.h"
#include "xen/pv/hypercalls.h"

#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED (1u << EVTCHN_FIFO_MASKED)
#define LINKED (1u << EVTCHN_FIFO_LINKED)
#define LINK_MASK ((uint32_t)EVTCHN_FIFO_LINK_MASK)
#define WORDS (PAGE_SIZE / sizeof(event_word_t))
#define FIRST_PFN 0x30u                 /* pages of the guest that nothing else uses */

/* Without the audits, for thousands of random steps. */
static long quick(unsigned cmd, void *arg, size_t len)
{
    long rc;

    guest_put(SCRATCH, arg, len);
    rc = hypercall_table[__HYPERVISOR_event_channel_op](cmd, SCRATCH, 0, 0, 0, 0);
    guest_get(arg, SCRATCH, len);
    return rc;
}
#define QUICK(cmd, s) quick(EVTCHNOP_##cmd, &(s), sizeof(s))

static void *page_of(unsigned n)
{
    return mfn_to_virt(mfn_of_pfn(current->domain, FIRST_PFN + n));
}

static long init_control(unsigned vcpu, mfn_t mfn, uint32_t offset)
{
    struct evtchn_init_control s = { .control_gfn = mfn, .offset = offset, .vcpu = vcpu };
    long rc = OP(init_control, s);

    if (rc == 0)
        assert_int_equal(s.link_bits, EVTCHN_FIFO_LINK_BITS);
    return rc;
}

static long expand(mfn_t mfn)
{
    struct evtchn_expand_array s = { .array_gfn = mfn };

    return OP(expand_array, s);
}

static long set_priority(evtchn_port_t port, uint32_t priority)
{
    struct evtchn_set_priority s = { .port = port, .priority = priority };

    return QUICK(set_priority, s);
}

static evtchn_port_t new_ipi(void)
{
    struct evtchn_bind_ipi s = { .vcpu = 0 };

    assert_int_equal(OP(bind_ipi, s), 0);
    return s.port;
}

static long send_port(evtchn_port_t port)
{
    struct evtchn_send s = { .port = port };

    return QUICK(send, s);
}

static struct evtchn_fifo_control_block *control[2];
static event_word_t *array;

/* Pages 0 and 1 are control blocks, at two offsets; page 2 is the array. */
static void use_fifo(void)
{
    for (unsigned i = 0; i < 3; i++)
        memset(page_of(i), 0, PAGE_SIZE);
    control[0] = (void *)((char *)page_of(0) + 64);
    control[1] = (void *)((char *)page_of(1) + PAGE_SIZE - sizeof(*control[1]));
    array = page_of(2);
    assert_int_equal(init_control(0, virt_to_mfn(control[0]), 64), 0);
    assert_int_equal(init_control(1, virt_to_mfn(control[1]), PAGE_SIZE - sizeof(*control[1])), 0);
    assert_int_equal(expand(virt_to_mfn(array)), 0);
}

static void refuses_bad_control_blocks_and_arrays(void **state)
{
    mfn_t mfn = mfn_of_pfn(a, FIRST_PFN), theirs = mfn_of_pfn(b, FIRST_PFN);
    evtchn_port_t port = new_ipi();

    (void)state;
    assert_int_equal(expand(mfn), -EOPNOTSUPP);
    assert_int_equal(set_priority(port, 0), -ENOSYS);
    assert_int_equal(set_priority(5000, 0), -EINVAL);
    assert_int_equal(init_control(2, mfn, 0), -ENOENT);
    assert_int_equal(init_control(~0u, mfn, 0), -ENOENT);
    assert_int_equal(init_control(0, mfn, 4), -EINVAL);
    assert_int_equal(init_control(0, mfn, PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) + 8),
                     -EINVAL);
    assert_int_equal(init_control(0, mfn, ~7u), -EINVAL);
    assert_int_equal(init_control(0, theirs, 0), -EINVAL);
    assert_int_equal(init_control(0, max_mfn, 0), -EINVAL);
    assert_int_equal(init_control(0, ~0ull, 0), -EINVAL);
    assert_int_equal(init_control(0, current->root_kernel >> PAGE_SHIFT, 0), -EINVAL);
    assert_int_equal(expand(mfn), -EOPNOTSUPP); /* still */
    assert_int_equal(init_control(1, mfn, 0), 0);
    assert_int_equal(init_control(1, mfn, 0), -EINVAL);
    assert_int_equal(expand(theirs), -EINVAL);
    assert_int_equal(expand(current->root_kernel >> PAGE_SHIFT), -EINVAL);
    assert_int_equal(set_priority(port, 16), -EINVAL);
    assert_int_equal(set_priority(port, 15), 0);
    for (unsigned i = 0; i < 128; i++)
        /* the same page, each time with references of its own */
        assert_int_equal(expand(mfn), 0);
    assert_int_equal(expand(mfn), -ENOSPC);
}

static void no_memory_changes_nothing(void **state)
{
    struct evtchn_init_control s = { .control_gfn = mfn_of_pfn(a, FIRST_PFN) };

    (void)state;
    host_leave_free(0);
    assert_int_equal(QUICK(init_control, s), -ENOMEM);
    audit();
    assert_int_equal(expand(mfn_of_pfn(a, FIRST_PFN)), -EOPNOTSUPP);
    host_free_taken();
    assert_int_equal(init_control(0, mfn_of_pfn(a, FIRST_PFN), 0), 0);
}

/* Events pending in the two-level bitmaps are delivered when their word has a page, unless the word
 * is masked. */
static void pending_bits_move_over(void **state)
{
    evtchn_port_t seen = new_ipi(), masked = new_ipi(), quiet = new_ipi();
    struct evtchn_unmask u = { .port = masked };

    (void)state;
    memset(page_of(0), 0, PAGE_SIZE);
    memset(page_of(2), 0, PAGE_SIZE);
    memset(a->shared->evtchn_mask, 0xff, sizeof(a->shared->evtchn_mask));
    memset(a->shared->evtchn_pending, 0, sizeof(a->shared->evtchn_pending));
    assert_int_equal(send_port(seen), 0);
    assert_int_equal(send_port(masked), 0);
    a->shared->evtchn_pending[63] = ~0ul;       /* of ports that do not exist */
    a->vcpu[0]->info->evtchn_upcall_pending = 0;
    control[0] = page_of(0);
    array = page_of(2);
    assert_int_equal(init_control(0, virt_to_mfn(control[0]), 0), 0);
    assert_int_equal(a->shared->evtchn_pending[0], 0);
    assert_int_equal(a->vcpu[0]->info->evtchn_upcall_pending, 0);
    array[masked] = MASKED;
    assert_int_equal(expand(virt_to_mfn(array)), 0);
    assert_int_equal(array[seen], PENDING | LINKED);
    assert_int_equal(array[masked], PENDING | MASKED);
    assert_int_equal(array[quiet], 0);
    assert_int_equal(control[0]->head[EVTCHN_FIFO_PRIORITY_DEFAULT], seen);
    assert_int_equal(control[0]->ready, 1u << EVTCHN_FIFO_PRIORITY_DEFAULT);
    assert_int_equal(a->vcpu[0]->info->evtchn_upcall_pending, 1);
    assert_int_equal(OP(unmask, u), 0);
    assert_int_equal(array[seen], PENDING | LINKED | masked);
    assert_int_equal(array[masked], PENDING | LINKED);
}

/* --- A consumer that obeys -------------------------------------------------------------------- */

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

/* --- A guest that does not -------------------------------------------------------------------- */

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
static void busy_ports_wait(void **state)
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

/* --- Many ports, and back --------------------------------------------------------------------- */

static void reset_gives_all_back(void **state)
{
    mfn_t mfn = mfn_of_pfn(a, FIRST_PFN);
    uint64_t refs = mfn_to_frame(mfn)->count, before = nr_free_frames();
    struct evtchn_reset reset = { .dom = DOMID_SELF };
    struct evtchn_bind_virq virq = { .virq = VIRQ_DEBUG, .vcpu = 0 };
    unsigned n = 0;
    long rc;

    (void)state;
    use_fifo();
    for (;; n++) {
        struct evtchn_bind_ipi s = { .vcpu = 1 };

        rc = QUICK(bind_ipi, s);
        if (rc != 0 || n == 9000)
            break;
        assert_int_equal(send_port(s.port), 0); /* most ports have no word yet */
    }
    assert_int_equal(rc, 0);
    assert_int_equal(OP(bind_virq, virq), 0);
    assert_true(virq.port > 9000);
    assert_int_equal(a->vcpu[0]->virq_port[VIRQ_DEBUG], virq.port);
    assert_int_equal(OP(reset, reset), 0);
    assert_int_equal(a->vcpu[0]->virq_port[VIRQ_DEBUG], 0);
    assert_int_equal(mfn_to_frame(mfn)->count, refs);
    assert_int_equal(send_port(9000), -EINVAL);
    do {                                /* as many ports as the bitmaps have, and no more */
        struct evtchn_bind_ipi s = { .vcpu = 0 };

        rc = QUICK(bind_ipi, s);
        assert_true(rc != 0 || s.port < 4096);
    } while (rc == 0);
    assert_int_equal(rc, -ENOSPC);
    assert_int_equal(OP(reset, reset), 0);
    use_fifo();                         /* and once more */
    assert_int_equal(set_priority(new_ipi(), 1), 0);
    assert_true(nr_free_frames() < before);
}

/* The guest gives the page back: our reference is the last one, until the domain ends. */
static void the_last_reference_is_ours(void **state)
{
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
    evtchn_port_t port;
    mfn_t mfn;

    (void)state;
    use_fifo();
    port = new_ipi();
    mfn = virt_to_mfn(array);
    guest_put(SCRATCH + 256, &mfn, sizeof(mfn));
    set_xen_guest_handle_raw(r.extent_start, (xen_pfn_t *)(SCRATCH + 256));
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping,
                           GUEST_BASE + ((FIRST_PFN + 2ull) << PAGE_SHIFT), 0, UVMF_INVLPG), 0);
    assert_int_equal(hcall_struct(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, &r,
                                  sizeof(r)), 1);
    assert_true(frame_owner(mfn_to_frame(mfn)) == a);
    assert_int_equal(send_port(port), 0);
    assert_int_equal(array[port], PENDING | LINKED);
    guest_end(a);
    assert_true(mfn_to_frame(mfn)->owner == 0);
    host_become(b->vcpu[0]);
    audit();
}

#define with_guests(test) cmocka_unit_test_setup_teardown(test, two_guests, machine_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guests(refuses_bad_control_blocks_and_arrays),
        with_guests(no_memory_changes_nothing),
        with_guests(pending_bits_move_over),
        with_guests(no_event_is_lost),
        with_guests(random_words_harm_nobody),
        with_guests(busy_ports_wait),
        with_guests(reset_gives_all_back),
        with_guests(the_last_reference_is_ours),
    };

    return cmocka_run_group_tests_name("fifo", tests, NULL, NULL);
}
