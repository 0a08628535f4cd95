/* How long interrupts may stay off: sequences of requests that are each short but together long
 * must pass a preemption point again and again. The measure is the hypervisor's own count of work;
 * tests/boot/irqsoff.py checks that count against executed instructions. */
#include "arch/arch.h"
#include "cmocka_main.h"
#include <string.h>
#include "support.h"
#include "xen/core/domain.h"
#include "xen/core/sched.h"
#include "xen/core/walk.h"
#include "xen/pv/evtchn_table.h"
#include "xen/pv/hypercalls.h"

#define NR_MEMBERS 16u
#define PER_MEMBER 127u
#define LIST (SCRATCH + PAGE_SIZE)   /* multicall's members are at SCRATCH, their arguments here */

static struct domain *d;

static int one_guest(void **state)
{
    (void)state;
    d = guest_up(1);
    work_budget = 100000;
    cpus[0]->work_left = work_budget;
    return 0;
}

/* A frame that is not mapped, filled with one entry. */
static mfn_t table_of(uint64_t entry)
{
    mfn_t mfn = unmapped_frame();
    uint64_t *table = mfn_to_virt(mfn);

    for (unsigned i = 0; i < PTES_PER_TABLE; i++)
        table[i] = entry;
    return mfn;
}

/* Makes the same request NR_MEMBERS times; returns the interrupt windows that they took. */
static uint64_t windows_of(uint64_t op, const uint64_t args[4])
{
    uint64_t before = host.windows;

    for (unsigned i = 0; i < NR_MEMBERS; i++) {
        struct multicall_entry e = { .op = op };

        memcpy(e.args, args, 4 * sizeof(args[0]));
        guest_put(SCRATCH + i * sizeof(e), &e, sizeof(e));
    }
    assert_int_equal(do_multicall(SCRATCH, NR_MEMBERS), 0);
    return host.windows - before;
}

/* Each update validates one table of 512 writable entries and drops another. */
static void toggling_a_slot_is_preempted(void **state)
{
    uint64_t entry = mfn_of_va(FREE_PFN_VA) << PAGE_SHIFT | PTE_P | PTE_RW;
    mfn_t full[2] = { table_of(entry), table_of(entry) }, l2 = table_of(0);
    const uint64_t args[4] = { LIST, PER_MEMBER, 0, DOMID_SELF };
    struct mmuext_op pin = { .cmd = MMUEXT_PIN_L2_TABLE, .arg1.mfn = l2 };

    (void)state;
    guest_put(SCRATCH, &pin, sizeof(pin));
    assert_int_equal(do_mmuext_op(SCRATCH, 1, 0, DOMID_SELF), 0);
    for (unsigned i = 0; i < PER_MEMBER; i++) {
        struct mmu_update u = {
            (l2 << PAGE_SHIFT) + 8, full[i & 1] << PAGE_SHIFT | PTE_P | PTE_RW,
        };

        guest_put(LIST + i * sizeof(u), &u, sizeof(u));
    }
    assert_in_range(windows_of(__HYPERVISOR_mmu_update, args), NR_MEMBERS * PER_MEMBER / 8,
                    NR_MEMBERS * PER_MEMBER);
    for (unsigned i = 0; i < NR_MEMBERS; i++)
        assert_int_equal(multicall_result(SCRATCH, i), 0);
    audit();
}

/* Tables that are refused at their last entry are as much work. */
static void refused_pins_are_preempted(void **state)
{
    mfn_t full = table_of(mfn_of_va(FREE_PFN_VA) << PAGE_SHIFT | PTE_P | PTE_RW);
    struct mmuext_op pin = { .cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = full };
    const uint64_t args[4] = { LIST, 1, 0, DOMID_SELF };

    (void)state;
    ((uint64_t *)mfn_to_virt(full))[PTES_PER_TABLE - 1] = ~0ull;
    guest_put(LIST, &pin, sizeof(pin));
    assert_in_range(windows_of(__HYPERVISOR_mmuext_op, args), 2, NR_MEMBERS);
    assert_int_equal(multicall_result(SCRATCH, 0), -EINVAL);
    audit();
}

/* --- Ports that are closed but still stand in a queue of the guest's -------------------------- */
#define NR_PORTS 16384u

static const struct evtchn_abi *real_abi;
static struct evtchn_abi stuck;
static uint64_t looks;
static bool all_stuck;
static evtchn_port_t unstuck;

static bool count_and_say_busy(struct domain *who, evtchn_port_t port)
{
    (void)who;
    looks++;
    return all_stuck && port != unstuck;
}

static void do_nothing(struct domain *who, evtchn_port_t port)
{
    (void)who, (void)port;
}

static int alloc_port(void)
{
    struct evtchn_alloc_unbound op = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
    long rc;

    guest_put(SCRATCH, &op, sizeof(op));
    rc = do_event_channel_op(EVTCHNOP_alloc_unbound, SCRATCH);
    guest_get(&op, SCRATCH, sizeof(op));
    return rc != 0 ? (int)rc : (int)op.port;
}

/* As if a guest had set LINKED in all its words: no port can be opened, which must be found out
 * without searching all of them; and a port that the guest takes off its queue is found, though not
 * at once. */
static void search_for_a_free_port_is_preempted(void **state)
{
    struct evtchn_close close;
    int port;

    (void)state;
    real_abi = d->evtchn->abi;
    stuck = *real_abi;
    stuck.nr_ports = NR_PORTS;
    stuck.is_busy = count_and_say_busy;
    stuck.clear_pending = do_nothing;   /* there is no bit for most */
    d->evtchn->abi = &stuck;
    unstuck = 0;
    all_stuck = false;
    while ((port = alloc_port()) > 0)
        ;
    assert_int_equal(port, -ENOSPC);
    for (close.port = 1; close.port < NR_PORTS; close.port++) {
        guest_put(SCRATCH, &close, sizeof(close));
        assert_int_equal(do_event_channel_op(EVTCHNOP_close, SCRATCH), 0);
    }
    all_stuck = true;
    for (unsigned i = 0; i < 64; i++) {
        looks = 0;
        assert_int_equal(alloc_port(), -ENOSPC);
        assert_in_range(looks, 1, 16 * PORTS_PER_BUCKET);
    }
    for (unstuck = 1; unstuck < NR_PORTS; unstuck += 1001) {
        unsigned tries = 1;

        while ((port = alloc_port()) == -ENOSPC)
            assert_in_range(++tries, 1, NR_PORTS / PORTS_PER_BUCKET / 8 + 1);
        assert_int_equal(port, unstuck);
    }
    d->evtchn->abi = real_abi;
    d->evtchn->nr_valid = PORTS_PER_BUCKET;     /* the rest of them is beyond the bitmaps */
}

int main(void)
{
#define with_guest(test) cmocka_unit_test_setup_teardown(test, one_guest, machine_down)
    const struct CMUnitTest tests[] = {
        with_guest(toggling_a_slot_is_preempted),
        with_guest(refused_pins_are_preempted),
        with_guest(search_for_a_free_port_is_preempted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
