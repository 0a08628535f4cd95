/* Suite "compat": what the hypervisor emulates for 32- and 16-bit code of user mode: ports by
 * bitmap and by IOPL, CLI and STI, the forced CPUID, INT n. String instructions and segment
 * limits are in compat_strings.c; the code runs by compat_run.c. 64-bit code is in emulation.c
 * and user.c. */
#include "compat.h"
#include "hypercall.h"
#include "start.h"

/* Operands have the size of the segment, or the other size after a prefix. */
static void ports_by_iopl(void)
{
    compat_begin();
    for (unsigned i = 0; i < KINDS; i++) {
        unsigned cs = compat_kinds[i];
        struct regs r = compat_registers(0x11223300, PIC_PORT - 1);

        set_iopl(0);
        expect_refused("in", RUN(16, "\xec", &r, cs), cs, 16, TRAP_GP, 0);
        expect_refused("out", RUN(16, "\xee", &r, cs), cs, 16, TRAP_GP, 0);
        set_iopl(1);
        expect_refused("in", RUN(16, "\xec", &r, cs), cs, 16, TRAP_GP, 0);
        set_iopl(3);
        r.rdx = PIC_PORT;
        expect_done("inb", RUN(16, "\xec", &r, cs), cs, 17, 0x112233ff);
        expect_done("inb imm", RUN(16, "\xe4\x21", &r, cs), cs, 18, 0x112233ff);
        r.rdx = PIC_PORT - 1;
        expect_done("in", RUN(16, "\xed", &r, cs), cs, 17, IS_16(cs) ? 0x1122ffff : 0xffffffff);
        expect_done("in, 66", RUN(16, "\x66\xed", &r, cs), cs, 18,
                    IS_16(cs) ? 0xffffffff : 0x1122ffff);
        /* Not a REX prefix. */
        expect_done("inc, in", RUN(16, "\x40\xec", &r, cs), cs, 18, 0x112233ff);
        r.rax = 0;
        expect_done("outb imm", RUN(16, "\xe6\x80", &r, cs), cs, 18, 0);
    }
    set_iopl(0);
    compat_end();
}

static void ports_by_bitmap(void)
{
    static uint8_t bitmap[16] = { [0 ... 15] = 0xff };
    struct physdev_set_iobitmap op = { .nr_ports = 128 };

    bitmap[PIC_PORT / 8] = 0xff & ~(1u << PIC_PORT % 8);
    set_xen_guest_handle(op.bitmap, bitmap);
    compat_begin();
    ASSERT_EQ(xen_physdev_op(PHYSDEVOP_set_iobitmap, &op), 0);
    for (unsigned i = 0; i < KINDS; i++) {
        unsigned cs = compat_kinds[i];
        struct regs r = compat_registers(0x11223300, PIC_PORT);

        expect_done("inb", RUN(0, "\xec", &r, cs), cs, 1, 0x112233ff);
        expect_refused("two ports", RUN(0, "\xed", &r, cs), cs, 0, TRAP_GP, 0);
        expect_refused("another", RUN(0, "\xe4\x22", &r, cs), cs, 0, TRAP_GP, 0);
    }
    op.nr_ports = 0;
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_set_iobitmap, &op), 0);
    compat_end();
}

static void interrupt_flag(void)
{
    compat_begin();
    for (unsigned i = 0; i < KINDS; i++) {
        unsigned cs = compat_kinds[i];
        struct regs r = compat_registers(7, 0);

        set_iopl(1);
        expect_refused("cli", RUN(4, "\xfa", &r, cs), cs, 4, TRAP_GP, 0);
        expect_refused("sti", RUN(4, "\xfb", &r, cs), cs, 4, TRAP_GP, 0);
        set_iopl(3);
        expect_done("cli", RUN(4, "\xfa", &r, cs), cs, 5, 7);
        expect_done("sti", RUN(4, "\xfb", &r, cs), cs, 5, 7);
        expect_refused("hlt", RUN(4, "\xf4", &r, cs), cs, 4, TRAP_GP, 0);
        expect_refused("mov %cr0,%eax", RUN(4, "\x0f\x20\xc0", &r, cs), cs, 4, TRAP_GP, 0);
        expect_refused("rdmsr", RUN(4, "\x0f\x32", &r, cs), cs, 4, TRAP_GP, 0);
    }
    set_iopl(0);
    compat_end();
}

/* Xen reads its prefix at rip without adding the segment's base, so that it works in flat segments
 * only. */
static void forced_cpuid(void)
{
    compat_begin();
    for (unsigned i = 0; i < (is_dom0() ? 1 : KINDS); i++) {
        struct regs r = compat_registers(0x40000000, 0);
        struct fault f = RUN(8, "\x0f\x0bxen\x0f\xa2", &r, compat_kinds[i]);

        expect_done("cpuid", f, compat_kinds[i], 15, compat_seen.rax);
        EXPECT_EQ(compat_seen.rbx, 0x566e6558);
        expect_refused("ud2", RUN(8, "\x0f\x0bxeno", &r, compat_kinds[i]), compat_kinds[i], 8,
                       TRAP_UD, 0);
    }
    compat_end();
}

static void int_80(void)
{
    compat_begin();
    for (unsigned i = 0; i < KINDS; i++) {
        struct regs r = compat_registers(0, 0);

        expect_refused("int $0x80", RUN(8, "\xcd\x80", &r, compat_kinds[i]), compat_kinds[i], 10,
                       0x80, 0);
    }
    compat_end();
}

static void int_n(void)
{
    if (test_quirk("qemu-int"))
        SKIP("the machine below reports vector 2n for INT n");
    compat_begin();
    for (unsigned i = 0; i < KINDS; i++) {
        struct regs r = compat_registers(0, 0);

        expect_refused("int $0x21", RUN(8, "\xcd\x21", &r, compat_kinds[i]), compat_kinds[i], 8,
                       TRAP_GP, 0x21 * 8 + 2);
        ASSERT_EQ(trap_table_set(0x21, 3, false), 0);
        expect_refused("int $0x21", RUN(8, "\xcd\x21", &r, compat_kinds[i]), compat_kinds[i], 10,
                       0x21, 0);
        EXPECT_EQ(trap_table_set(0x21, 0, false), 0);
    }
    compat_end();
}

SUITE(compat, 34, 0, TEST(ports_by_iopl), TEST(ports_by_bitmap), TEST(interrupt_flag),
      TEST(forced_cpuid), TEST(int_80), TEST(int_n));
