/* IRET of a guest, and what crashes its domain: frames that cannot be pushed or popped, and
 * handlers that are missing. */
#include "cmocka_main.h"
#include "xen/core/domain_list.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/mmuext.h"
#include "xen/pv/traps.h"
#include "upcall_fixture.h"

/* rax r11 rcx flags rip cs rflags rsp ss */
static void iret_to_user_and_back(void **state)
{
    const uint64_t frame[9] = { 0xa, 0xb, 0xc, 0, 0x1234, 0x33, 0x3246, USER_STACK, 0x2b };

    (void)state;
    in_kernel();
    r->rsp = STACK - 0x200;
    guest_put(r->rsp, frame, sizeof(frame));
    v->info->evtchn_upcall_mask = 1;
    assert_int_equal(hcall(__HYPERVISOR_iret, 0), 0xa);
    assert_false(v->kernel_mode);
    assert_int_equal(host.cr3, v->root_user);
    assert_int_equal(r->rip, 0x1234);
    assert_int_equal(r->r11, 0xb);
    assert_int_equal(r->rcx, 0xc);
    assert_int_equal(r->cs, 0x33);
    assert_int_equal(r->ss, 0x2b);
    assert_int_equal(r->rsp, USER_STACK);
    assert_int_equal(r->rflags, 0x246);             /* no IOPL */
    assert_int_equal(v->info->evtchn_upcall_mask, 0);
}

static void iret_within_the_kernel(void **state)
{
    const uint64_t frame[9] = {0xa,    0xb,  0xc,          VGCF_in_syscall, HANDLER(9),
                               0xe030, 0x46, STACK - 0x80, 0xe02b};

    (void)state;
    in_kernel();
    r->rsp = STACK - 0x200;
    guest_put(r->rsp, frame, sizeof(frame));
    assert_int_equal(hcall(__HYPERVISOR_iret, 0), 0xa);
    assert_true(v->kernel_mode);
    assert_int_equal(r->cs, 0xe033);
    assert_int_equal(r->rflags, 0x246);             /* the real IF is always on */
    assert_int_equal(r->rcx, HANDLER(9));           /* in_syscall: as SYSRET leaves them */
    assert_int_equal(r->r11, 0x246);
    assert_int_equal(v->info->evtchn_upcall_mask, 1);
}

/* From here on the domain must crash, and no other. */
static void assert_crashed(unsigned row)
{
    if (d->state != DOM_SHUTDOWN || d->shutdown_code != SHUTDOWN_crash ||
        d->crash_reason[0] == '\0')
        fail_msg("row %u: the domain lives", row);
    audit();
}

static void bad_stacks_crash_the_domain(void **state)
{
    static const uint64_t stacks[] = {
        0,
        8,
        64,
        HOLE_START,
        HOLE_START + 0x1000,
        HOLE_END,
        HOLE_END + 8,
        1ull << 47,
        (1ull << 47) + 64,
        ~0ull,
        ~63ull,
        GUEST_BASE,
        0x1000,
        GUEST_BASE + 0x400000 + 16,
    };

    (void)state;
    for (unsigned row = 0; row < 2 * ARRAY_SIZE(stacks) + 1; row++) {
        machine_down(state);
        one_guest(state);
        if (row % 2 == 0) {
            in_kernel();
            r->rsp = row / 2 < ARRAY_SIZE(stacks) ? stacks[row / 2] : pt_base + 0x800;
        } else {
            in_user();
            v->kernel_sp = stacks[row / 2];
        }
        v->traps[TRAP_PF].address = HANDLER(TRAP_PF);
        inject_page_fault(v, 0x5000, 2);
        assert_crashed(row);
    }
}

static void missing_handlers_crash_the_domain(void **state)
{
    (void)state;
    in_kernel();
    r->error_code = 0;
    handle_guest_trap(r, TRAP_DE, 0);
    assert_crashed(0);
    assert_non_null(strstr(d->crash_reason, "vec 0"));
}

static void bad_irets_crash_the_domain(void **state)
{
    const uint64_t frame[9] = { 0, 0, 0, 0, 0x1234, 0x33, 0x246, 0, 0x2b };

    (void)state;
    in_kernel();
    r->rsp = HOLE_START - 16;
    hcall(__HYPERVISOR_iret, 0);
    assert_crashed(0);
    machine_down(state);
    one_guest(state);
    in_kernel();
    r->rsp = STACK - 0x200;
    guest_put(r->rsp, frame, sizeof(frame));
    new_user_root(v, 0);
    hcall(__HYPERVISOR_iret, 0);
    assert_crashed(1);
}

/* The first reason is kept; the registers are shown once. */
static void first_reason_of_a_crash_is_printed(void **state)
{
    (void)state;
    in_kernel();
    r->rip = 0x4242;
    domain_crash(d, "first %d", 1);
    domain_crash(d, "second");
    assert_string_equal(d->crash_reason, "first 1");
    guest_end(d);
    assert_true(console_has("first 1"));
    assert_true(console_has("0000000000004242"));
    assert_false(console_has("second"));
    assert_null(domain_by_id(1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guest(iret_to_user_and_back),
        with_guest(iret_within_the_kernel),
        with_guest(bad_stacks_crash_the_domain),
        with_guest(missing_handlers_crash_the_domain),
        with_guest(bad_irets_crash_the_domain),
        with_guest(first_reason_of_a_crash_is_printed),
    };

    return cmocka_run_group_tests_name("iret", tests, NULL, NULL);
}
