/* Second part of suite "sensitive": selectors, descriptors, the registers of descriptor tables. */
#include <string.h>
#include "sensitive.h"

#define READ_SELECTOR(name)                                                             \
    static uint64_t read_##name(void)                                                   \
    {                                                                                   \
        uint64_t value;                                                                 \
                                                                                        \
        __asm__ volatile("movq %%" #name ", %0" : "=r"(value));                         \
        return value;                                                                   \
    }
#define WRITE_SELECTOR(name)                                                            \
    static void write_##name(uint64_t value)                                            \
    {                                                                                   \
        __asm__ volatile("movl %k0, %%" #name : : "r"(value) : "memory");               \
    }
READ_SELECTOR(cs)
READ_SELECTOR(ss)
READ_SELECTOR(ds)
READ_SELECTOR(es)
WRITE_SELECTOR(ss)
WRITE_SELECTOR(ds)
WRITE_SELECTOR(es)
WRITE_SELECTOR(fs)
WRITE_SELECTOR(gs)

static void selectors_of_the_kernel(void)
{
    uint64_t ss;

    write_ss(BARE_KERNEL_SS);
    ss = read_ss();
    test_diag("saw: CS %#lx, SS %#lx", read_cs(), ss);
    EXPECT_EQ(read_cs(), BARE_KERNEL_CS);
    EXPECT_EQ(ss, BARE_KERNEL_SS);
}

static void pushes_of_selectors(void)
{
    uint64_t fs, gs;

    write_fs(BARE_KERNEL_SS);
    write_gs(BARE_USER_SS);
    __asm__ volatile("pushq %%fs\n\tpopq %0\n\tpushq %%gs\n\tpopq %1" : "=r"(fs), "=r"(gs));
    write_fs(0);
    write_gs(0);
    test_diag("saw: FS %#lx, loaded %#x, GS %#lx, loaded %#x", fs, BARE_KERNEL_SS, gs,
              BARE_USER_SS);
    EXPECT_EQ(fs, BARE_KERNEL_SS);
    EXPECT_EQ(gs, BARE_USER_SS);
}

static void data_selectors(void)
{
    uint64_t ds, es;

    write_ds(BARE_KERNEL_SS);
    write_es(BARE_KERNEL_SS);
    ds = read_ds(), es = read_es();
    write_ds(0);
    write_es(0);
    test_diag("saw: DS %#lx, ES %#lx, loaded %#x", ds, es, BARE_KERNEL_SS);
    EXPECT_EQ(ds, BARE_KERNEL_SS);
    EXPECT_EQ(es, BARE_KERNEL_SS);
}

static void load_ds(void *selector)
{
    write_ds((uint64_t)selector);
}
static void load_ss(void *selector)
{
    write_ss((uint64_t)selector);
}

/* Beyond the table; code that may not be read as SS; the user's data with a kernel's RPL as SS. */
static void wrong_selectors(void)
{
    EXPECT_FAULT(try_fault(load_ds, (void *)0x1000), TRAP_GP, 0x1000);
    EXPECT_FAULT(try_fault(load_ss, (void *)BARE_KERNEL_CS), TRAP_GP, BARE_KERNEL_CS);
    EXPECT_FAULT(try_fault(load_ss, (void *)BARE_USER_SS), TRAP_GP, BARE_USER_SS & ~3);
    EXPECT_FAULT(try_fault(load_ds, (void *)BARE_TSS), TRAP_GP, BARE_TSS);
    EXPECT_NO_FAULT(try_fault(load_ds, NULL));
}

/* A null selector leaves the base as it was or clears it, both of FS and of GS. */
static void null_and_bases(void)
{
    uint64_t fs, gs;

    wrmsr(MSR_FS_BASE, 0x1000);
    wrmsr(MSR_GS_BASE, 0x2000);
    write_fs(0);
    write_gs(0);
    fs = rdmsr(MSR_FS_BASE), gs = rdmsr(MSR_GS_BASE);
    wrmsr(MSR_FS_BASE, 0);
    wrmsr(MSR_GS_BASE, 0);
    test_diag("saw: a null selector %s the base", fs ? "keeps" : "clears");
    EXPECT(fs == 0x1000 || fs == 0);
    EXPECT_EQ(gs, 2 * fs);
}

static void bases_are_used(void)
{
    static const uint64_t words[2] = { 0x1111, 0x2222 };
    uint64_t fs, gs;

    wrmsr(MSR_FS_BASE, (uint64_t)&words[0]);
    wrmsr(MSR_GS_BASE, (uint64_t)&words[1]);
    __asm__ volatile("movq %%fs:0, %0\n\tmovq %%gs:0, %1" : "=r"(fs), "=r"(gs));
    wrmsr(MSR_FS_BASE, 0);
    wrmsr(MSR_GS_BASE, 0);
    EXPECT_EQ(fs, words[0]);
    EXPECT_EQ(gs, words[1]);
}

/* --- questions about descriptors -------------------------------------------------------------- */

static bool lar(uint32_t selector, uint32_t *rights)
{
    bool zf;

    __asm__ volatile("larl %2, %0" : "=r"(*rights), "=@ccz"(zf) : "r"(selector));
    return zf;
}
static bool lsl(uint32_t selector, uint32_t *limit)
{
    bool zf;

    __asm__ volatile("lsll %2, %0" : "=r"(*limit), "=@ccz"(zf) : "r"(selector));
    return zf;
}
static bool verr(uint32_t selector)
{
    bool zf;

    __asm__ volatile("verr %w1" : "=@ccz"(zf) : "r"(selector));
    return zf;
}
static bool verw(uint32_t selector)
{
    bool zf;

    __asm__ volatile("verw %w1" : "=@ccz"(zf) : "r"(selector));
    return zf;
}

static void lar_of_the_kernels_code(void)
{
    uint32_t rights = 0;
    bool zf = lar(BARE_KERNEL_CS, &rights);

    test_diag("saw: ZF = %d, rights %#x", zf, rights);
    EXPECT(zf);
    EXPECT_EQ(rights & 0xf0ff00, 0xa09b00);         /* G, L, present, DPL 0, code */
    EXPECT(!lar(0x1000, &rights));
    EXPECT(!lar(0, &rights));
}

static void lsl_of_the_kernels_data(void)
{
    uint32_t limit = 0;
    bool zf = lsl(BARE_KERNEL_SS, &limit);

    test_diag("saw: ZF = %d, limit %#x", zf, limit);
    EXPECT(zf);
    EXPECT_EQ(limit, 0xffffffff);
    EXPECT(lsl(BARE_TSS, &limit));
    EXPECT_EQ(limit, 103);
}

static void verr_and_verw(void)
{
    test_diag("saw: of the kernel's data: ZF = %d, ZF = %d", verr(BARE_KERNEL_SS),
              verw(BARE_KERNEL_SS));
    EXPECT(verr(BARE_KERNEL_SS) && verw(BARE_KERNEL_SS));
    EXPECT(verr(BARE_KERNEL_CS) && !verw(BARE_KERNEL_CS));
    EXPECT(!verr(BARE_TSS) && !verw(BARE_TSS));
    EXPECT(!verr(0x1000) && !verw(0));
}

/* --- tables ----------------------------------------------------------------------------------- */

static uint64_t copy[32];

/* What is loaded afterwards is what the kernel knows, not what was read. */
static void lgdt_and_sgdt(void)
{
    struct table_pointer mine = { bare_gdt.limit, (uint64_t)copy }, seen;

    memcpy(copy, (void *)bare_gdt.base, bare_gdt.limit + 1u);
    __asm__ volatile("lgdt %1\n\tsgdt %0\n\tlgdt %2" : "=m"(seen) : "m"(mine), "m"(bare_gdt));
    test_diag("saw: base %#lx, loaded %#lx", seen.base, mine.base);
    EXPECT_EQ(seen.base, mine.base);
    EXPECT_EQ(seen.limit, mine.limit);
}

static void lidt_and_sidt(void)
{
    struct table_pointer mine = { bare_idt.limit - 16, bare_idt.base }, seen;

    __asm__ volatile("lidt %1\n\tsidt %0\n\tlidt %2" : "=m"(seen) : "m"(mine), "m"(bare_idt));
    test_diag("saw: base %#lx limit %#x, loaded %#lx %#x", seen.base, seen.limit, mine.base,
              mine.limit);
    EXPECT_EQ(seen.base, mine.base);
    EXPECT_EQ(seen.limit, mine.limit);
}

static void sldt_str_and_smsw(void)
{
    uint64_t ldt = ~0ul, tr, msw;

    __asm__ volatile("sldt %0\n\tstr %1\n\tsmsw %2" : "=r"(ldt), "=r"(tr), "=r"(msw));
    test_diag("saw: LDT %#lx, TR %#lx, MSW %#lx, CR0 %#lx", ldt, tr, msw, read_cr0());
    EXPECT_EQ(ldt & 0xffff, 0);
    EXPECT_EQ(tr & 0xffff, BARE_TSS);
    EXPECT_EQ(msw & 0xffff, read_cr0() & 0xffff);
}

/* LTR marks its descriptor as busy. */
static void ltr_and_lldt(void)
{
    struct table_pointer mine = { bare_gdt.limit, (uint64_t)copy };
    uint64_t *tss = &copy[BARE_TSS / 8];

    memcpy(copy, (void *)bare_gdt.base, bare_gdt.limit + 1u);
    EXPECT_EQ(*tss >> 40 & 0xf, 0xb);
    *tss &= ~(2ull << 40);
    __asm__ volatile("lgdt %0\n\tltr %w1\n\tlldt %w2\n\tlgdt %3"
                     : : "m"(mine), "r"(BARE_TSS), "r"(0), "m"(bare_gdt) : "memory");
    EXPECT_EQ(*(volatile uint64_t *)tss >> 40 & 0xf, 0xb);
}

SUITE_PART(sensitive, 01, 1, TEST(selectors_of_the_kernel), TEST(pushes_of_selectors),
           TEST(data_selectors), TEST(wrong_selectors), TEST(null_and_bases), TEST(bases_are_used),
           TEST(lar_of_the_kernels_code), TEST(lsl_of_the_kernels_data), TEST(verr_and_verw),
           TEST(lgdt_and_sgdt), TEST(lidt_and_sidt), TEST(sldt_str_and_smsw),
           TEST(ltr_and_lldt));
