/* Way 3's run loop, and the root that it loads: while the core executes kernel code, as it does
 * while IOPL is not 0, and when CR3 or the CPL has changed. Its exits are
 * test_vmm_translate_exits.c's, what runs is test_vmm_translate*.c's. */
#include "tests/unit/vmm_loop_parts.h"

static void push(uint64_t value)
{
    c->regs[RSP] -= 8;
    *vmm_word(c, c->regs[RSP]) = value;
}

/* To FUNCTION, where the CPU's own flags are enough again. */
static void push_frame_of_iret(void)
{
    uint64_t rsp = c->regs[RSP];

    push(KERNEL_SS);
    push(rsp);
    push(FLAG_MBS);
    push(KERNEL_CS);
    push(FUNCTION);
}

/* X1: while the core executes one instruction after the other there is no exit, but the root that
 * has just been loaded is watched. mov %rax, %cr3; mov %rcx, (%rbx); iretq. */
static void a_root_is_written_right_after_its_load(void **state)
{
    static const uint8_t code[] = { 0x0f, 0x22, 0xd8, 0x48, 0x89, 0x0b, 0x48, 0xcf };
    uint64_t of_all = translate_counts(c)->all_suspended;

    (void)state;
    c->regs[REG_RIP] = FUNCTION;
    run_translated(c);
    assert_int_equal(frame_that_runs(), FUNCTION_FRAME);
    memcpy(vmm_word(c, CODE_AT), code, sizeof(code));
    push_frame_of_iret();
    c->regs[REG_RIP] = CODE_AT;
    c->regs[REG_RFLAGS] |= FLAG_IOPL;
    c->regs[RAX] = OTHER_ROOT;
    c->regs[RBX] = OTHER_ROOT + 8 * SLOT;
    c->regs[RCX] = OTHER_LEVEL_3 | FLAGS;
    run_translated(c);
    assert_int_equal(c->cr3, OTHER_ROOT);
    assert_int_equal(c->regs[REG_RIP], FUNCTION);
    assert_int_equal(translate_counts(c)->all_suspended - of_all, 1);
    assert_int_equal(frame_that_runs(), FUNCTION_FRAME + 1);
}

static uint64_t frame_the_mmu_finds(uint64_t linear)
{
    struct vmm_leaf leaf;

    return vmm_mmu_resolve(linear, &leaf) ? leaf.frame : 0;
}

/* Nothing of the other root is used before that, and what has been filled survives. With IOPL the
 * core executes mov %rax, %cr3; pushf; andl $~IOPL, (%rsp); popf. */
static void load_cr3(uint64_t root)
{
    static const uint8_t code[] = { 0x0f, 0x22, 0xd8, 0x9c, 0x81, 0x24, 0x24, 0xff, 0xcf,
                                    0xff, 0xff, 0x9d, 0xf4 };

    memcpy(vmm_word(c, CODE_AT), code, sizeof(code));
    c->regs[REG_RIP] = CODE_AT;
    c->regs[REG_RFLAGS] |= FLAG_IOPL;
    c->regs[RAX] = root;
    run_translated(c);
    assert_int_equal(c->cr3, root);
    assert_int_equal(c->regs[REG_RIP], CODE_AT + 12);
}

static void the_mmu_has_the_root_of_cr3(void **state)
{
    (void)state;
    *vmm_word(c, OTHER_ROOT + 8 * SLOT) = OTHER_LEVEL_3 | FLAGS;
    c->regs[REG_RIP] = FUNCTION;
    run_translated(c);
    stop_at(host_rip, VECTOR_PF, 4, FUNCTION);
    assert_int_equal(frame_the_mmu_finds(FUNCTION), FUNCTION_FRAME);
    load_cr3(OTHER_ROOT);
    assert_int_equal(frame_the_mmu_finds(FUNCTION), 0);
    stop_at(host_rip, VECTOR_PF, 4, FUNCTION);
    assert_int_equal(frame_the_mmu_finds(FUNCTION), FUNCTION_FRAME + 1);
    c->regs[REG_RIP] = FUNCTION;
    run_translated(c);
    assert_int_equal(frame_that_runs(), FUNCTION_FRAME + 1);
    load_cr3(ROOT);
    assert_int_equal(frame_the_mmu_finds(FUNCTION), FUNCTION_FRAME);
}

/* A page without U, which the guest's kernel has used. */
static void user_code_has_a_root_of_its_own(void **state)
{
    const uint64_t kernels = 3 << 21;

    (void)state;
    *vmm_word(c, LEVEL_2 + 8 * 3) = kernels | (FLAGS & ~4u) | 0x80;
    c->ram.bytes[HANDLER_AT(VECTOR_GP)] = 0xf4;
    c->regs[REG_RIP] = CODE_AT;
    run_translated(c);
    stop_at(host_rip, VECTOR_PF, 4, kernels);
    assert_int_not_equal(frame_the_mmu_finds(kernels), 0);
    vmm_enter_user(c);
    c->regs[REG_RIP] = CODE_AT;
    run_translated(c);
    assert_int_equal(host_rip, CODE_AT);
    assert_int_equal(frame_the_mmu_finds(kernels), 0);
    c->ram.bytes[CODE_AT] = 0xf4;       /* HLT is #GP there */
    stop_at(CODE_AT, VECTOR_GP, 0, 0);
    assert_int_equal(c->cpl, 0);
    assert_int_not_equal(frame_the_mmu_finds(kernels), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_mmu_has_the_root_of_cr3, setup, teardown),
        cmocka_unit_test_setup_teardown(user_code_has_a_root_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(a_root_is_written_right_after_its_load, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
