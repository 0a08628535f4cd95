/* Multicalls, and the counts of hypercalls that are shown at the end. */
#include "cmocka_main.h"
#include "xen/pv/hypercall_counts.h"
#include "memory_fixture.h"

#define CALLS (SCRATCH + 2048)

static void put_call(unsigned i, uint64_t op, uint64_t a, uint64_t b)
{
    struct multicall_entry e = { .op = op, .args = { a, b }, .result = 0x5555 };

    guest_put(CALLS + i * sizeof(e), &e, sizeof(e));
}

static void multicall_makes_each_call(void **state)
{
    uint64_t counted = hypercall_count(__HYPERVISOR_xen_version);

    (void)state;
    put_call(0, __HYPERVISOR_xen_version, XENVER_version, 0);
    put_call(1, __HYPERVISOR_multicall, CALLS, 1);
    put_call(2, 4711, 0, 0);
    put_call(3, 63, 0, 0);
    put_call(4, __HYPERVISOR_xen_version, XENVER_version, 0);
    assert_int_equal(hcall(__HYPERVISOR_multicall, CALLS, 5), 0);
    assert_true(multicall_result(CALLS, 0) > 0);
    assert_int_equal(multicall_result(CALLS, 1), -EINVAL);
    assert_int_equal(multicall_result(CALLS, 2), -ENOSYS);
    assert_int_equal(multicall_result(CALLS, 3), -ENOSYS);
    assert_int_equal(multicall_result(CALLS, 4), multicall_result(CALLS, 0));
    assert_int_equal(hypercall_count(__HYPERVISOR_xen_version) - counted, 2);
    assert_int_equal(hcall(__HYPERVISOR_multicall, HOLE_START, 1), -EFAULT);
    assert_int_equal(hcall(__HYPERVISOR_multicall, 0x1000, 1), -EFAULT);
    assert_int_equal(hcall(__HYPERVISOR_multicall, CALLS, 0), 0);
    assert_false(d->vcpu[0]->in_multicall);
}

/* Sorted by count, equal ones by number; calls that are not served come last, in one line. */
static void counts_are_shown_sorted(void **state)
{
    static const char expected[] =
        "(XEN) Hypercalls by number of calls (members of a multicall count as well):\n"
        "(XEN)          900 iret\n"
        "(XEN)           70 memory_op\n"
        "(XEN)           70 event_channel_op\n"
        "(XEN)            1 set_trap_table\n"
        "(XEN)            5 of numbers that are not served\n";
    char shown[sizeof(expected)], *out = shown;
    uint64_t *ended = hypercalls_of_ended, *calls = current->calls;
    size_t before = host.console_len;

    (void)state;
    memset(ended, 0, sizeof(hypercalls_of_ended));
    memset(calls, 0, sizeof(current->calls));
    ended[__HYPERVISOR_set_trap_table] = 1;
    ended[__HYPERVISOR_memory_op] = 60;
    calls[__HYPERVISOR_memory_op] = 10;
    calls[__HYPERVISOR_event_channel_op] = 70;
    ended[__HYPERVISOR_iret] = 900;
    ended[60] = 2;
    calls[61] = 3;
    hypercalls_report();
    for (const char *in = host.console + before; *in != '\0' && out < shown + sizeof(shown) - 1;
         in++)
        if (*in != '\r')
            *out++ = *in;
    *out = '\0';
    assert_string_equal(shown, expected);
}

/* Calls after an iret in an array are not made (XSA-213). */
static void multicall_ends_at_iret(void **state)
{
    uint64_t frame[8] = { 99, 0, 0, 0, GUEST_BASE, 0xe030, 0x200, SCRATCH };

    (void)state;
    guest_put(SCRATCH + 512, frame, sizeof(frame));
    guest_regs(current)->rsp = SCRATCH + 512;
    put_call(0, __HYPERVISOR_iret, 0, 0);
    put_call(1, __HYPERVISOR_xen_version, XENVER_version, 0);
    assert_int_equal(hcall(__HYPERVISOR_multicall, CALLS, 2), 99);
    assert_int_equal(multicall_result(CALLS, 1), 0x5555);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guest(multicall_makes_each_call),
        with_guest(counts_are_shown_sorted),
        with_guest(multicall_ends_at_iret),
    };

    return cmocka_run_group_tests_name("multicall", tests, NULL, NULL);
}
