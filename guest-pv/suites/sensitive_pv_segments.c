/* Second part of suite "sensitivepv": selectors and descriptors. The kernel's selectors have RPL 3
 * and its segments DPL 3, which it can see; its own descriptors stand in the real table, so that
 * the instructions that ask for them answer rightly. The registers of the tables:
 * sensitive_pv_tables.c. */
#include "gdt.h"
#include "sensitive_pv.h"

#define READ_SELECTOR(name)                                                             \
    static uint64_t read_##name(void)                                                   \
    {                                                                                   \
        uint64_t value;                                                                 \
                                                                                        \
        __asm__ volatile("movq %%" #name ", %0" : "=r"(value));                         \
        return value;                                                                   \
    }
#define LOAD_SELECTOR(name)                                                             \
    static void load_##name(void *selector)                                             \
    {                                                                                   \
        __asm__ volatile("movl %k0, %%" #name : : "r"(selector) : "memory");            \
    }
READ_SELECTOR(cs)
READ_SELECTOR(ss)
READ_SELECTOR(ds)
READ_SELECTOR(es)
LOAD_SELECTOR(ss)
LOAD_SELECTOR(ds)
LOAD_SELECTOR(es)
LOAD_SELECTOR(fs)
LOAD_SELECTOR(gs)

#define RIGHTS 0xf0ff00u
#define RIGHTS_OF_DATA_32 0x40f300u

/* Frames alone have RPL 0 in CS, to tell the kernel's from the user's. */
static void selectors_of_the_kernel(void)
{
    struct regs frame;

    load_ss((void *)FLAT_KERNEL_SS);
    frame = frame_of_a_trap();
    test_diag("saw: CS %#lx, SS %#lx, in a frame %#x, %#lx", read_cs(), read_ss(), frame.cs,
              frame.ss);
    EXPECT_EQ(read_cs(), FLAT_KERNEL_CS);
    EXPECT_EQ(read_ss(), FLAT_KERNEL_SS);
    EXPECT_EQ(frame.cs, FLAT_KERNEL_CS & ~3);
    EXPECT_EQ(frame.ss & 0xffff, FLAT_KERNEL_SS);
}

static void bases_reset(void)
{
    load_fs(NULL);
    load_gs(NULL);
    for (unsigned which = SEGBASE_FS; which <= SEGBASE_GS_KERNEL; which++)
        EXPECT_EQ(xen_set_segment_base(which, 0), 0);
}

/* What is loaded is read, with RPL 3 or without. */
static void pushes_of_selectors(void)
{
    uint64_t fs, gs;

    gdt_begin();
    EXPECT_EQ(gdt_set(5, DATA_32), 0);
    load_fs((void *)SEL(5));
    load_gs((void *)(SEL(5) & ~3ul));
    __asm__ volatile("pushq %%fs\n\tpopq %0\n\tpushq %%gs\n\tpopq %1" : "=r"(fs), "=r"(gs));
    bases_reset();
    gdt_end();
    test_diag("saw: FS %#lx, loaded %#x, GS %#lx, loaded %#x", fs, SEL(5), gs, SEL(5) & ~3);
    EXPECT_EQ(fs, SEL(5));
    EXPECT_EQ(gs, SEL(5) & ~3);
}

static void data_selectors(void)
{
    uint64_t ds, es;

    gdt_begin();
    EXPECT_EQ(gdt_set(5, DATA_32 & ~D_DPL3), 0);        /* becomes 3 */
    load_ds((void *)SEL(5));
    load_es((void *)FLAT_RING3_DS32);
    ds = read_ds(), es = read_es();
    load_ds(NULL);
    load_es(NULL);
    gdt_end();
    test_diag("saw: DS %#lx, loaded %#x, ES %#lx, loaded %#x", ds, SEL(5), es, FLAT_RING3_DS32);
    EXPECT_EQ(ds, SEL(5));
    EXPECT_EQ(es, FLAT_RING3_DS32);
}

/* Nothing there; beyond the table; code as SS; the hypervisor's task; no stack at all. */
static void wrong_selectors(void)
{
    uint64_t task = task_register();

    EXPECT_FAULT(try_fault(load_ds, (void *)0x1000), TRAP_GP, 0x1000);
    EXPECT_FAULT(try_fault(load_ds, (void *)0xfff8), TRAP_GP, 0xfff8);
    EXPECT_FAULT(try_fault(load_ss, (void *)FLAT_KERNEL_CS), TRAP_GP, FLAT_KERNEL_CS & ~3);
    EXPECT_FAULT(try_fault(load_ds, (void *)task), TRAP_GP, task);
    EXPECT_FAULT(try_fault(load_ss, NULL), TRAP_GP, 0);
    EXPECT_NO_FAULT(try_fault(load_ds, NULL));
}

/* As without a hypervisor: a null selector leaves the base as it was or clears it. */
static void null_and_bases(void)
{
    uint64_t fs, gs;

    EXPECT_EQ(xen_set_segment_base(SEGBASE_FS, 0x1000), 0);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_KERNEL, 0x2000), 0);
    load_fs(NULL);
    load_gs(NULL);
    fs = rdmsr(MSR_FS_BASE), gs = rdmsr(MSR_GS_BASE);
    bases_reset();
    test_diag("saw: a null selector %s the base", fs ? "keeps" : "clears");
    EXPECT(fs == 0x1000 || fs == 0);
    EXPECT_EQ(gs, 2 * fs);
}

/* Set by hypercall, and by a WRMSR that is emulated. */
static void bases_are_used(void)
{
    static const uint64_t words[2] = { 0x1111, 0x2222 };
    uint64_t fs, gs;

    EXPECT_EQ(xen_set_segment_base(SEGBASE_FS, (uint64_t)&words[0]), 0);
    wrmsr(MSR_GS_BASE, (uint64_t)&words[1]);
    EXPECT_EQ(rdmsr(MSR_FS_BASE), (uint64_t)&words[0]);
    __asm__ volatile("movq %%fs:0, %0\n\tmovq %%gs:0, %1" : "=r"(fs), "=r"(gs));
    bases_reset();
    EXPECT_EQ(fs, words[0]);
    EXPECT_EQ(gs, words[1]);
}

/* --- questions about descriptors -------------------------------------------------------------- */

#define VERIFY(name)                                                                    \
    static bool name(uint32_t selector)                                                 \
    {                                                                                   \
        bool zf;                                                                        \
                                                                                        \
        __asm__ volatile(#name " %w1" : "=@ccz"(zf) : "r"(selector));                   \
        return zf;                                                                      \
    }
static bool lar(uint32_t selector, uint32_t *rights)
{
    bool zf;

    __asm__ volatile("larl %2, %0" : "=r"(*rights), "=@ccz"(zf) : "r"(selector));
    return zf;
}
VERIFY(verr)
VERIFY(verw)

static void lar_of_the_kernels_code(void)
{
    uint32_t rights = 0, own = 0;
    bool zf = lar(FLAT_KERNEL_CS, &rights);

    test_diag("saw: ZF = %d, rights %#x", zf, rights);
    EXPECT(zf);
    EXPECT_EQ(rights & RIGHTS, 0xa0fb00);               /* G, L, present, DPL 3, code */
    EXPECT(!lar(task_register(), &own));
    gdt_begin();
    EXPECT(!lar(SEL(5), &own));
    EXPECT_EQ(gdt_set(5, DATA_32), 0);
    EXPECT(lar(SEL(5), &own));
    EXPECT_EQ(own & RIGHTS, RIGHTS_OF_DATA_32);
    gdt_end();
    EXPECT(!lar(SEL(5), &own));
}

static void lsl_of_the_kernels_data(void)
{
    uint32_t limit = 0, own = 0;
    bool zf = lsl(FLAT_KERNEL_SS, &limit);

    test_diag("saw: ZF = %d, limit %#x", zf, limit);
    EXPECT(zf);
    EXPECT_EQ(limit, 0xffffffff);
    EXPECT(!lsl(task_register(), &own));
    gdt_begin();
    EXPECT_EQ(gdt_set(5, DATA_32 | D_LIMIT(0x123)), 0); /* where Linux keeps the CPU's number */
    EXPECT(lsl(SEL(5), &own));
    EXPECT_EQ(own, 0x123);
    gdt_end();
}

static void verr_and_verw(void)
{
    test_diag("saw: of the kernel's data: ZF = %d, ZF = %d", verr(FLAT_KERNEL_SS),
              verw(FLAT_KERNEL_SS));
    EXPECT(verr(FLAT_KERNEL_SS) && verw(FLAT_KERNEL_SS));
    EXPECT(verr(FLAT_KERNEL_CS) && !verw(FLAT_KERNEL_CS));
    EXPECT(!verr(task_register()) && !verw(task_register()));
    gdt_begin();
    EXPECT_EQ(gdt_set(5, DATA_32 & ~D_TYPE(2)), 0);     /* read-only */
    EXPECT(verr(SEL(5)) && !verw(SEL(5)));
    gdt_end();
}

SUITE_PART(sensitivepv, 97, 1, TEST(selectors_of_the_kernel), TEST(pushes_of_selectors),
           TEST(data_selectors), TEST(wrong_selectors), TEST(null_and_bases), TEST(bases_are_used),
           TEST(lar_of_the_kernels_code), TEST(lsl_of_the_kernels_data), TEST(verr_and_verw));
