/* The core's integer instructions where no host can be asked: what depends on the CPL and IOPL,
 * what our CPUID does not have, how much of a repeated instruction one call does and what it
 * counts, frames that are two linear pages, and the hook of frames that somebody watches. The rest
 * is test_vmm_integer.c's. */
#include "cmocka_main.h"
#include <string.h>
#include "guest-pv/vmm/core/emulate.h"
#include "tests/unit/vmm_host.h"

#define CODE 0x100000ull
#define DATA 0x200000ull

static struct cpu *c;

/* RIP is at the instruction afterwards, or behind it. */
static bool run(const char *bytes, unsigned length)
{
    struct insn in;

    memcpy(c->ram.bytes + CODE, bytes, length);
    assert_true(decode_insn((const uint8_t *)bytes, length, MODE_64, &in));
    assert_int_equal(in.length, length);
    c->regs[REG_RIP] = CODE;
    return emulate(c, &in);
}
#define RUN(bytes) run(bytes, sizeof(bytes) - 1)

static int set_up(void **state)
{
    (void)state;
    c = vmm_cpu_new(2048);
    c->regs[RSP] = DATA + 0x800;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    vmm_cpu_free(c);
    return 0;
}

static uint64_t popf(unsigned cpl, uint64_t before, uint64_t popped, bool wide)
{
    set_cpl(c, cpl);
    c->regs[REG_RFLAGS] = before;
    c->regs[RSP] = DATA + 0x800;
    memcpy(c->ram.bytes + DATA + 0x800, &popped, 8);
    assert_true(wide ? RUN("\x9d") : RUN("\x66\x9d"));
    assert_int_equal(c->regs[RSP], DATA + 0x800 + (wide ? 8 : 2));
    return c->regs[REG_RFLAGS];
}

#define ARITHMETIC (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)
#define ANYBODY (FLAG_MBS | ARITHMETIC | FLAG_TF | FLAG_DF | FLAG_NT)

/* SDM vol. 2, POPF, the table of effects on RFLAGS */
static void popf_by_size(void **state)
{
    const uint64_t upper = FLAG_AC | FLAG_ID, fixed = FLAG_VIF | FLAG_VIP;

    (void)state;
    assert_int_equal(popf(0, 2, ~0ull, true), ANYBODY | upper | FLAG_IF | FLAG_IOPL);
    assert_int_equal(popf(0, 2, ~0ull, false), ANYBODY | FLAG_IF | FLAG_IOPL);
    assert_int_equal(popf(3, 2, ~0ull, true), ANYBODY | upper);
    assert_int_equal(popf(0, 2 | upper | FLAG_RF, 0, false), 2 | upper);
    assert_int_equal(popf(0, 2 | upper | fixed | FLAG_RF, 0, true), 2 | fixed);
}

static void popf_by_iopl(void **state)
{
    (void)state;
    assert_int_equal(popf(3, 2 | FLAG_IF, 0, true), 2 | FLAG_IF);
    assert_int_equal(popf(3, 2, FLAG_IF | FLAG_IOPL, true), 2);
    assert_int_equal(popf(3, 2 | FLAG_IOPL | FLAG_IF, 0, true), 2 | FLAG_IOPL);
    assert_int_equal(popf(3, 2 | FLAG_IOPL, FLAG_IF, false), 2 | FLAG_IOPL | FLAG_IF);
    assert_int_equal(popf(3, 2 | 2 << FLAG_IOPL_SHIFT, FLAG_IF, true), 2 | 2 << FLAG_IOPL_SHIFT);
}

static void pushf_hides_rf_and_vm(void **state)
{
    uint64_t pushed;

    (void)state;
    c->regs[REG_RFLAGS] = FLAG_MBS | FLAG_RF | FLAG_VM | FLAG_IF | FLAG_IOPL | FLAG_CF;
    assert_true(RUN("\x9c"));
    memcpy(&pushed, c->ram.bytes + DATA + 0x7f8, 8);
    assert_int_equal(pushed, FLAG_MBS | FLAG_IF | FLAG_IOPL | FLAG_CF);
}

/* A CPU without BMI1 and LZCNT does not see the prefix; no bit: the destination stays. */
static void tzcnt_and_lzcnt_are_bsf_and_bsr(void **state)
{
    (void)state;
    c->regs[RBX] = 0x00f0;
    assert_true(RUN("\xf3\x0f\xbc\xc3")); /* tzcnt %ebx,%eax */
    assert_int_equal(c->regs[RAX], 4);
    assert_true(RUN("\xf3\x48\x0f\xbd\xc3"));
    assert_int_equal(c->regs[RAX], 7);
    c->regs[RBX] = 0;
    c->regs[RAX] = ~0ull;
    assert_true(RUN("\xf3\x0f\xbc\xc3"));
    assert_int_equal(c->regs[RAX], ~0ull);
    assert_true(c->regs[REG_RFLAGS] & FLAG_ZF);
}

static void what_cpuid_does_not_have_is_ud(void **state)
{
    static const struct {
        const char *bytes;
        unsigned length;
    } absent[] = {
#define ABSENT(bytes) { bytes, sizeof(bytes) - 1 }
        ABSENT("\x0f\x38\xf0\x07"),           /* movbe (%rdi),%eax */
        ABSENT("\x0f\x38\xf1\x07"),
        ABSENT("\xf3\x0f\xb8\xc3"),           /* popcnt */
        ABSENT("\xf2\x0f\x38\xf1\xc3"),       /* crc32 */
        ABSENT("\x66\x0f\x38\xf6\xc3"),       /* adcx */
        ABSENT("\xf3\x0f\x38\xf6\xc3"),       /* adox */
        ABSENT("\x0f\xc7\xf0"),               /* rdrand */
        ABSENT("\x0f\xc7\xf8"),               /* rdseed */
        ABSENT("\xc7\xf8\x00\x00\x00\x00"),   /* xbegin */
        ABSENT("\xc4\xe2\x60\xf2\xc3"),       /* andn, of VEX */
        ABSENT("\xf0\x89\x07"),               /* lock mov */
        ABSENT("\xf0\x01\xc0"),               /* lock add to a register */
    };

    (void)state;
    c->regs[RDI] = DATA;
    for (unsigned i = 0; i < ARRAY_SIZE(absent); i++) {
        assert_false(run(absent[i].bytes, absent[i].length));
        assert_int_equal(c->fault.vector, VECTOR_UD);
        assert_int_equal(c->regs[REG_RIP], CODE);
    }
}

/* How many calls a repeated instruction takes; none of them does more than a page. */
static unsigned run_to_the_end(const char *bytes, unsigned length)
{
    unsigned calls = 0;
    uint64_t left;

    do {
        left = c->regs[RCX];
        assert_true(run(bytes, length));
        assert_in_range(left - c->regs[RCX], 1, GUEST_PAGE);
        c->budget--;                    /* as those do who call emulate() */
        calls++;
    } while (c->regs[REG_RIP] == CODE);
    return calls;
}

static void repeats_are_bounded_and_counted(void **state)
{
    (void)state;
    c->regs[RDI] = DATA + 100;
    c->regs[RCX] = 10000;
    c->regs[RAX] = 0x55;
    assert_int_equal(run_to_the_end("\xf3\xaa", 2), 3);
    assert_int_equal(c->budget, -10000);
    assert_int_equal(c->regs[RDI], DATA + 10100);
    assert_int_equal(c->ram.bytes[DATA + 99], 0);
    for (unsigned i = 100; i < 10100; i++)
        assert_int_equal(c->ram.bytes[DATA + i], 0x55);
    assert_int_equal(c->ram.bytes[DATA + 10100], 0);
    assert_int_equal(c->regs[REG_RIP], CODE + 2);
}

/* Of 8 bytes, not aligned: the elements that cross a page's end are steps of their own. */
static void elements_across_pages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 0x3000; i++)
        c->ram.bytes[DATA + i] = (uint8_t)(i * 7 + i / 256);
    c->regs[RSI] = DATA + 5;
    c->regs[RDI] = DATA + 0x10000 + 2003;
    c->regs[RCX] = 1024;
    /* the elements 261, 511, 773 and 1023, and what is between them */
    assert_int_equal(run_to_the_end("\xf3\x48\xa5", 3), 8);
    assert_memory_equal(c->ram.bytes + DATA + 0x10000 + 2003, c->ram.bytes + DATA + 5, 8192);
    assert_int_equal(c->ram.bytes[DATA + 0x10000 + 2003 + 8192], 0);
    assert_int_equal(c->budget, -1024);
}

/* The two linear pages are one frame: a copy that overlaps there repeats what it wrote. */
static void copies_between_aliases(void **state)
{
    (void)state;
    memcpy(c->ram.bytes + DATA, "abcdefgh", 8);
    c->regs[RSI] = DATA;
    c->regs[RDI] = 0xffffffff80000000ull + DATA + 2;
    c->regs[RCX] = 6;
    assert_int_equal(run_to_the_end("\xf3\xa4", 2), 1);
    assert_memory_equal(c->ram.bytes + DATA, "abababab", 8);
}

static uint64_t told_from, told_to;     /* physical addresses */
static uint8_t seen;

static void on_write(struct cpu *cpu, uint64_t phys, unsigned bytes)
{
    told_from = MIN(told_from, phys);
    told_to = MAX(told_to, phys + bytes);
    seen = cpu->ram.bytes[DATA + 64];
}

/* Of all bytes, before the first of them changes; by each instruction that writes. */
static void watched_frames_are_told_before_writes(void **state)
{
    static const struct {
        const char *bytes;
        unsigned length;
        bool down;
        unsigned from, to;      /* what it writes */
    } writes[] = {
        { "\x89\x07", 2, false, 64, 68 },               /* mov %eax,(%rdi) */
        { "\x01\x07", 2, false, 64, 68 },               /* add */
        { "\x87\x07", 2, false, 64, 68 },               /* xchg */
        { "\xf3\xab", 2, false, 64, 80 },               /* rep stosl */
        { "\xf3\xab", 2, true, 52, 68 },
        { "\xf3\x48\xa5", 3, false, 64, 96 },           /* rep movsq */
        { "\xf3\x48\xa5", 3, true, 40, 72 },
    };

    (void)state;
    c->frame_written = on_write;
    c->ram.flags[DATA / GUEST_PAGE] = FRAME_CODE;
    for (unsigned i = 0; i < ARRAY_SIZE(writes); i++) {
        c->regs[RDI] = DATA + 64;
        c->regs[RSI] = DATA + 0x1800;
        c->regs[RCX] = 4;
        c->regs[RAX] = 0x11 * (i + 1);
        c->regs[REG_RFLAGS] = FLAG_MBS | (writes[i].down ? FLAG_DF : 0);
        c->ram.bytes[DATA + 64] = 0xee;
        told_from = UINT64_MAX;
        told_to = 0;
        assert_true(run(writes[i].bytes, writes[i].length));
        assert_int_equal(told_from, DATA + writes[i].from);
        assert_int_equal(told_to, DATA + writes[i].to);
        assert_int_equal(seen, 0xee);
        assert_int_not_equal(c->ram.bytes[DATA + 64], 0xee);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(popf_by_size),
        TEST(popf_by_iopl),
        TEST(pushf_hides_rf_and_vm),
        TEST(tzcnt_and_lzcnt_are_bsf_and_bsr),
        TEST(what_cpuid_does_not_have_is_ud),
        TEST(repeats_are_bounded_and_counted),
        TEST(elements_across_pages),
        TEST(copies_between_aliases),
        TEST(watched_frames_are_told_before_writes),
    };

    return cmocka_run_group_tests_name("rules of integer instructions", tests, NULL, NULL);
}
