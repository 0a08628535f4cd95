/* Two suites (only by name) for two guests on a machine whose memory is all given out:
 *
 *   greedy   asks for everything for which the hypervisor allocates frames, until each is refused,
 *            and keeps it
 *   modest   later asks for what an ordinary kernel asks for, and gets all of it
 *
 * One guest that asks for too much memory is memory.c's. */
#include <string.h>
#include "clock.h"
#include "event.h"
#include "gnttab.h"
#include "hypercall.h"
#include "mm.h"
#include "suite.h"

#define TAKEN_BY_NS   1500000000ul      /* system time, which both guests share */
#define KEPT_UNTIL_NS 2500000000ul
#define WHOLE_TABLE   32u
#define MODEST_PORTS  4000u
#define MODEST_HANDLES 2000u
#define REF           8u

static void wait_until(uint64_t ns)
{
    struct sched_poll poll = { .timeout = ns };

    while (clock_ns() < ns)
        xen_sched_op(SCHEDOP_poll, &poll);
}

static long to_fifo(void)
{
    struct evtchn_init_control op = { .control_gfn = pfn_to_mfn(frame_alloc()) };

    return xen_event_channel_op(EVTCHNOP_init_control, &op);
}

static int whole_grant_table(void)
{
    static xen_pfn_t frames[WHOLE_TABLE];
    struct gnttab_setup_table op = { .dom = DOMID_SELF, .nr_frames = WHOLE_TABLE };
    long rc;

    set_xen_guest_handle(op.frame_list, frames);
    rc = xen_grant_table_op(GNTTABOP_setup_table, &op, 1);
    return rc != 0 ? (int)rc : op.status;
}

static unsigned open_ports(unsigned most)
{
    struct evtchn_alloc_unbound op = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
    unsigned n = 0;

    while (n < most && xen_event_channel_op(EVTCHNOP_alloc_unbound, &op) == 0)
        n++;
    return n;
}

static unsigned map_handles(unsigned most)
{
    grant_handle_t handle;
    unsigned n = 0;

    ASSERT(gnttab() != NULL);
    grant_offer(REF, own_domid(), pfn_to_mfn(frame_alloc()), 0);
    while (n < most &&
           grant_map(0, GNTMAP_device_map | GNTMAP_readonly, own_domid(), REF,
                     &handle) == GNTST_okay)
        n++;
    return n;
}

/* Events stay in queues that this kernel does not read. The domain ends with all that it holds. */
static void takes_all_it_gets(void)
{
    unsigned ports, handles;

    events_off();
    EXPECT_EQ(whole_grant_table(), GNTST_okay);
    handles = map_handles(~0u);
    ASSERT_EQ(to_fifo(), 0);
    ports = open_ports(~0u);
    test_diag("%u ports, %u handles", ports, handles);
    EXPECT(ports > MODEST_PORTS);
    EXPECT(clock_ns() < TAKEN_BY_NS);
    wait_until(KEPT_UNTIL_NS);
}

SUITE(greedy, 94, SUITE_NAMED_ONLY | SUITE_NEEDS_DOMU, TEST(takes_all_it_gets));

static void gets_what_it_needs(void)
{
    static struct vcpu_guest_context c;

    wait_until(TAKEN_BY_NS);
    c.flags = VGCF_in_kernel;
    c.ctrlreg[3] = xen_pfn_to_cr3(pfn_to_mfn(kernel_root()));
    EXPECT_EQ(xen_vcpu_op(VCPUOP_initialise, 1, &c), 0);
    EXPECT_EQ(whole_grant_table(), GNTST_okay);
    EXPECT_EQ(map_handles(MODEST_HANDLES), MODEST_HANDLES);
    events_off();
    EXPECT_EQ(open_ports(MODEST_PORTS), MODEST_PORTS);
    EXPECT_EQ(to_fifo(), 0);
    EXPECT(clock_ns() < KEPT_UNTIL_NS);
}

SUITE(modest, 94, SUITE_NAMED_ONLY | SUITE_NEEDS_DOMU, TEST(gets_what_it_needs));
