/*
 * Suite "compat": what the hypervisor does for 32- and 16-bit code of user mode: ports by bitmap
 * and by IOPL, CLI and STI, the forced CPUID, INT n; by segments with bases and limits, of a GDT of
 * the guest's own.
 */
#include <string.h>
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "suite.h"
#include "user.h"

#define CODE_VA     0x12500000ul
#define DATA_VA     0x12502000ul
#define PORT        0x21u       /* an interrupt controller: no guest's, nor domain 0's */

/* Descriptors. */
#define D_CODE      0x00009b0000000000ul        /* readable; DPL 3 comes by itself */
#define D_DATA      0x0000930000000000ul        /* writable */
#define D_DOWN      0x0000970000000000ul        /* and expanding down */
#define D_BIG       (1ul << 54)
#define D_BASE(b)   ((((b) & 0xffffff) << 16) | (((b) >> 24 & 0xff) << 56))
#define D_LIMIT(l)  (((l) & 0xffff) | ((uint64_t)((l) >> 16 & 0xf) << 48))
#define SEL(n)      ((n) * 8 + 3)
enum { CODE32 = 1, CODE16, DATA, DOWN };

static pfn_t gdt, code_pfn, data_pfn;
static uint8_t *code, *data;

static void set_descriptor(unsigned n, uint64_t desc)
{
    EXPECT_EQ(xen_update_descriptor(v2maddr((uint64_t *)p2v(gdt) + n), desc), 0);
}

static void begin(void)
{
    struct physdev_set_iopl op = { .iopl = 0 };
    unsigned long frame;

    gdt = table_alloc();
    frame = pfn_to_mfn(gdt);
    ASSERT_EQ(xen_set_gdt(&frame, 512), 0);
    code_pfn = frame_alloc();
    data_pfn = frame_alloc();
    code = p2v(code_pfn);
    data = p2v(data_pfn);
    ASSERT_EQ(map_user((void *)CODE_VA, make_pte(pfn_to_mfn(code_pfn), PTE_P | PTE_US | PTE_A)), 0);
    ASSERT_EQ(map_user((void *)DATA_VA, make_pte(pfn_to_mfn(data_pfn), PTE_USER | PTE_NX)), 0);
    set_descriptor(CODE32, D_CODE | D_BIG | D_BASE(CODE_VA) | D_LIMIT(0xffful));
    set_descriptor(CODE16, D_CODE | D_BASE(CODE_VA) | D_LIMIT(0xffful));
    set_descriptor(DATA, D_DATA | D_BIG | D_BASE(DATA_VA) | D_LIMIT(0xffful));
    set_descriptor(DOWN, D_DOWN | D_BIG | D_BASE(DATA_VA) | D_LIMIT(0x7fful));
    xen_physdev_op(PHYSDEVOP_set_iopl, &op);
}

static void end(void)
{
    __asm__ volatile("movl %0, %%ds\n\tmovl %0, %%es" : : "r"(0));
    EXPECT_EQ(xen_set_gdt(NULL, 0), 0);
    table_free(gdt);
    EXPECT_EQ(unmap_page((void *)CODE_VA), 0);
    EXPECT_EQ(unmap_page((void *)DATA_VA), 0);
    flush_local();
    frame_free(code_pfn);
    frame_free(data_pfn);
}

static void set_iopl(unsigned iopl)
{
    struct physdev_set_iopl op = { .iopl = iopl };

    ASSERT_EQ(xen_physdev_op(PHYSDEVOP_set_iopl, &op), 0);
}

/* Each run ends at an int3, with the registers as they are then. (Xen looks for its prefix at every
 * #UD, at rip.) */
static struct regs seen;
static bool on_end(struct regs *r)
{
    if (!regs_user(r))
        return false;
    seen = *r;
    return false;
}

/* Runs the bytes, and an int3 behind them, at offset of the code page: flat, or by a descriptor. */
static struct fault run(unsigned offset, const char *bytes, unsigned n, struct regs *r, unsigned cs)
{
    trap_handler old = trap_set_handler(TRAP_BP, on_end);
    struct fault f;

    memset(code, 0x90, PAGE_SIZE);
    memcpy(code + offset, bytes, n);
    code[offset + n] = 0xcc;
    r->rip = cs == FLAT_RING3_CS32 ? CODE_VA + offset : offset;
    r->cs = cs;
    memset(&seen, 0, sizeof(seen));
    f = user_run_regs(r).fault;
    trap_set_handler(TRAP_BP, old);
    return f;
}

static struct regs registers(uint64_t rax, uint64_t rdx)
{
    struct regs r;

    user_init_regs(&r, NULL, 0, 0, rdx);
    r.rax = rax;
    r.rsp -= 64;
    return r;
}

#define RUN(offset, text, r, cs) run(offset, text, sizeof(text) - 1, r, cs)
static const uint16_t kinds[] = { FLAT_RING3_CS32, SEL(CODE32), SEL(CODE16) };
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))
#define IS_16(cs) ((cs) == SEL(CODE16))

static void done(const char *what, struct fault f, unsigned cs, unsigned rip, uint64_t rax)
{
    uint64_t start = cs == FLAT_RING3_CS32 ? CODE_VA : 0;

    EXPECT_MSG(f.vector == TRAP_BP && f.rip == start + rip + 1 && (uint32_t)seen.rax == (uint32_t)rax,
               "%s, cs %#x: vector %d error %#x rip %#lx rax %#lx", what, cs, f.vector, f.error, f.rip, seen.rax);
}

static void refused(const char *what, struct fault f, unsigned cs, unsigned rip, int vector, unsigned error)
{
    uint64_t start = cs == FLAT_RING3_CS32 ? CODE_VA : 0;

    EXPECT_MSG(f.vector == vector && f.error == error && f.rip == start + rip, "%s, cs %#x: vector %d error %#x rip %#lx",
               what, cs, f.vector, f.error, f.rip);
}

/* The operand sizes are those of the segment, or the other ones with a prefix. */
static void ports_by_iopl(void)
{
    begin();
    for (unsigned i = 0; i < KINDS; i++) {
        unsigned cs = kinds[i];
        struct regs r = registers(0x11223300, PORT - 1);

        set_iopl(0);
        refused("in", RUN(16, "\xec", &r, cs), cs, 16, TRAP_GP, 0);
        refused("out", RUN(16, "\xee", &r, cs), cs, 16, TRAP_GP, 0);
        set_iopl(1);
        refused("in", RUN(16, "\xec", &r, cs), cs, 16, TRAP_GP, 0);
        set_iopl(3);
        r.rdx = PORT;
        done("inb", RUN(16, "\xec", &r, cs), cs, 17, 0x112233ff);
        done("inb imm", RUN(16, "\xe4\x21", &r, cs), cs, 18, 0x112233ff);
        r.rdx = PORT - 1;
        done("in", RUN(16, "\xed", &r, cs), cs, 17, IS_16(cs) ? 0x1122ffff : 0xffffffff);
        done("in, 66", RUN(16, "\x66\xed", &r, cs), cs, 18, IS_16(cs) ? 0xffffffff : 0x1122ffff);
        done("inc, in", RUN(16, "\x40\xec", &r, cs), cs, 18, 0x112233ff);         /* no REX here */
        r.rax = 0;
        done("outb imm", RUN(16, "\xe6\x80", &r, cs), cs, 18, 0);
    }
    set_iopl(0);
    end();
}

static void ports_by_bitmap(void)
{
    static uint8_t bitmap[16] = { [0 ... 15] = 0xff };
    struct physdev_set_iobitmap op = { .nr_ports = 128 };

    bitmap[PORT / 8] = 0xff & ~(1u << PORT % 8);
    set_xen_guest_handle(op.bitmap, bitmap);
    begin();
    ASSERT_EQ(xen_physdev_op(PHYSDEVOP_set_iobitmap, &op), 0);
    for (unsigned i = 0; i < KINDS; i++) {
        unsigned cs = kinds[i];
        struct regs r = registers(0x11223300, PORT);

        done("inb", RUN(0, "\xec", &r, cs), cs, 1, 0x112233ff);
        refused("two ports", RUN(0, "\xed", &r, cs), cs, 0, TRAP_GP, 0);
        refused("another", RUN(0, "\xe4\x22", &r, cs), cs, 0, TRAP_GP, 0);
    }
    op.nr_ports = 0;
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_set_iobitmap, &op), 0);
    end();
}

static void interrupt_flag(void)
{
    begin();
    for (unsigned i = 0; i < KINDS; i++) {
        unsigned cs = kinds[i];
        struct regs r = registers(7, 0);

        set_iopl(1);
        refused("cli", RUN(4, "\xfa", &r, cs), cs, 4, TRAP_GP, 0);
        refused("sti", RUN(4, "\xfb", &r, cs), cs, 4, TRAP_GP, 0);
        set_iopl(3);
        done("cli", RUN(4, "\xfa", &r, cs), cs, 5, 7);
        done("sti", RUN(4, "\xfb", &r, cs), cs, 5, 7);
        refused("hlt", RUN(4, "\xf4", &r, cs), cs, 4, TRAP_GP, 0);
        refused("mov %cr0,%eax", RUN(4, "\x0f\x20\xc0", &r, cs), cs, 4, TRAP_GP, 0);
        refused("rdmsr", RUN(4, "\x0f\x32", &r, cs), cs, 4, TRAP_GP, 0);
    }
    set_iopl(0);
    end();
}

/* Xen reads its prefix at rip without adding the segment's base, so that it works in flat segments
 * only. */
static void forced_cpuid(void)
{
    begin();
    for (unsigned i = 0; i < (is_dom0() ? 1 : KINDS); i++) {
        struct regs r = registers(0x40000000, 0);
        struct fault f = RUN(8, "\x0f\x0bxen\x0f\xa2", &r, kinds[i]);

        done("cpuid", f, kinds[i], 15, seen.rax);
        EXPECT_EQ(seen.rbx, 0x566e6558);
        refused("ud2", RUN(8, "\x0f\x0bxeno", &r, kinds[i]), kinds[i], 8, TRAP_UD, 0);
    }
    end();
}

static void int_80(void)
{
    begin();
    for (unsigned i = 0; i < KINDS; i++) {
        struct regs r = registers(0, 0);

        refused("int $0x80", RUN(8, "\xcd\x80", &r, kinds[i]), kinds[i], 10, 0x80, 0);
    }
    end();
}

static void int_n(void)
{
    if (test_quirk("qemu-int"))
        SKIP("the machine below reports vector 2n for INT n");
    begin();
    for (unsigned i = 0; i < KINDS; i++) {
        struct regs r = registers(0, 0);

        refused("int $0x21", RUN(8, "\xcd\x21", &r, kinds[i]), kinds[i], 8, TRAP_GP, 0x21 * 8 + 2);
        ASSERT_EQ(trap_table_set(0x21, 3, false), 0);
        refused("int $0x21", RUN(8, "\xcd\x21", &r, kinds[i]), kinds[i], 10, 0x21, 0);
        EXPECT_EQ(trap_table_set(0x21, 0, false), 0);
    }
    end();
}

/* mov %ebx,%es and %ecx,%ds; then the instruction, three bytes further on. */
#define WITH_SEGMENTS(text) "\x8e\xc3\x8e\xd9" text

/* String instructions write to ES and read from DS or an overriding segment: bases, limits,
 * kinds. */
static void strings(void)
{
    struct regs r;

    begin();
    set_iopl(3);
    for (unsigned i = 0; i < KINDS; i++) {
        unsigned cs = kinds[i];

        memset(data, 0, PAGE_SIZE);
        r = registers(0, PORT);
        r.rbx = SEL(DATA);
        r.rcx = FLAT_RING3_DS32;
        r.rdi = IS_16(cs) ? 0xabcd0100 : 0x100;
        done("insb", RUN(0, WITH_SEGMENTS("\x6c"), &r, cs), cs, 5, 0);
        EXPECT_EQ(data[0x100], 0xff);
        EXPECT_EQ(data[0x101], 0);
        EXPECT_EQ((uint32_t)seen.rdi, r.rdi + 1);
        r.rdi = 0x200;
        r.rbx = SEL(DATA);
        r.rcx = SEL(DATA);
        r.rsi = 0x100;
        done("outsb", RUN(0, WITH_SEGMENTS("\x6e"), &r, cs), cs, 5, 0);
        EXPECT_EQ(seen.rsi, 0x101);
        r.rdi = r.rsi = 0xfff;                          /* the last byte */
        done("insb", RUN(0, WITH_SEGMENTS("\x6c"), &r, cs), cs, 5, 0);
        done("outsb", RUN(0, WITH_SEGMENTS("\x6e"), &r, cs), cs, 5, 0);
        r.rdi = r.rsi = 0x1000;
        refused("insb", RUN(0, WITH_SEGMENTS("\x6c"), &r, cs), cs, 4, TRAP_GP, 0);
        refused("outsb", RUN(0, WITH_SEGMENTS("\x6e"), &r, cs), cs, 4, TRAP_GP, 0);
        EXPECT_EQ(data[0], 0);
        r.rbx = 0;
        r.rdi = 0;
        refused("insb, null", RUN(0, WITH_SEGMENTS("\x6c"), &r, cs), cs, 4, TRAP_GP, 0);
        r.rbx = cs;
        refused("insb, code", RUN(0, WITH_SEGMENTS("\x6c"), &r, cs), cs, 4, TRAP_GP, 0);
        r.rcx = 0;
        r.rsi = 0;
        done("cs outsb", RUN(0, WITH_SEGMENTS("\x2e\x6e"), &r, FLAT_RING3_CS32 == cs ? SEL(CODE32) : cs),
             FLAT_RING3_CS32 == cs ? SEL(CODE32) : cs, 6, 0);
    }
    set_iopl(0);
    end();
}

static void repeated(void)
{
    struct regs r;

    begin();
    set_iopl(3);
    for (unsigned i = 0; i < KINDS; i++) {
        unsigned cs = kinds[i];

        memset(data, 0, PAGE_SIZE);
        r = registers(0, PORT);
        r.rbx = SEL(DATA);
        r.rdi = 0xffd;
        r.r9 = 0;
        /* mov %ebx,%es; mov $2,%cx; rep insb */
        done("rep insb", RUN(0, "\x8e\xc3\xb1\x02\xb5\x00\xf3\x6c", &r, cs), cs, 8, 0);
        EXPECT_EQ((uint16_t)seen.rcx, 0);
        EXPECT_EQ((uint32_t)seen.rdi, 0xfff);
        EXPECT_EQ(data[0xffc] | data[0xfff], 0);
        EXPECT_EQ(data[0xffd] & data[0xffe], 0xff);
        r.rdi = 0xffe;                                  /* two are within the limit */
        refused("rep insb", RUN(0, "\x8e\xc3\xb1\x04\xb5\x00\xf3\x6c", &r, cs), cs, 6, TRAP_GP, 0);
        EXPECT_EQ(data[0xfff], 0xff);
        r.rdi = 4;
        r.rflags |= 0x400;                              /* downwards */
        done("rep insb", RUN(0, "\x8e\xc3\xb1\x02\xb5\x00\xf3\x6c", &r, cs), cs, 8, 0);
        EXPECT_EQ((uint32_t)seen.rdi, 2);
        EXPECT_EQ(data[2], 0);
        EXPECT_EQ(data[3] & data[4], 0xff);
    }
    set_iopl(0);
    end();
}

/* Valid offsets of an expand-down segment begin above its limit. Xen treats the limit as that of
 * any other segment. */
static void expand_down(void)
{
    struct regs r;

    if (is_dom0())
        SKIP("Xen does not know them");
    begin();
    set_iopl(3);
    r = registers(0, PORT);
    r.rbx = r.rcx = SEL(DOWN);
    r.rdi = 0x800;
    done("insb", RUN(0, WITH_SEGMENTS("\x6c"), &r, SEL(CODE32)), SEL(CODE32), 5, 0);
    EXPECT_EQ(data[0x800], 0xff);
    r.rdi = 0x7ff;
    refused("insb", RUN(0, WITH_SEGMENTS("\x6c"), &r, SEL(CODE32)), SEL(CODE32), 4, TRAP_GP, 0);
    r.rsi = 0x7ff;
    refused("outsb", RUN(0, WITH_SEGMENTS("\x6e"), &r, SEL(CODE32)), SEL(CODE32), 4, TRAP_GP, 0);
    set_iopl(0);
    end();
}

/* An instruction that crosses its segment's limit is not executed. */
static void code_limit(void)
{
    struct regs r;

    begin();
    set_iopl(3);
    r = registers(0, PORT);
    set_descriptor(CODE32, D_CODE | D_BIG | D_BASE(CODE_VA) | D_LIMIT(0x101ul));
    EXPECT(RUN(0x100, "\xe4\x21", &r, SEL(CODE32)).rip > 0x101);         /* done; not all machines miss the next */
    set_descriptor(CODE32, D_CODE | D_BIG | D_BASE(CODE_VA) | D_LIMIT(0x100ul));
    refused("in", RUN(0x100, "\xe4\x21", &r, SEL(CODE32)), SEL(CODE32), 0x100, TRAP_GP, 0);
    set_iopl(0);
    end();
}

SUITE(compat, 34, 0, TEST(ports_by_iopl), TEST(ports_by_bitmap), TEST(interrupt_flag), TEST(forced_cpuid),
      TEST(int_80), TEST(int_n), TEST(strings), TEST(repeated), TEST(expand_down), TEST(code_limit));
