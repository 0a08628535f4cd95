/* FIFO event channels of the guests of evtchn_fixture.h. Included by test_fifo.c and
 * test_fifo_queues.c. After each hypercall the audit counts the references of the pages. */
#ifndef FIFO_FIXTURE_H
#define FIFO_FIXTURE_H

#include <string.h>
#include "evtchn_fixture.h"
#include "xen/pv/hypercalls.h"

#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED (1u << EVTCHN_FIFO_MASKED)
#define LINKED (1u << EVTCHN_FIFO_LINKED)
#define FIRST_PFN 0x30u                 /* pages of the guest that nothing else uses */

/* Without the audits, for thousands of random steps. */
static inline long quick(unsigned cmd, void *arg, size_t len)
{
    long rc;

    guest_put(SCRATCH, arg, len);
    rc = hypercall_table[__HYPERVISOR_event_channel_op](cmd, SCRATCH, 0, 0, 0, 0);
    guest_get(arg, SCRATCH, len);
    return rc;
}
#define QUICK(cmd, s) quick(EVTCHNOP_##cmd, &(s), sizeof(s))

static inline void *page_of(unsigned n)
{
    return mfn_to_virt(mfn_of_pfn(current->domain, FIRST_PFN + n));
}

static inline long init_control(unsigned vcpu, mfn_t mfn, uint32_t offset)
{
    struct evtchn_init_control s = { .control_gfn = mfn, .offset = offset, .vcpu = vcpu };
    long rc = OP(init_control, s);

    if (rc == 0)
        assert_int_equal(s.link_bits, EVTCHN_FIFO_LINK_BITS);
    return rc;
}

static inline long expand(mfn_t mfn)
{
    struct evtchn_expand_array s = { .array_gfn = mfn };

    return OP(expand_array, s);
}

static inline long set_priority(evtchn_port_t port, uint32_t priority)
{
    struct evtchn_set_priority s = { .port = port, .priority = priority };

    return QUICK(set_priority, s);
}

static inline evtchn_port_t new_ipi(void)
{
    struct evtchn_bind_ipi s = { .vcpu = 0 };

    assert_int_equal(OP(bind_ipi, s), 0);
    return s.port;
}

static inline long send_port(evtchn_port_t port)
{
    struct evtchn_send s = { .port = port };

    return QUICK(send, s);
}

static struct evtchn_fifo_control_block *control[2];
static event_word_t *array;

/* Pages 0 and 1 are control blocks, at two offsets; page 2 is the array. */
static inline void use_fifo(void)
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
#define with_guests(test) cmocka_unit_test_setup_teardown(test, two_guests, machine_down)

#endif
