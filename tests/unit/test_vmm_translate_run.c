/* Way 3's run loop, of which direct_run() is the test's own: it says that guest code has stopped,
 * and keeps the host address at which it is to go on. Nothing runs there: what kernel code does
 * here is done by the core, as it is while IOPL is not 0. What runs is test_vmm_translate*.c's. */
#include "cmocka_main.h"
#include <stdlib.h>
#include <string.h>
#include "guest-pv/vmm/direct/direct.h"
#include "guest-pv/vmm/direct/shadow.h"
#include "guest-pv/vmm/translate/region.h"
#include "tests/unit/vmm_kernel.h"
#include "tests/unit/vmm_mmu.h"

#define REGION_BYTES (CODE_OFFSET + (1u << 20))
#define NR_SHADOWS 60u
#define ROOT 0x1000u                    /* vmm_host.c's, and its table of level 3 */
#define LEVEL_3 0x2000u
#define OTHER_ROOT 0x29000u
#define OTHER_LEVEL_3 0x2a000u
#define OTHER_LEVEL_2 0x2b000u
#define OTHER_LEVEL_1 0x2c000u
#define SLOT 511u                       /* of level 4, by which FUNCTION is reached */
#define FUNCTION_FRAME 0x30u            /* by ROOT; the next one by the other tables */
#define FUNCTION (0xffffffff80000000ull + FUNCTION_FRAME * GUEST_PAGE)
#define FLAGS 0x67u                     /* P, RW, US, A, D */

static struct cpu *c;
static uint64_t host_rip;
static struct translate_host host = {
    .base = REGION_BASE, .bytes = REGION_BYTES, .callout = { 0x0f, 0x05 },
    .protect = shadow_protect,
};

void direct_run(struct cpu *cpu, exit_fn *on_exit)
{
    struct exit e = { .vector = EXIT_START };

    host_rip = on_exit(cpu, &e);
}

void direct_alarm(uint64_t tsc)
{
    (void)tsc;
}

/* The frame with the code that the CPU goes on with. */
static uint32_t frame_that_runs(void)
{
    const struct translator *t = c->translator;

    assert_true(translate_is_code(c, host_rip));
    return t->blocks[block_at(t, (uint32_t)(host_rip - host.base))].frame[0];
}

/* FUNCTION is hlt; by way of OTHER_LEVEL_3 it is so in the next frame. */
static void set_memory(void)
{
    c->ram.bytes[FUNCTION_FRAME * GUEST_PAGE] = 0xf4;
    c->ram.bytes[(FUNCTION_FRAME + 1) * GUEST_PAGE] = 0xf4;
    memcpy(vmm_word(c, OTHER_ROOT), vmm_word(c, ROOT), GUEST_PAGE);
    memcpy(vmm_word(c, OTHER_LEVEL_3), vmm_word(c, LEVEL_3), GUEST_PAGE);
    *vmm_word(c, OTHER_LEVEL_3 + 8 * 510) = OTHER_LEVEL_2 | FLAGS;
    *vmm_word(c, OTHER_LEVEL_2) = OTHER_LEVEL_1 | FLAGS;
    *vmm_word(c, OTHER_LEVEL_1 + 8 * FUNCTION_FRAME) = (FUNCTION_FRAME + 1) * GUEST_PAGE | FLAGS;
}

static int setup(void **state)
{
    (void)state;
    c = vmm_kernel_new();
    host.memory = aligned_alloc(GUEST_PAGE, REGION_BYTES);
    set_memory();
    vmm_mmu_init(c, NR_SHADOWS);
    assert_true(shadows_init(c, &vmm_mmu, NR_SHADOWS));
    assert_true(translate_init(c, &host));
    return 0;
}

static int teardown(void **state)
{
    const char *wrong = shadow_audit(c);

    (void)state;
    if (wrong == NULL)
        wrong = vmm_mmu_check();
    if (wrong != NULL)
        fail_msg("%s", wrong);
    translate_free(c);
    shadows_free(c);
    free(host.memory);
    vmm_cpu_free(c);
    return 0;
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_root_is_written_right_after_its_load, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
