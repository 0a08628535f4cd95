/* Two vCPUs that pin the same tree of page tables: the second sleeps while the first validates it,
 * and goes on when that has ended, whatever happens meanwhile: an event, VCPUOP_down, the end of
 * the domain. The first is the test itself; the second has a program, which runs when the first
 * is preempted. */
#include "arch/arch.h"
#include "cmocka_main.h"
#include "support.h"
#include "xen/core/cpu.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/sched.h"
#include "xen/core/sched_wake.h"
#include "xen/core/walk.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/mmuext.h"
#include "xen/pv/vcpu_op.h"

#define NOT_YET 1
#define CHILDREN 6u

static struct domain *d;
static struct vcpu *first, *second;
static mfn_t top;               /* an L2, with L1s below it */
static long result;             /* of the second vCPU's call */
static unsigned windows;        /* of the first vCPU's call */
static bool slept;              /* the second was asleep in the fourth */
static void (*meanwhile)(void);

static long pin(void)
{
    struct mmuext_op op = { .cmd = MMUEXT_PIN_L2_TABLE, .arg1.mfn = top };
    uint64_t va = SCRATCH + current->id * PAGE_SIZE;

    guest_put(va, &op, sizeof(op));
    return do_mmuext_op(va, 1, 0, DOMID_SELF);
}

static void pin_once(struct vcpu *v)
{
    v->info->evtchn_upcall_mask = 1;
    result = pin();
    host_idle_guest(v);
}

/* A window of the first vCPU's call: the second runs in the first of them. */
static void window(void)
{
    if (current != first)
        return;
    windows++;
    if (windows == 1) {
        vcpu_wake(second);
        first->own_work |= WORK_RESCHED;
    } else if (windows == 2 && meanwhile != NULL) {
        meanwhile();
    } else if (windows == 4) {
        slept = second->blocked && !second->on_queue;
    }
}

static void set_slot(mfn_t table, unsigned slot, mfn_t mfn)
{
    ((uint64_t *)mfn_to_virt(table))[slot] = mfn << PAGE_SHIFT | PTE_P | PTE_RW;
}

static int guest_with_two_vcpus(void **state)
{
    mfn_t page, l1;

    (void)state;
    d = guest_up(2);
    first = d->vcpu[0];
    second = d->vcpu[1];
    page = unmapped_frame();
    top = unmapped_frame();
    for (unsigned i = 0; i < CHILDREN; i++) {
        l1 = unmapped_frame();
        set_slot(l1, 0, page);
        set_slot(top, i, l1);
    }
    result = NOT_YET;
    windows = 0;
    slept = false;
    meanwhile = NULL;
    host_vcpu(second)->program = pin_once;
    spin_lock(&d->mm_lock);
    assert_int_equal(new_guest_root(second, first->root_kernel >> PAGE_SHIFT), 0);
    spin_unlock(&d->mm_lock);
    second->initialised = true;
    vcpu_start(second);
    work_budget = 0;            /* each place where mm_lock may be released is a window */
    cpus[0]->work_left = 0;
    host.on_window = window;
    return 0;
}

static int down(void **state)
{
    host.on_window = NULL;
    work_budget = 100000;
    return machine_down(state);
}

/* Until the second vCPU has nothing to do any more. */
static void let_second_run(void)
{
    host.on_window = NULL;
    for (unsigned i = 0; i < 10; i++)
        schedule();
}

static void second_sleeps_until_the_first_is_done(void **state)
{
    (void)state;
    assert_int_equal(pin(), 0);
    assert_true(slept);
    assert_int_equal(result, NOT_YET);
    let_second_run();
    assert_int_equal(result, -EINVAL);          /* it is pinned */
    audit();
}

/* The first gives up at the last entry. The second then looks itself, and is refused too. */
static void second_goes_on_when_the_first_gave_up(void **state)
{
    ((uint64_t *)mfn_to_virt(top))[511] = ~0ull;
    (void)state;
    assert_int_equal(pin(), -EINVAL);
    assert_true(slept);
    let_second_run();
    assert_int_equal(result, -EINVAL);
    assert_false(mfn_to_frame(top)->word & (TYPE_VALIDATING | TYPE_PINNED));
    audit();
}

static void wake_second(void)
{
    vcpu_wake(second);
    first->own_work |= WORK_RESCHED;
}

static void an_event_does_not_end_the_wait(void **state)
{
    meanwhile = wake_second;
    second_sleeps_until_the_first_is_done(state);
}

static void put_second_down(void)
{
    assert_int_equal(vcpu_down(second), 0);
    assert_true(second->work & WORK_STOP);
    assert_int_equal(second->runstate.state, RUNSTATE_blocked);
}

/* The second stops behind its call, not in it. */
static void one_that_is_put_down_ends_its_call(void **state)
{
    meanwhile = put_second_down;
    second_sleeps_until_the_first_is_done(state);
    assert_true(second->blocked && !second->up);
    assert_int_equal(vcpu_up(second), 0);
    assert_false(second->blocked);
}

static void end_domain(void)
{
    domain_shutdown(d, SHUTDOWN_crash);
}

/* Both end their calls; that every frame is free then is checked at the end of each test. */
static void the_domain_may_end_meanwhile(void **state)
{
    (void)state;
    meanwhile = end_domain;
    assert_int_equal(pin(), 0);
    let_second_run();
    assert_int_equal(result, -EINVAL);
}

#define with_two_vcpus(test) \
    cmocka_unit_test_setup_teardown(test, guest_with_two_vcpus, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_two_vcpus(second_sleeps_until_the_first_is_done),
        with_two_vcpus(second_goes_on_when_the_first_gave_up),
        with_two_vcpus(an_event_does_not_end_the_wait),
        with_two_vcpus(one_that_is_put_down_ends_its_call),
        with_two_vcpus(the_domain_may_end_meanwhile),
    };

    return cmocka_run_group_tests_name("pages wait", tests, NULL, NULL);
}
