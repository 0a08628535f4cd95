/* The second file of suite "compat": INS and OUTS with segments that have bases and limits, and the
 * limit of the code segment. */
#include <string.h>
#include "compat.h"
#include "hypercall.h"
#include "start.h"

/* mov %ebx,%es; mov %ecx,%ds; then the instruction, at offset 4. */
#define WITH_SEGMENTS(text) "\x8e\xc3\x8e\xd9" text

/* INS writes to ES, OUTS reads from DS or from the segment of a prefix. The base, limit and type of
 * that segment apply. */
static void strings(void)
{
    struct regs r;

    compat_begin();
    set_iopl(3);
    for (unsigned i = 0; i < KINDS; i++) {
        unsigned cs = compat_kinds[i];

        memset(compat_data, 0, PAGE_SIZE);
        r = compat_registers(0, PIC_PORT);
        r.rbx = SEL(DATA);
        r.rcx = FLAT_RING3_DS32;
        r.rdi = IS_16(cs) ? 0xabcd0100 : 0x100;
        expect_done("insb", RUN(0, WITH_SEGMENTS("\x6c"), &r, cs), cs, 5, 0);
        EXPECT_EQ(compat_data[0x100], 0xff);
        EXPECT_EQ(compat_data[0x101], 0);
        EXPECT_EQ((uint32_t)compat_seen.rdi, r.rdi + 1);
        r.rdi = 0x200;
        r.rbx = SEL(DATA);
        r.rcx = SEL(DATA);
        r.rsi = 0x100;
        expect_done("outsb", RUN(0, WITH_SEGMENTS("\x6e"), &r, cs), cs, 5, 0);
        EXPECT_EQ(compat_seen.rsi, 0x101);
        r.rdi = r.rsi = 0xfff;                          /* the last byte */
        expect_done("insb", RUN(0, WITH_SEGMENTS("\x6c"), &r, cs), cs, 5, 0);
        expect_done("outsb", RUN(0, WITH_SEGMENTS("\x6e"), &r, cs), cs, 5, 0);
        r.rdi = r.rsi = 0x1000;
        expect_refused("insb", RUN(0, WITH_SEGMENTS("\x6c"), &r, cs), cs, 4, TRAP_GP, 0);
        expect_refused("outsb", RUN(0, WITH_SEGMENTS("\x6e"), &r, cs), cs, 4, TRAP_GP, 0);
        EXPECT_EQ(compat_data[0], 0);
        r.rbx = 0;
        r.rdi = 0;
        expect_refused("insb, null", RUN(0, WITH_SEGMENTS("\x6c"), &r, cs), cs, 4, TRAP_GP, 0);
        r.rbx = cs;
        expect_refused("insb, code", RUN(0, WITH_SEGMENTS("\x6c"), &r, cs), cs, 4, TRAP_GP, 0);
        r.rcx = 0;
        r.rsi = 0;
        if (cs == FLAT_RING3_CS32)
            cs = SEL(CODE32);
        expect_done("cs outsb", RUN(0, WITH_SEGMENTS("\x2e\x6e"), &r, cs), cs, 6, 0);
    }
    set_iopl(0);
    compat_end();
}

static void repeated(void)
{
    struct regs r;

    compat_begin();
    set_iopl(3);
    for (unsigned i = 0; i < KINDS; i++) {
        unsigned cs = compat_kinds[i];

        memset(compat_data, 0, PAGE_SIZE);
        r = compat_registers(0, PIC_PORT);
        r.rbx = SEL(DATA);
        r.rdi = 0xffd;
        r.r9 = 0;
        /* mov %ebx,%es; mov $2,%cx; rep insb */
        expect_done("rep insb", RUN(0, "\x8e\xc3\xb1\x02\xb5\x00\xf3\x6c", &r, cs), cs, 8, 0);
        EXPECT_EQ((uint16_t)compat_seen.rcx, 0);
        EXPECT_EQ((uint32_t)compat_seen.rdi, 0xfff);
        EXPECT_EQ(compat_data[0xffc] | compat_data[0xfff], 0);
        EXPECT_EQ(compat_data[0xffd] & compat_data[0xffe], 0xff);
        r.rdi = 0xffe;                                  /* room for two of four */
        expect_refused("rep insb", RUN(0, "\x8e\xc3\xb1\x04\xb5\x00\xf3\x6c", &r, cs), cs, 6,
                       TRAP_GP, 0);
        EXPECT_EQ(compat_data[0xfff], 0xff);
        r.rdi = 4;
        r.rflags |= RFLAGS_DF;
        expect_done("rep insb", RUN(0, "\x8e\xc3\xb1\x02\xb5\x00\xf3\x6c", &r, cs), cs, 8, 0);
        EXPECT_EQ((uint32_t)compat_seen.rdi, 2);
        EXPECT_EQ(compat_data[2], 0);
        EXPECT_EQ(compat_data[3] & compat_data[4], 0xff);
    }
    set_iopl(0);
    compat_end();
}

/* Valid offsets of an expand-down segment begin above its limit. Xen treats the limit as that of
 * any other segment. */
static void expand_down(void)
{
    struct regs r;

    if (is_dom0())
        SKIP("Xen does not know them");
    compat_begin();
    set_iopl(3);
    r = compat_registers(0, PIC_PORT);
    r.rbx = r.rcx = SEL(DOWN);
    r.rdi = 0x800;
    expect_done("insb", RUN(0, WITH_SEGMENTS("\x6c"), &r, SEL(CODE32)), SEL(CODE32), 5, 0);
    EXPECT_EQ(compat_data[0x800], 0xff);
    r.rdi = 0x7ff;
    expect_refused("insb", RUN(0, WITH_SEGMENTS("\x6c"), &r, SEL(CODE32)), SEL(CODE32), 4, TRAP_GP,
                   0);
    r.rsi = 0x7ff;
    expect_refused("outsb", RUN(0, WITH_SEGMENTS("\x6e"), &r, SEL(CODE32)), SEL(CODE32), 4, TRAP_GP,
                   0);
    set_iopl(0);
    compat_end();
}

/* An instruction that crosses its segment's limit is not executed. */
static void code_limit(void)
{
    struct regs r;

    compat_begin();
    set_iopl(3);
    r = compat_registers(0, PIC_PORT);
    EXPECT_EQ(gdt_set(CODE32, D_CODE | D_BIG | D_BASE(CODE_VA) | D_LIMIT(0x101ul)), 0);
    /* Done; the int3 after it is beyond the limit, which not all emulators check. */
    EXPECT(RUN(0x100, "\xe4\x21", &r, SEL(CODE32)).rip > 0x101);
    EXPECT_EQ(gdt_set(CODE32, D_CODE | D_BIG | D_BASE(CODE_VA) | D_LIMIT(0x100ul)), 0);
    expect_refused("in", RUN(0x100, "\xe4\x21", &r, SEL(CODE32)), SEL(CODE32), 0x100, TRAP_GP, 0);
    set_iopl(0);
    compat_end();
}

SUITE_PART(compat, 34, 1, TEST(strings), TEST(repeated), TEST(expand_down), TEST(code_limit));
