/* Suite "selectors": what a CPU says to each kind of segment descriptor and of gate, in a GDT and
 * an IDT of the test's own: loads of DS and SS, returns and far jumps, LAR, INT n. A machine is
 * right if it says the same as another one. Not here is what emulators get wrong: null selectors
 * for SS with an RPL above 0, a stack segment of IRET that is not present, error codes of refused
 * gates. */
#include <string.h>
#include "sensitive.h"

/* Behind the kernel's own descriptors */
enum {
    DATA_ABSENT = 0x50, DATA_READ_ONLY = 0x58, DATA_DPL_1 = 0x60, CODE_CONFORMING = 0x68,
    CODE_ABSENT = 0x70, CODE_EXECUTE_ONLY = 0x78, CODE_CONFORMING_3 = 0x80, LDT = 0x88,
    CALL_GATE = 0x98, BEYOND = 0xa8,
};

static uint64_t gdt[BEYOND / 8] = {
    [DATA_ABSENT / 8] = 0x00cf13000000ffff,
    [DATA_READ_ONLY / 8] = 0x00cf91000000ffff,
    [DATA_DPL_1 / 8] = 0x00cfb3000000ffff,
    [CODE_CONFORMING / 8] = 0x00af9f000000ffff,
    [CODE_ABSENT / 8] = 0x00af1b000000ffff,
    [CODE_EXECUTE_ONLY / 8] = 0x00af99000000ffff,
    [CODE_CONFORMING_3 / 8] = 0x00afff000000ffff,
    [LDT / 8] = 0x0000820000000007,
    [CALL_GATE / 8] = 0x00008c0000000000,
};
static uint64_t idt[512];

/* Vector 0x40 is the test's own. */
static void enter(void)
{
    const struct table_pointer new_gdt = { sizeof(gdt) - 1, (uint64_t)gdt },
                               new_idt = { sizeof(idt) - 1, (uint64_t)idt };

    cli();
    memcpy(gdt, (void *)bare_gdt.base, bare_gdt.limit + 1u);
    memcpy(idt, (void *)bare_idt.base, bare_idt.limit + 1u);
    __asm__ volatile("lgdt %0\n\tlidt %1" : : "m"(new_gdt), "m"(new_idt) : "memory");
}

static void leave(void)
{
    __asm__ volatile("lgdt %0\n\tlidt %1" : : "m"(bare_gdt), "m"(bare_idt) : "memory");
    sti();
}

/* SS is what the kernel loads, not what it reads (0x18 below): a way of hosting it that cannot hide
 * the real selectors fails where they are asked for, and only there. */
_Static_assert(BARE_KERNEL_SS == 0x18, "the instructions below");

/* vector 0: no exception */
struct answer {
    uint16_t selector;
    uint8_t vector;
    uint16_t error;
};

/* One row after the other; what is printed is printed behind leave(). */
static void ask(void (*fn)(void *), const struct answer *rows, unsigned nr)
{
    struct fault seen[24];

    ASSERT(nr <= sizeof(seen) / sizeof(seen[0]));
    enter();
    for (unsigned i = 0; i < nr; i++)
        seen[i] = try_fault(fn, (void *)(uint64_t)rows[i].selector);
    leave();
    for (unsigned i = 0; i < nr; i++) {
        bool same = rows[i].vector == 0
                        ? seen[i].vector < 0
                        : seen[i].vector == rows[i].vector && seen[i].error == rows[i].error;

        EXPECT_MSG(same, "selector %#x: exception %d, error code %#x", rows[i].selector,
                   seen[i].vector, seen[i].error);
    }
}
#define ASK(fn, rows) ask((fn), (rows), sizeof(rows) / sizeof((rows)[0]))

/* --- data segments ---------------------------------------------------------------------------- */

static void load_ds(void *selector)
{
    uint64_t was;

    __asm__ volatile("movq %%ds, %0\n\tmovl %k1, %%ds\n\tmovl %k0, %%ds"
                     : "=&r"(was) : "r"(selector) : "memory");
}

static void load_ss(void *selector)
{
    uint64_t was;

    __asm__ volatile("movl $0x18, %k0\n\tmovl %k1, %%ss\n\tmovl %k0, %%ss"
                     : "=&r"(was) : "r"(selector) : "memory");
}

static void loads_of_ds(void)
{
    static const struct answer rows[] = {
        { BARE_KERNEL_SS, 0, 0 },
        { BARE_USER_SS, 0, 0 },
        { BARE_KERNEL_SS | 3, TRAP_GP, BARE_KERNEL_SS },
        { BARE_KERNEL_CS, 0, 0 },
        { CODE_EXECUTE_ONLY, TRAP_GP, CODE_EXECUTE_ONLY },
        { CODE_CONFORMING | 3, 0, 0 },
        { DATA_READ_ONLY, 0, 0 },
        { DATA_ABSENT, TRAP_NP, DATA_ABSENT },
        { DATA_DPL_1 | 1, 0, 0 },
        { DATA_DPL_1 | 2, TRAP_GP, DATA_DPL_1 },
        { LDT, TRAP_GP, LDT },
        { CALL_GATE, TRAP_GP, CALL_GATE },
        { BEYOND, TRAP_GP, BEYOND },
        { 4, TRAP_GP, 4 },
        { 0, 0, 0 },
        { 3, 0, 0 },
    };

    ASK(load_ds, rows);
}

static void loads_of_ss(void)
{
    static const struct answer rows[] = {
        { BARE_KERNEL_SS, 0, 0 },
        { BARE_USER_SS, TRAP_GP, BARE_USER_SS & ~3 },
        { BARE_KERNEL_SS | 3, TRAP_GP, BARE_KERNEL_SS },
        { DATA_DPL_1, TRAP_GP, DATA_DPL_1 },
        { DATA_READ_ONLY, TRAP_GP, DATA_READ_ONLY },
        { DATA_ABSENT, TRAP_SS, DATA_ABSENT },
        { BARE_KERNEL_CS, TRAP_GP, BARE_KERNEL_CS },
        { BEYOND, TRAP_GP, BEYOND },
        { 0, 0, 0 },
    };

    ASK(load_ss, rows);
}

/* --- code segments ---------------------------------------------------------------------------- */

/* What returns where it should: to the next instruction. CS is the kernel's afterwards. */
#define BACK "pushq %2\n\tleaq 3f(%%rip), %0\n\tpushq %0\n\tlretq\n3:"

static void iretq_to(void *selector)
{
    uint64_t sp, ss;

    __asm__ volatile("movl $0x18, %k1\n\tmovq %%rsp, %0\n\tpushq %1\n\tpushq %0\n\t"
                     "pushfq\n\tpushq %3\n\t"
                     "leaq 1f(%%rip), %0\n\tpushq %0\n\tiretq\n1:" BACK
                     : "=&r"(sp), "=&r"(ss) : "i"(BARE_KERNEL_CS), "r"(selector) : "memory", "cc");
}

static void iretq_with_ss(void *selector)
{
    uint64_t sp, ss;

    __asm__ volatile("movl $0x18, %k1\n\tmovq %%rsp, %0\n\tpushq %3\n\tpushq %0\n\t"
                     "pushfq\n\tpushq %2\n\t"
                     "leaq 1f(%%rip), %0\n\tpushq %0\n\tiretq\n1:\tmovl %k1, %%ss"
                     : "=&r"(sp), "=&r"(ss) : "i"(BARE_KERNEL_CS), "r"(selector) : "memory", "cc");
}

static void lretq_to(void *selector)
{
    uint64_t rip;

    __asm__ volatile("pushq %1\n\tleaq 1f(%%rip), %0\n\tpushq %0\n\tlretq\n1:" BACK
                     : "=&r"(rip) : "r"(selector), "i"(BARE_KERNEL_CS) : "memory", "cc");
}

static void ljmp_to(void *selector)
{
    uint64_t rip;
    struct {
        uint64_t rip;
        uint16_t cs;
    } __attribute__((packed)) pointer = { 0, (uint16_t)(uint64_t)selector };

    /* 48h is REX.W, for which assemblers have no common name */
    __asm__ volatile("leaq 1f(%%rip), %0\n\tmovq %0, (%1)\n\t.byte 0x48\n\tljmpl *(%1)\n1:" BACK
                     : "=&r"(rip) : "D"(&pointer), "i"(BARE_KERNEL_CS) : "memory", "cc");
}

static void returns_by_iretq(void)
{
    static const struct answer rows[] = {
        { BARE_KERNEL_CS, 0, 0 },
        { CODE_CONFORMING, 0, 0 },
        { CODE_EXECUTE_ONLY, 0, 0 },
        { CODE_CONFORMING_3, TRAP_GP, CODE_CONFORMING_3 },
        { BARE_KERNEL_CS | 3, TRAP_GP, BARE_KERNEL_CS },
        { BARE_USER_CS & ~3, TRAP_GP, BARE_USER_CS & ~3 },
        { BARE_KERNEL_SS, TRAP_GP, BARE_KERNEL_SS },
        { CODE_ABSENT, TRAP_NP, CODE_ABSENT },
        { CALL_GATE, TRAP_GP, CALL_GATE },
        { BEYOND, TRAP_GP, BEYOND },
        { 0, TRAP_GP, 0 },
    };

    ASK(iretq_to, rows);
}

static void stacks_of_iretq(void)
{
    static const struct answer rows[] = {
        { BARE_KERNEL_SS, 0, 0 },
        { 0, 0, 0 },
        { BARE_USER_SS, TRAP_GP, BARE_USER_SS & ~3 },
        { DATA_DPL_1, TRAP_GP, DATA_DPL_1 },
        { DATA_READ_ONLY, TRAP_GP, DATA_READ_ONLY },
        { BARE_KERNEL_CS, TRAP_GP, BARE_KERNEL_CS },
        { BEYOND, TRAP_GP, BEYOND },
    };

    ASK(iretq_with_ss, rows);
}

static void far_returns(void)
{
    static const struct answer rows[] = {
        { BARE_KERNEL_CS, 0, 0 },
        { CODE_CONFORMING, 0, 0 },
        { BARE_KERNEL_CS | 3, TRAP_GP, BARE_KERNEL_CS },
        { BARE_USER_CS & ~3, TRAP_GP, BARE_USER_CS & ~3 },
        { CODE_ABSENT, TRAP_NP, CODE_ABSENT },
        { DATA_READ_ONLY, TRAP_GP, DATA_READ_ONLY },
        { BEYOND, TRAP_GP, BEYOND },
        { 0, TRAP_GP, 0 },
    };

    ASK(lretq_to, rows);
}

static void far_jumps(void)
{
    static const struct answer rows[] = {
        { BARE_KERNEL_CS, 0, 0 },
        { CODE_CONFORMING | 3, 0, 0 },
        { CODE_CONFORMING_3, TRAP_GP, CODE_CONFORMING_3 },
        { BARE_KERNEL_CS | 3, TRAP_GP, BARE_KERNEL_CS },
        { BARE_USER_CS, TRAP_GP, BARE_USER_CS & ~3 },
        { BARE_USER_CS & ~3, TRAP_GP, BARE_USER_CS & ~3 },
        { CODE_ABSENT, TRAP_NP, CODE_ABSENT },
        { BARE_KERNEL_SS, TRAP_GP, BARE_KERNEL_SS },
        { LDT, TRAP_GP, LDT },
        { BEYOND, TRAP_GP, BEYOND },
        { 0, TRAP_GP, 0 },
    };

    ASK(ljmp_to, rows);
}

/* --- questions -------------------------------------------------------------------------------- */

static void lar_of_each_kind(void)
{
    static const struct {
        uint16_t selector;
        bool zf;
        uint32_t rights;
    } rows[] = {
        { BARE_KERNEL_CS, true, 0xa09b00 }, { BARE_KERNEL_SS, true, 0xc09300 },
        { BARE_KERNEL_SS | 3, false, 0 },   { CODE_CONFORMING | 3, true, 0xa09f00 },
        { DATA_ABSENT, true, 0xc01300 },    { LDT, true, 0x008200 },
        { CALL_GATE, true, 0x008c00 },      { CALL_GATE + 8, false, 0 },
        { BARE_TSS, true, 0x008b00 },       { BEYOND, false, 0 },
        { 0, false, 0 },
    };
    enum { NR = sizeof(rows) / sizeof(rows[0]) };
    uint32_t rights[NR];
    unsigned allowed = 0, expected = 0;
    bool zf[NR];

    enter();
    for (unsigned i = 0; i < NR; i++)
        __asm__ volatile("larl %k2, %0"
                         : "=r"(rights[i]), "=@ccz"(zf[i]) : "r"((uint32_t)rows[i].selector));
    leave();
    for (unsigned i = 0; i < NR; i++)
        allowed += zf[i], expected += rows[i].zf;
    test_diag("saw: ZF = 1 for %u selectors of %u, expected for %u", allowed, NR, expected);
    for (unsigned i = 0; i < NR; i++)
        EXPECT_MSG(zf[i] == rows[i].zf &&
                       (!zf[i] || (rights[i] & 0xf0ff00) == rows[i].rights),
                   "selector %#x: ZF = %d, rights %#x", rows[i].selector, zf[i], rights[i]);
}

/* --- gates ------------------------------------------------------------------------------------ */

static const struct {
    uint8_t type;
    uint16_t selector;
    struct answer answer;       /* of a gate's own faults not the error code, which emulators of
                                 * today get wrong: ANY */
} gates[] = {
#define ANY 0xffff
    { 0x8e, BARE_KERNEL_CS, { 0, 0x40, 0 } },
    { 0x8f, BARE_KERNEL_CS, { 0, 0x40, 0 } },
    { 0x0e, BARE_KERNEL_CS, { 0, TRAP_NP, ANY } },
    { 0x8c, BARE_KERNEL_CS, { 0, TRAP_GP, ANY } },
    { 0x85, BARE_KERNEL_CS, { 0, TRAP_GP, ANY } },
    { 0x86, BARE_KERNEL_CS, { 0, TRAP_GP, ANY } },
    { 0x89, BARE_KERNEL_CS, { 0, TRAP_GP, ANY } },
    { 0x8e, 0, { 0, TRAP_GP, 0 } },
    { 0x8e, BARE_KERNEL_SS, { 0, TRAP_GP, BARE_KERNEL_SS } },
    { 0x8e, BARE_USER_CS, { 0, TRAP_GP, BARE_USER_CS & ~3 } },
    { 0x8e, CODE_ABSENT, { 0, TRAP_NP, CODE_ABSENT } },
    { 0x8e, BEYOND, { 0, TRAP_GP, BEYOND } },
    { 0x8e, CODE_CONFORMING, { 0, 0x40, 0 } },
    { 0x8e, BARE_KERNEL_CS | 3, { 0, 0x40, 0 } },
};

static void int_40(void *arg)
{
    (void)arg;
    __asm__ volatile("int $0x40" : : : "memory");
}

static void gates_of_each_kind(void)
{
    enum { NR = sizeof(gates) / sizeof(gates[0]) };
    struct fault seen[NR];
    uint64_t *gate = &idt[2 * 0x40];

    enter();
    for (unsigned i = 0; i < NR; i++) {
        gate[0] &= 0xffff00000000ffff;
        gate[0] |= (uint64_t)gates[i].type << 40 | (uint64_t)gates[i].selector << 16;
        seen[i] = try_fault(int_40, NULL);
    }
    leave();
    for (unsigned i = 0; i < NR; i++) {
        const struct answer *a = &gates[i].answer;

        EXPECT_MSG(seen[i].vector == a->vector &&
                       (a->error == ANY || a->vector == 0x40 || seen[i].error == a->error),
                   "row %u: exception %d, error code %#x", i, seen[i].vector, seen[i].error);
    }
}

SUITE(selectors, 02, SUITE_NEEDS_BARE, TEST(loads_of_ds), TEST(loads_of_ss), TEST(returns_by_iretq),
      TEST(stacks_of_iretq), TEST(far_returns), TEST(far_jumps), TEST(lar_of_each_kind),
      TEST(gates_of_each_kind));
