/* How many instructions way 1 says that it has executed: each one once, whether it ran in a block
 * or was stepped over, and each step of a REP. */
#include "cmocka_main.h"
#include <string.h>
#include "guest-pv/vmm/emulate/block.h"
#include "guest-pv/vmm/emulate/run.h"
#include "tests/unit/vmm_host.h"

#define CODE 0x100000u
#define DATA 0x200000u
#define ARENA (1u << 20)

/* Of the program, which ends with HLT. */
static uint64_t count(const uint8_t *code, unsigned len)
{
    struct cpu *c = vmm_cpu_new(600);
    uint64_t n;

    memcpy(c->ram.bytes + CODE, code, len);
    c->regs[REG_RIP] = CODE;
    c->regs[RDI] = DATA;
    assert_true(blocks_init(c, ARENA));
    run_emulated(c);
    assert_int_equal(c->stop, STOP_HALTED);
    n = c->counters.instructions;
    blocks_free(c);
    vmm_cpu_free(c);
    return n;
}
#define COUNT(...) count((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void plain(void **state)
{
    (void)state;
    assert_int_equal(COUNT(0xf4), 1);
    assert_int_equal(COUNT(0x90, 0x90, 0x90, 0xf4), 4);
    /* mov $100000, %ecx; 1: dec %ecx; jnz 1b: more than between two polls */
    assert_int_equal(COUNT(0xb9, 0xa0, 0x86, 0x01, 0x00, 0xff, 0xc9, 0x75, 0xfc, 0xf4), 200002);
}

/* The instruction behind a load of SS is executed by itself: mov $16, %eax; mov %eax, %ss; nop. */
static void stepped(void **state)
{
    (void)state;
    assert_int_equal(COUNT(0xb8, 0x10, 0, 0, 0, 0x8e, 0xd0, 0x90, 0xf4), 4);
    assert_int_equal(COUNT(0xfb, 0x90, 0xfa, 0xf4), 4);
    assert_int_equal(COUNT(0xfb, 0x90, 0xfa, 0xfb, 0x90, 0xfa, 0xf4), 7);
}

/* mov $n, %ecx; cld; rep stosb */
static void repeated(void **state)
{
    (void)state;
    assert_int_equal(COUNT(0xb9, 0x0a, 0, 0, 0, 0xfc, 0xf3, 0xaa, 0xf4), 13);
    assert_int_equal(COUNT(0xb9, 0x10, 0x27, 0, 0, 0xfc, 0xf3, 0xaa, 0xf4), 10003);
    assert_int_equal(COUNT(0xb9, 0xa0, 0x86, 0x01, 0, 0xfc, 0xf3, 0xaa, 0xf4), 100003);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain), cmocka_unit_test(stepped), cmocka_unit_test(repeated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
