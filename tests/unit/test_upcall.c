/* The frames that a guest gets, word for word: exceptions, events, failsafe callbacks, system
 * calls, software interrupts; and callbacks that do not exist. Not here: the debug trap of MOV
 * SS (test_debug_trap.c), IRET and frames that cannot be pushed (test_iret.c). */
#include "cmocka_main.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/traps.h"
#include "upcall_fixture.h"

static void check_frame(uint64_t top, const uint64_t *want, unsigned n)
{
    uint64_t found[12];

    assert_int_equal(r->rsp, top - 8 * n);
    guest_get(found, r->rsp, 8 * n);
    for (unsigned i = 0; i < n; i++)
        if (found[i] != want[i])
            fail_msg("word %u is %lx, drawn %lx", i, found[i], want[i]);
    assert_int_equal(r->cs, FLAT_KERNEL_CS64);
    assert_int_equal(r->ss, FLAT_KERNEL_SS64);
    assert_int_equal(r->rflags & (FLAG_TF | FLAG_NT | FLAG_AC | FLAG_RF | FLAG_VM | FLAG_IF),
                     FLAG_IF);
    assert_true(v->kernel_mode);
    assert_int_equal(host.cr3, v->root_kernel);
    assert_int_equal(d->state, DOM_RUNNING);
}

static void page_fault_in_the_kernel_pushes_its_frame(void **state)
{
    (void)state;
    in_kernel();
    r->error_code = 6;   /* the CPU sets the user bit, because the guest kernel runs in ring 3 */
    handle_guest_trap(r, TRAP_PF, 0xdead000);
    check_frame((STACK - 0x108) & ~15ull,
                (uint64_t[]){ 0xc0c0, 0x1111, 2, GUEST_BASE + 0x42, 0xe030,
                0x246 | FLAG_TF | FLAG_AC | FLAG_NT, STACK - 0x108, 0xe02b }, 8);
    assert_int_equal(r->rip, HANDLER(TRAP_PF));
    assert_int_equal(v->info->arch.cr2, 0xdead000);
    assert_int_equal(v->info->evtchn_upcall_mask, 1);   /* its entry says so */
}

static void page_fault_in_user_mode_enters_the_kernel(void **state)
{
    (void)state;
    in_user();
    v->info->evtchn_upcall_mask = 0;
    r->error_code = 4;
    handle_guest_trap(r, TRAP_PF, 0x1000);
    check_frame(STACK, (uint64_t[]){ 0xc0c0, 0x1111, 4, GUEST_BASE + 0x42, 0x33,
                0x246 | FLAG_TF | FLAG_AC | FLAG_NT, USER_STACK, 0x2b }, 8);
}

static void trap_frame_keeps_the_event_mask(void **state)
{
    (void)state;
    in_kernel();
    v->info->evtchn_upcall_mask = 1;
    guest_put(GUEST_BASE + 0x42, "\x0f\x0b\x90\x90", 4);        /* ud2 */
    handle_guest_trap(r, TRAP_UD, 0);
    check_frame((STACK - 0x108) & ~15ull,
                (uint64_t[]){0xc0c0, 0x1111, GUEST_BASE + 0x42, 0xe030 | 1ull << 32,
                             0x46 | FLAG_TF | FLAG_AC | FLAG_NT, STACK - 0x108, 0xe02b},
                7);
    assert_int_equal(r->rip, HANDLER(TRAP_UD));
    assert_int_equal(v->info->evtchn_upcall_mask, 1);
}

static void event_upcall_pushes_its_frame(void **state)
{
    (void)state;
    in_kernel();
    v->info->evtchn_upcall_pending = 1;
    exit_to_guest_work();
    check_frame((STACK - 0x108) & ~15ull, (uint64_t[]){ 0xc0c0, 0x1111, GUEST_BASE + 0x42, 0xe030,
                0x246 | FLAG_TF | FLAG_AC | FLAG_NT, STACK - 0x108, 0xe02b }, 7);
    assert_int_equal(r->rip, HANDLER(1));
    assert_int_equal(v->info->evtchn_upcall_mask, 1);
    r->rip = 1;                     /* masked: not again */
    exit_to_guest_work();
    assert_int_equal(r->rip, 1);
}

static void failsafe_callback_gets_the_selectors(void **state)
{
    (void)state;
    in_user();
    handle_failsafe(v, 0xd5, 0xe5, 0xf5, 0x65);
    check_frame(STACK,
                (uint64_t[]){ 0xc0c0, 0x1111, 0xd5, 0xe5, 0xf5, 0x65, GUEST_BASE + 0x42, 0x33,
                0x246 | FLAG_TF | FLAG_AC | FLAG_NT, USER_STACK, 0x2b }, 11);
    assert_int_equal(r->rip, HANDLER(2));
}

static void system_call_enters_the_kernel(void **state)
{
    (void)state;
    in_user();
    r->rcx = r->rip;
    r->r11 = r->rflags = 0x246;
    handle_user_syscall(v);
    check_frame(
        STACK, (uint64_t[]){GUEST_BASE + 0x42, 0x246, GUEST_BASE + 0x42, 0xe033, 0x246, USER_STACK,
                            0x2b}, 7);
    assert_int_equal(r->rip, HANDLER(3));
}

/* The frame has the user's DF, the handler runs with DF clear; without a callback SYSCALL is an
 * undefined instruction, with DF unchanged. */
static void system_call_clears_df_for_the_handler(void **state)
{
    (void)state;
    v->callback[CB_SYSCALL32] = HANDLER(5);
    /* the flag of the 64-bit callback is the one that counts */
    v->cb_masks_events = 1u << CB_SYSCALL;
    in_user();
    r->rcx = r->rip;
    r->r11 = r->rflags = 0x246 | FLAG_DF;
    handle_syscall32(v);
    check_frame(STACK, (uint64_t[]){ GUEST_BASE + 0x42, 0x246 | FLAG_DF, GUEST_BASE + 0x42, 0xe023,
                                     0x246 | FLAG_DF,
                USER_STACK, 0x2b }, 7);
    assert_int_equal(r->rip, HANDLER(5));
    assert_int_equal(r->rflags & FLAG_DF, 0);
    assert_int_equal(v->info->evtchn_upcall_mask, 1);
    v->info->evtchn_upcall_mask = 0;
    v->callback[CB_SYSCALL32] = 0;
    in_user();
    r->rcx = r->rip;
    r->r11 = r->rflags = 0x246 | FLAG_DF;
    handle_syscall32(v);
    check_frame(STACK, (uint64_t[]){ GUEST_BASE + 0x42, 0x246 | FLAG_DF, GUEST_BASE + 0x40, 0xe023,
                                     0x246 | FLAG_DF,
                USER_STACK, 0x2b }, 7);
    assert_int_equal(r->rip, HANDLER(TRAP_UD));
    assert_int_equal(r->rflags & FLAG_DF, FLAG_DF);
}

static void software_interrupt_has_no_error_code(void **state)
{
    (void)state;
    guest_put(GUEST_BASE + 0x44, "\xcd\x81", 2);
    in_user();
    handle_guest_trap(r, 0x80, 0);
    assert_int_equal(r->rip, HANDLER(0x80));
    check_frame(STACK, (uint64_t[]){ 0xc0c0, 0x1111, GUEST_BASE + 0x42, 0x33,
                                     0x246 | FLAG_TF | FLAG_AC | FLAG_NT,
                USER_STACK, 0x2b }, 7);
    in_user();
    r->rip += 2;
    r->error_code = 0x81 * 8 + 2;
    handle_guest_trap(r, TRAP_GP, 0);
    assert_int_equal(r->rip, HANDLER(TRAP_GP));
    check_frame(STACK, (uint64_t[]){ 0xc0c0, 0x1111, 0x81 * 8 + 2, GUEST_BASE + 0x44, 0x33,
                0x246 | FLAG_TF | FLAG_AC | FLAG_NT, USER_STACK, 0x2b }, 8);
}

/* INT n has no error code, not even where the exception of that number has one. The gate's DPL is
 * checked except for the system call's vector, and the kernel is ring 1 for that check, also with
 * architectural_iopl. */
static void software_interrupt_obeys_its_gate(void **state)
{
    struct trap_info traps[3] = {
        { .vector = TRAP_PF, .flags = 3, .cs = FLAT_KERNEL_CS64, .address = HANDLER(TRAP_PF) },
        { .vector = 0x80, .flags = 0, .cs = FLAT_KERNEL_CS64, .address = HANDLER(0x80) },
    };

    (void)state;
    guest_put(SCRATCH, traps, sizeof(traps));
    assert_int_equal(hcall(__HYPERVISOR_set_trap_table, SCRATCH), 0);
    guest_put(GUEST_BASE + 0x42, "\xcd\x0e\xcd\x80\xcd\x06", 6);
    in_user();
    r->error_code = TRAP_PF * 8 + 2;
    handle_guest_trap(r, TRAP_GP, 0);
    assert_int_equal(r->rip, HANDLER(TRAP_PF));
    check_frame(STACK, (uint64_t[]){ 0xc0c0, 0x1111, GUEST_BASE + 0x44, 0x33,
                                     0x246 | FLAG_TF | FLAG_AC | FLAG_NT,
                USER_STACK, 0x2b }, 7);
    in_user();
    handle_guest_trap(r, 0x80, 0);
    assert_int_equal(r->rip, HANDLER(0x80));
    v->traps[0x80].address = 0;
    in_user();
    handle_guest_trap(r, 0x80, 0);
    assert_int_equal(r->rip, HANDLER(TRAP_GP));
    check_frame(STACK, (uint64_t[]){ 0xc0c0, 0x1111, 0x80 * 8 + 2, GUEST_BASE + 0x40, 0x33,
                                     0x246 | FLAG_TF | FLAG_AC | FLAG_NT,
                USER_STACK, 0x2b }, 8);
    d->vm_assist |= 1u << VMASST_TYPE_architectural_iopl;
    in_kernel();
    r->rip += 4;
    r->error_code = TRAP_UD * 8 + 2;
    handle_guest_trap(r, TRAP_GP, 0);
    assert_int_equal(r->rip, HANDLER(TRAP_GP));
}

static void trap_table_may_have_any_length(void **state)
{
    static struct trap_info traps[601];

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(traps) - 1; i++)
        traps[i] = (struct trap_info){ .vector = i < 599 ? 0x20 : 0x21, .address = HANDLER(1) };
    guest_put(SCRATCH, traps, sizeof(traps));
    assert_int_equal(hcall(__HYPERVISOR_set_trap_table, SCRATCH), 0);
    assert_int_equal(v->traps[0x21].address, HANDLER(1));
}

static void callback_that_is_no_address_is_ignored(void **state)
{
    (void)state;
    assert_int_equal(hcall(__HYPERVISOR_set_callbacks, HANDLER(7), 1ull << 63, HANDLER(8)), 0);
    assert_int_equal(v->callback[CB_EVENT], HANDLER(7));
    assert_int_equal(v->callback[CB_FAILSAFE], HANDLER(2));
    assert_int_equal(v->callback[CB_SYSCALL], HANDLER(8));
}

/* The #DB is dropped: a handler that is set later gets none; and the vCPU can still block. */
static void nmi_without_a_handler_is_dropped(void **state)
{
    (void)state;
    in_kernel();
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_send_nmi, 0, 0), 0);
    exit_to_guest_work();
    assert_int_equal(v->work & WORK_NMI, 0);
    v->traps[TRAP_NMI].address = HANDLER(TRAP_NMI);
    exit_to_guest_work();
    assert_int_equal(r->rip, GUEST_BASE + 0x42);
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_send_nmi, 0, 0), 0);
    exit_to_guest_work();
    assert_int_equal(r->rip, HANDLER(TRAP_NMI));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guest(page_fault_in_the_kernel_pushes_its_frame),
        with_guest(page_fault_in_user_mode_enters_the_kernel),
        with_guest(trap_frame_keeps_the_event_mask),
        with_guest(event_upcall_pushes_its_frame),
        with_guest(failsafe_callback_gets_the_selectors),
        with_guest(system_call_enters_the_kernel),
        with_guest(system_call_clears_df_for_the_handler),
        with_guest(software_interrupt_has_no_error_code),
        with_guest(software_interrupt_obeys_its_gate),
        with_guest(trap_table_may_have_any_length),
        with_guest(callback_that_is_no_address_is_ignored),
        with_guest(nmi_without_a_handler_is_dropped),
    };

    return cmocka_run_group_tests_name("upcall", tests, NULL, NULL);
}
