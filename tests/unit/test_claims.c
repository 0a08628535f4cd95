/* Frames that the hypervisor spends for one guest do not come out of another's guarantee: one
 * guest takes all it can get, by every request that makes the hypervisor allocate frames, and
 * another asks for little, later. */
#include "arch/arch.h"
#include "cmocka_main.h"
#include <string.h>
#include "support.h"
#include "xen/core/alloc.h"
#include "xen/core/claim.h"
#include "xen/core/domain.h"
#include "xen/core/walk.h"
#include "xen/pv/grant.h"
#include "xen/pv/hypercalls.h"

#define LIST (SCRATCH + PAGE_SIZE)
#define TABLE_VA FREE_PFN_VA
/* frames that the modest guest gives back at first, and requests again later */
#define NR_GIVEN 100u

static struct domain *greedy, *modest;

static int two_guests(void **state)
{
    machine_up(state);
    greedy = guest_make(1, 2);
    modest = guest_make(2, 2);
    assert_true(greedy != NULL && modest != NULL);
    host_leave_free(2 * DOMAIN_RESERVE + 200);
    return 0;
}

static int give_back(void **state)
{
    host_free_taken();
    return machine_down(state);
}

static long event_op(unsigned cmd, void *op, size_t len)
{
    long rc;

    guest_put(SCRATCH, op, len);
    rc = do_event_channel_op((int)cmd, SCRATCH);
    guest_get(op, SCRATCH, len);
    return rc;
}

static unsigned open_ports(unsigned most, long *rc)
{
    struct evtchn_alloc_unbound op = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
    unsigned n = 0;

    for (*rc = 0; n < most; n++) {
        *rc = event_op(EVTCHNOP_alloc_unbound, &op, sizeof(op));
        if (*rc != 0)
            break;
    }
    return n;
}

static long to_fifo(void)
{
    struct evtchn_init_control op = { .control_gfn = mfn_of_va(FREE_PFN_VA + 8 * PAGE_SIZE) };

    return event_op(EVTCHNOP_init_control, &op, sizeof(op));
}

/* Maps the first frame of the table at TABLE_VA; its entry 8 grants a frame of the caller to
 * itself. */
static int whole_grant_table(void)
{
    struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = MAX_GRANT_FRAMES };
    struct grant_entry_v1 e = { .flags = GTF_permit_access, .domid = current->domain->id };
    uint64_t frame;

    set_xen_guest_handle_raw(s.frame_list, (xen_pfn_t *)LIST);
    guest_put(SCRATCH, &s, sizeof(s));
    assert_int_equal(do_grant_table_op(GNTTABOP_setup_table, SCRATCH, 1), 0);
    guest_get(&s, SCRATCH, sizeof(s));
    if (s.status != GNTST_okay)
        return s.status;
    guest_get(&frame, LIST, 8);
    e.frame = (uint32_t)mfn_of_va(TABLE_VA + PAGE_SIZE);
    assert_int_equal(do_update_va_mapping(TABLE_VA, frame << PAGE_SHIFT | PTE_P | PTE_RW,
                                          UVMF_INVLPG), 0);
    guest_put(TABLE_VA + 8 * sizeof(e), &e, sizeof(e));
    return GNTST_okay;
}

static unsigned map_handles(unsigned most)
{
    unsigned n = 0;

    for (; n < most; n++) {
        struct gnttab_map_grant_ref m = { .flags = GNTMAP_device_map | GNTMAP_readonly, .ref = 8,
                                          .dom = current->domain->id };

        guest_put(SCRATCH, &m, sizeof(m));
        assert_int_equal(do_grant_table_op(GNTTABOP_map_grant_ref, SCRATCH, 1), 0);
        guest_get(&m, SCRATCH, sizeof(m));
        if (m.status != GNTST_okay)
            break;
    }
    return n;
}

static void set_extents(struct xen_memory_reservation *r)
{
    set_xen_guest_handle_raw(r->extent_start, (xen_pfn_t *)LIST);
    guest_put(SCRATCH, r, sizeof(*r));
}

/* Frames from the end of the guest's memory, which are not mapped. */
static void give_frames_back(void)
{
    struct xen_memory_reservation r = { .domid = DOMID_SELF, .nr_extents = NR_GIVEN };

    for (unsigned i = 0; i < NR_GIVEN; i++) {
        uint64_t mfn;

        guest_get(&mfn, guest_start_info(current->domain)->mfn_list + 8 * (GUEST_FRAMES - 1 - i),
                  8);
        guest_put(LIST + 8 * i, &mfn, 8);
    }
    set_extents(&r);
    assert_int_equal(do_memory_op(XENMEM_decrease_reservation, SCRATCH), NR_GIVEN);
}

static long initialise_vcpu(unsigned id)
{
    static struct vcpu_guest_context c;

    memset(&c, 0, sizeof(c));
    c.flags = VGCF_in_kernel;
    c.user_regs.rip = GUEST_BASE + 0x80;
    c.ctrlreg[3] = current->root_kernel;
    guest_put(SCRATCH, &c, sizeof(c));
    return do_vcpu_op(VCPUOP_initialise, id, SCRATCH);
}

static void the_greedy_one_takes_all_it_gets(void)
{
    long rc;

    host_become(greedy->vcpu[0]);
    assert_int_equal(whole_grant_table(), GNTST_okay);
    assert_int_equal(to_fifo(), 0);
    assert_in_range(open_ports(~0u, &rc), 4096, EVTCHN_FIFO_NR_CHANNELS - 1);
    assert_int_equal(rc, -ENOMEM);
    map_handles(~0u);
    assert_int_equal(unclaimed_frames(), 0);
}

static void all_that_the_modest_one_may_want(void)
{
    struct xen_memory_reservation r = { .domid = DOMID_SELF, .nr_extents = NR_GIVEN };
    long rc;

    host_become(modest->vcpu[0]);
    assert_int_equal(initialise_vcpu(1), 0);
    assert_int_equal(whole_grant_table(), GNTST_okay);
    assert_int_equal(map_handles(2000), 2000);
    assert_in_range(open_ports(4000, &rc), 4000, 4000);
    assert_int_equal(to_fifo(), 0);
    for (unsigned i = 0; i < NR_GIVEN; i++) {
        uint64_t pfn = GUEST_FRAMES - 1 - i;

        guest_put(LIST + 8 * i, &pfn, 8);
    }
    set_extents(&r);
    assert_int_equal(do_memory_op(XENMEM_populate_physmap, SCRATCH), NR_GIVEN);
}

static void greedy_guest_leaves_others_their_claims(void **state)
{
    (void)state;
    host_become(modest->vcpu[0]);
    give_frames_back();
    the_greedy_one_takes_all_it_gets();
    all_that_the_modest_one_may_want();
    audit();
}

/* Free memory that consists of single frames only, as a guest makes it by giving back every other
 * frame. */
static void nothing_needs_frames_in_a_row(void **state)
{
    mfn_t kept[2048];
    unsigned n = 0;

    (void)state;
    host_become(modest->vcpu[0]);
    give_frames_back();
    while (n < ARRAY_SIZE(kept) && (kept[n] = alloc_frames(0)) != INVALID_MFN)
        n++;
    for (unsigned i = 0; i < n; i++)
        if (kept[i] % 2 == 0)
            free_frames(kept[i], 0, true);
    assert_true(alloc_frames(1) == INVALID_MFN);
    all_that_the_modest_one_may_want();
    for (unsigned i = 0; i < n; i++)
        if (kept[i] % 2 != 0)
            free_frames(kept[i], 0, true);
}

/* When a domain ends, its frames can be allocated again. */
static void claims_end_with_the_domain(void **state)
{
    uint64_t before = unclaimed_frames();
    long rc;

    (void)state;
    the_greedy_one_takes_all_it_gets();
    guest_end(greedy);
    assert_true(unclaimed_frames() > before + GUEST_FRAMES);
    host_become(modest->vcpu[0]);
    assert_int_equal(to_fifo(), 0);
    assert_in_range(open_ports(40000, &rc), 40000, 40000);
}

int main(void)
{
#define with_guests(test) cmocka_unit_test_setup_teardown(test, two_guests, give_back)
    const struct CMUnitTest tests[] = {
        with_guests(greedy_guest_leaves_others_their_claims),
        with_guests(nothing_needs_frames_in_a_row),
        with_guests(claims_end_with_the_domain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
