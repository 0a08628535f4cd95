/* The frames that a guest's kernel finds on its stack, word for word, and stacks that cannot take
 * one. */
#include "arch/arch.h"
#include "common/x86/flags.h"
#include "cmocka_main.h"
#include <string.h>
#include "support.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/cpu/exceptions.h"
#include "xen/cpu/mov_ss.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/mmuext.h"
#include "xen/pv/traps.h"

#define STACK (SCRATCH + 0x2000)
#define USER_STACK (SCRATCH + 0x3000)
#define HANDLER(n) (GUEST_BASE + 0x100 + 16 * (uint64_t)(n))

static struct domain *d;
static struct vcpu *v;
static struct cpu_user_regs *r;
static uint64_t pt_base;

static int one_guest(void **state)
{
    struct mmuext_op op = { .cmd = MMUEXT_NEW_USER_BASEPTR };
    struct trap_info traps[5] = {
        { .vector = TRAP_PF, .flags = 4, .cs = FLAT_KERNEL_CS64, .address = HANDLER(TRAP_PF) },
        { .vector = TRAP_UD, .flags = 0, .cs = FLAT_KERNEL_CS64, .address = HANDLER(TRAP_UD) },
        { .vector = TRAP_GP, .flags = 0, .cs = FLAT_KERNEL_CS64, .address = HANDLER(TRAP_GP) },
        { .vector = 0x80, .flags = 3, .cs = FLAT_KERNEL_CS64, .address = HANDLER(0x80) },
    };

    machine_up(state);
    d = guest_make(1, 1);
    v = d->vcpu[0];
    host_become(v);
    r = guest_regs(v);
    pt_base = guest_start_info(d)->pt_base;
    guest_put(SCRATCH, traps, sizeof(traps));
    assert_int_equal(hcall(__HYPERVISOR_set_trap_table, SCRATCH), 0);
    assert_int_equal(hcall(__HYPERVISOR_set_callbacks, HANDLER(1), HANDLER(2), HANDLER(3)), 0);
    assert_int_equal(hcall(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS64, STACK), 0);
    op.arg1.mfn = v->root_kernel >> PAGE_SHIFT;
    guest_put(SCRATCH, &op, sizeof(op));
    assert_int_equal(hcall(__HYPERVISOR_mmuext_op, SCRATCH, 1, 0, DOMID_SELF), 0);
    v->info->evtchn_upcall_mask = 0;
    return 0;
}

static void in_kernel(void)
{
    memset(r, 0, sizeof(*r));
    r->rcx = 0xc0c0;
    r->r11 = 0x1111;
    r->rip = GUEST_BASE + 0x42;
    r->cs = FLAT_KERNEL_CS64;
    r->ss = FLAT_KERNEL_SS64;
    r->rsp = STACK - 0x108;         /* 8 modulo 16 */
    r->rflags = 0x246 | FLAG_TF | FLAG_AC | FLAG_NT;
    v->kernel_mode = true;
}

static void in_user(void)
{
    in_kernel();
    r->cs = 0x33;
    r->ss = 0x2b;
    r->rsp = USER_STACK;
    v->kernel_mode = false;
    arch_load_root(v);
}

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
    guest_put(GUEST_BASE + 0x42, "\xcd\x80\xcd\x81", 4);
    in_user();
    r->error_code = 0x80 * 8 + 2;
    handle_guest_trap(r, TRAP_GP, 0);
    assert_int_equal(r->rip, HANDLER(0x80));
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
    r->rip += 2;
    r->error_code = 0x80 * 8 + 2;
    handle_guest_trap(r, TRAP_GP, 0);
    assert_int_equal(r->rip, HANDLER(0x80));
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

/* The #DB is dropped, as the later handler shows; and the vCPU can still sleep. */
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

/* A CPU that raises the #DB of MOV SS one instruction early: it is held back, unless another event
 * comes first. */
static void watch_the_stack_selector(const char *code, unsigned len)
{
    host.early_db = true;
    v->traps[TRAP_DB].address = HANDLER(TRAP_DB);
    v->debugreg[6] = 0xffff0ff0;
    assert_int_equal(hcall(__HYPERVISOR_set_debugreg, 0, SCRATCH + 0x800), 0);
    assert_int_equal(hcall(__HYPERVISOR_set_debugreg, 7, 0x70401), 0);
    guest_put(GUEST_BASE + 0x40, code, len);
    in_kernel();                        /* rip is behind the MOV SS */
    r->rflags = 0x246;
    r->rax = SCRATCH + 0x800;
    handle_guest_trap(r, TRAP_DB, 1);
}

static void held_back(void)
{
    assert_int_equal(r->rip, GUEST_BASE + 0x42);
    assert_int_equal(r->rflags & FLAG_TF, FLAG_TF);
    assert_int_equal(v->debugreg[6] & 0xf, 0);
    v->info->evtchn_upcall_pending = 1;
    exit_to_guest_work();               /* not even an event comes between */
    assert_int_equal(r->rip, GUEST_BASE + 0x42);
    v->info->evtchn_upcall_pending = 0;
}

static void debug_trap_of_mov_ss_is_held_back(void **state)
{
    uint64_t flags = 0x346;

    (void)state;
    watch_the_stack_selector("\x8e\x10\x90", 3);       /* mov (%rax), %ss; nop */
    held_back();
    r->rip++;
    handle_guest_trap(r, TRAP_DB, 0x4000);
    assert_int_equal(r->rip, HANDLER(TRAP_DB));
    assert_int_equal(v->debugreg[6] & 0x400f, 1);
    guest_get(&flags, r->rsp + 32, sizeof(flags));
    assert_int_equal(flags & FLAG_TF, 0);
    assert_int_equal(v->work & WORK_HELD_DB, 0);

    watch_the_stack_selector("\x8e\x10\x9c", 3);       /* pushf */
    held_back();
    r->rip++;
    r->rsp -= 8;
    flags = 0x346;
    guest_put(r->rsp, &flags, sizeof(flags));
    handle_guest_trap(r, TRAP_DB, 0x4000);
    guest_get(&flags, STACK - 0x110, sizeof(flags));
    assert_int_equal(flags, 0x246);

    watch_the_stack_selector("\x8e\x10\x9d", 3);       /* popf, of a set TF */
    held_back();
    r->rip++;
    handle_guest_trap(r, TRAP_DB, 0x4000);
    guest_get(&flags, r->rsp + 32, sizeof(flags));
    assert_int_equal(flags & FLAG_TF, FLAG_TF);
}

static void debug_trap_of_mov_ss_is_dropped(void **state)
{
    uint64_t flags;

    (void)state;
    v->traps[TRAP_BP].address = HANDLER(TRAP_BP);
    watch_the_stack_selector("\x8e\x10\xcc", 3);       /* int3 */
    held_back();
    r->rip++;
    handle_guest_trap(r, TRAP_BP, 0);
    assert_int_equal(r->rip, HANDLER(TRAP_BP));
    guest_get(&flags, r->rsp + 32, sizeof(flags));
    assert_int_equal(flags & FLAG_TF, 0);
    exit_to_guest_work();
    assert_int_equal(r->rip, HANDLER(TRAP_BP));

    watch_the_stack_selector("\x8e\x10\x0f\x05", 4);   /* a hypercall */
    held_back();
    r->rip += 2;
    exit_to_guest_work();
    assert_int_equal(r->rflags & FLAG_TF, 0);
    assert_int_equal(v->work & WORK_HELD_DB, 0);
    assert_int_equal(v->debugreg[6], 0xffff0ff0);
}

/* Not held back: another instruction, another operand, a CPU that is right. */
static void debug_trap_that_is_not_early_is_delivered(void **state)
{
    (void)state;
    watch_the_stack_selector("\x8b\x10\x90", 3);       /* mov (%rax), %edx */
    assert_int_equal(r->rip, HANDLER(TRAP_DB));
    watch_the_stack_selector("\x8e\x11\x90", 3);       /* mov (%rcx), %ss */
    assert_int_equal(r->rip, HANDLER(TRAP_DB));
    watch_the_stack_selector("\x8e\x10\x90", 3);
    held_back();
    drop_held_trap(v, r);
    host.early_db = false;
    handle_guest_trap(r, TRAP_DB, 1);
    assert_int_equal(r->rip, HANDLER(TRAP_DB));
}

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
    assert_int_equal(r->rcx, 0xc0c0);               /* in_syscall: rcx and r11 stay */
    assert_int_equal(r->rflags, 0x246);             /* the real IF is always on */
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
static void a_crash_is_told(void **state)
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

#define with_guest(test) cmocka_unit_test_setup_teardown(test, one_guest, machine_down)

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
        with_guest(debug_trap_of_mov_ss_is_held_back),
        with_guest(debug_trap_of_mov_ss_is_dropped),
        with_guest(debug_trap_that_is_not_early_is_delivered),
        with_guest(iret_to_user_and_back),
        with_guest(iret_within_the_kernel),
        with_guest(bad_stacks_crash_the_domain),
        with_guest(missing_handlers_crash_the_domain),
        with_guest(bad_irets_crash_the_domain),
        with_guest(a_crash_is_told),
    };

    return cmocka_run_group_tests_name("upcall", tests, NULL, NULL);
}
