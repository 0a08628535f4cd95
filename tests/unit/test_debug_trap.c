/* The debug trap of a MOV SS whose operand is watched, which the CPU delivers after the next
 * instruction. */
#include "cmocka_main.h"
#include "xen/cpu/mov_ss.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/traps.h"
#include "upcall_fixture.h"

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
    exit_to_guest_work();               /* no event is delivered in between */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guest(debug_trap_of_mov_ss_is_held_back),
        with_guest(debug_trap_of_mov_ss_is_dropped),
        with_guest(debug_trap_that_is_not_early_is_delivered),
    };

    return cmocka_run_group_tests_name("debug trap", tests, NULL, NULL);
}
