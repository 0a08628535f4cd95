/* IN, OUT, INS and OUTS of the vmm's guest: who may, by IOPL and the TSS's bitmap; sizes; strings
 * with their counts and directions, and the faults of their memory, before which no port is
 * touched. The ports are those of the CMOS clock's index, the serial port and absent ones. */
#include "cmocka_main.h"
#include <string.h>
#include "tests/unit/vmm_kernel.h"

#define SCRATCH 0x3ffu                  /* the 8250's register that only keeps a byte */
#define DIVISOR 0x3f8u                  /* two bytes, when LCR says so */
#define LCR 0x3fbu
#define ABSENT_PORT 0x1234u

static struct cpu *c;

static int setup(void **state)
{
    (void)state;
    c = vmm_kernel_new();
    vmm_console[0] = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    vmm_cpu_free(c);
    return 0;
}

static void sizes(void **state)
{
    (void)state;
    c->regs[RDX] = 0xffff0000 | SCRATCH;
    c->regs[RAX] = 0x1122334455667788;
    assert_true(EXECUTE(c, 0xee));                              /* out %al,(%dx) */
    c->regs[RAX] = 0x1122334455667700;
    assert_true(EXECUTE(c, 0xec));                              /* in (%dx),%al */
    assert_int_equal(c->regs[RAX], 0x1122334455667788);
    c->regs[RDX] = ABSENT_PORT;
    assert_true(EXECUTE(c, 0x66, 0xed));
    assert_int_equal(c->regs[RAX], 0x112233445566ffff);
    assert_true(EXECUTE(c, 0xed));                              /* eax: clears the upper half */
    assert_int_equal(c->regs[RAX], 0xffffffff);
    c->regs[RAX] = 0x1122334455667700;
    assert_true(EXECUTE(c, 0x48, 0xed));                        /* REX.W means nothing */
    assert_int_equal(c->regs[RAX], 0xffffffff);
    assert_true(EXECUTE(c, 0xe4, 0x99));                /* in $0x99,%al: not sign-extended */
    assert_int_equal(c->regs[RAX], 0xffffffff);
    c->regs[RAX] = 0x0d;
    assert_true(EXECUTE(c, 0xe6, 0x70));
    assert_true(EXECUTE(c, 0xe4, 0x71));
    assert_int_equal(c->regs[RAX], 0x80);                       /* CMOS register D */
}

static void set_bitmap(unsigned first, unsigned nr, unsigned bit)
{
    for (unsigned port = first; port < first + nr; port++) {
        uint8_t *byte = c->ram.bytes + KERNEL_TSS + 0x68 + port / 8;

        *byte = (uint8_t)((*byte & ~(1 << port % 8)) | bit << port % 8);
    }
}

static void permissions(void **state)
{
    (void)state;
    vmm_enter_user(c);
    c->regs[RDX] = 0x47;
    set_bitmap(0, 256, 1);
    EXPECT_FAULT(c, VECTOR_GP, 0, 0xec);
    EXPECT_FAULT(c, VECTOR_GP, 0, 0xee);
    EXPECT_FAULT(c, VECTOR_GP, 0, 0x6c);
    EXPECT_FAULT(c, VECTOR_GP, 0, 0x6e);
    set_bitmap(0x47, 2, 0);             /* its last bit is in the next byte */
    assert_true(EXECUTE(c, 0x66, 0xed));
    EXPECT_FAULT(c, VECTOR_GP, 0, 0xed);
    c->regs[RDX] = 0x46;
    EXPECT_FAULT(c, VECTOR_GP, 0, 0x66, 0xed);
    c->regs[RDX] = 0xff;                /* the second byte of the pair is behind the limit */
    set_bitmap(0xff, 1, 0);
    EXPECT_FAULT(c, VECTOR_GP, 0, 0xec);
    c->tr.limit++;
    assert_true(EXECUTE(c, 0xec));
    memcpy(c->ram.bytes + KERNEL_TSS + 0x66, &(uint16_t){ 0x10 }, 2);
    assert_true(EXECUTE(c, 0xec));      /* zeroes there */
    c->tr.limit = 0x66;                 /* then nothing says where the bitmap starts */
    EXPECT_FAULT(c, VECTOR_GP, 0, 0xec);
    c->tr.limit = TSS_LIMIT;
    c->tr.base = ABSENT;
    EXPECT_FAULT(c, VECTOR_PF, 0, 0xec);
    c->regs[REG_RFLAGS] |= FLAG_IOPL;   /* then nobody asks the TSS */
    assert_true(EXECUTE(c, 0xec));
    c->regs[REG_RFLAGS] = FLAG_MBS | 1 << FLAG_IOPL_SHIFT;
    set_cpl(c, 2);
    EXPECT_FAULT(c, VECTOR_PF, 0, 0xec);
    set_cpl(c, 1);
    assert_true(EXECUTE(c, 0xec));
}

static void string_output(void **state)
{
    (void)state;
    memcpy(c->ram.bytes + DATA_AT, "hello", 5);
    c->regs[RDX] = DIVISOR;
    c->regs[RSI] = DATA_AT;
    c->regs[RCX] = 5;
    assert_true(EXECUTE(c, 0xf3, 0x6e));                        /* rep outsb */
    uart_flush(&c->platform->uart);
    assert_string_equal(vmm_console, "hello");
    assert_int_equal(c->regs[RSI], DATA_AT + 5);
    assert_int_equal(c->regs[RCX], 0);
    assert_int_equal(c->regs[REG_RIP], CODE_AT + 2);
    assert_true(EXECUTE(c, 0xf3, 0x6e));                        /* none */
    assert_int_equal(c->regs[RSI], DATA_AT + 5);
    c->regs[RSI] = DATA_AT + 4;
    c->regs[REG_RFLAGS] |= FLAG_DF;
    assert_true(EXECUTE(c, 0x6e));                              /* one, downwards */
    uart_flush(&c->platform->uart);
    assert_string_equal(vmm_console, "helloo");
    assert_int_equal(c->regs[RSI], DATA_AT + 3);
    assert_int_equal(c->regs[RCX], 0);
    c->seg[SEG_FS].base = DATA_AT;
    c->regs[RSI] = 0xffffffff00000001;
    assert_true(EXECUTE(c, 0x64, 0x67, 0x6e));                  /* %fs:(%esi) */
    uart_flush(&c->platform->uart);
    assert_string_equal(vmm_console, "hellooe");
    assert_int_equal(c->regs[RSI], 0);
}

static void string_input(void **state)
{
    uint64_t *at = vmm_word(c, DATA_AT);

    (void)state;
    c->regs[RDX] = ABSENT_PORT;
    c->regs[RDI] = DATA_AT;
    c->seg[SEG_ES].base = 0x100;        /* which has no meaning in 64-bit code */
    assert_true(EXECUTE(c, 0x6d));
    assert_int_equal(*at, 0xffffffff);
    assert_int_equal(c->regs[RDI], DATA_AT + 4);
    c->regs[RCX] = 2;
    assert_true(EXECUTE(c, 0xf3, 0x66, 0x6d));
    assert_int_equal(*at, ~0ull);
    assert_int_equal(c->regs[RDI], DATA_AT + 8);
    assert_true(EXECUTE(c, 0x48, 0x6d));                        /* 4 bytes, with REX.W too */
    assert_int_equal(c->regs[RDI], DATA_AT + 12);
}

/* A bounded number of steps at a time; RIP stays until the last. */
static void long_strings(void **state)
{
    unsigned rounds = 0;

    (void)state;
    c->regs[RDX] = ABSENT_PORT;
    c->regs[RDI] = DATA_AT;
    c->regs[RCX] = 1000;
    while (c->regs[REG_RIP] == CODE_AT) {
        assert_true(EXECUTE(c, 0xf3, 0x6c));
        assert_int_equal(c->regs[RDI] + c->regs[RCX], DATA_AT + 1000);
        assert_true(rounds++ < 1000);
    }
    assert_in_range(rounds, 10, 100);
    assert_int_equal(c->regs[RCX], 0);
    c->regs[RCX] = ~0ull;               /* as many as that would take for ever */
    assert_true(EXECUTE(c, 0xf3, 0x6c));
}

/* No port is read for memory that cannot take what it gives; steps that were done count. */
static void faults_of_strings(void **state)
{
    uint64_t reads = c->platform->reads, writes = c->platform->writes;

    (void)state;
    c->regs[RDX] = ABSENT_PORT;
    c->regs[RDI] = c->regs[RSI] = ABSENT - 2;
    EXPECT_FAULT(c, VECTOR_PF, 2, 0x6d);        /* crosses into the absent page */
    EXPECT_FAULT(c, VECTOR_PF, 0, 0x6f);
    assert_int_equal(c->platform->reads, reads);
    assert_int_equal(c->platform->writes, writes);
    c->regs[RCX] = 10;
    assert_true(EXECUTE(c, 0xf3, 0x6c));
    assert_int_equal(c->regs[REG_RIP], CODE_AT);
    assert_int_equal(c->regs[RCX], 8);
    assert_int_equal(c->platform->reads, reads + 2);
    EXPECT_FAULT(c, VECTOR_PF, 2, 0xf3, 0x6c);
    assert_int_equal(c->fault.address, ABSENT);
    assert_int_equal(c->regs[RCX], 8);
    c->regs[RDI] = 1ull << 47;
    EXPECT_FAULT(c, VECTOR_GP, 0, 0x6c);
}

static void reset_by_port(void **state)
{
    (void)state;
    c->regs[RAX] = 0xfe;
    assert_false(EXECUTE(c, 0xe6, 0x64));
    assert_int_equal(c->stop, STOP_RESET);
    assert_string_equal(c->reason, "the guest reset its machine by port 64");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sizes), TEST(permissions), TEST(string_output), TEST(string_input),
        TEST(long_strings), TEST(faults_of_strings), TEST(reset_by_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
