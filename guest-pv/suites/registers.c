/* Suite "registers": what the guest's kernel reads and writes by privileged instructions: MSRs,
 * control and debug registers, XCR0, and CPUID by its forced form. Other instructions are in
 * emulation.c. */
#include "event.h"
#include "hypercall.h"
#include "insn.h"
#include "insn_msr.h"
#include "mm.h"
#include "start.h"

#define MSR_EFER           0xc0000080
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define CR0_TS             (1ul << 3)
#define CR4_DE             (1ul << 3)
#define CR4_FSGSBASE       (1ul << 16)
#define CR4_OSXSAVE        (1ul << 18)

/* Instructions that run while TS is set, where compiled code might use SSE. */
BODY(i_ts_fninit, "movq %%rax, %%cr0\n\tfninit")
BODY(i_ts_cleared, "movq %%rax, %%cr0\n\tmovq %%cr0, %%rdx\n\tclts\n\tmovq %%cr0, %%rax\n\tfninit")
BODY(i_rd_cr0, "movq %%cr0, %%rax")
BODY(i_smsw, "smsw %%rax")
BODY(i_rd_cr2, "movq %%cr2, %%rax")
BODY(i_rd_cr3, "movq %%cr3, %%rax")
BODY(i_rd_cr4, "movq %%cr4, %%rax")
BODY(i_wr_cr0, "movq %%rax, %%cr0")
BODY(i_wr_cr2, "movq %%rax, %%cr2")
BODY(i_wr_cr3, "movq %%rax, %%cr3")
BODY(i_wr_cr4, "movq %%rax, %%cr4")
BODY(i_rd_dr0, "movq %%db0, %%rax")
BODY(i_rd_dr7, "movq %%db7, %%rax")
BODY(i_wr_dr0, "movq %%rax, %%db0")
BODY(i_wr_dr7, "movq %%rax, %%db7")
BODY(i_rdfsbase, "rdfsbase %%rax")
BODY(i_wrfsbase, "wrfsbase %%rax")
BODY(i_xgetbv, "xgetbv")
BODY(i_xsetbv, "xsetbv")
BODY(i_cpuid_prefixed, ".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e\n\tcpuid\n\tmovl %%ebx, %%edi")
BODY(i_cpuid_plain, "cpuid\n\tmovl %%ebx, %%edi")
BODY(i_cpuid_misspelt, ".byte 0x0f, 0x0b, 0x78, 0x65, 0x6d\n\tcpuid")

/* --- model-specific registers ----------------------------------------------------------------- */

static void msr_bases(void)
{
    static const uint32_t msrs[] = { MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE };
    uint64_t val;

    for (unsigned i = 0; i < 3; i++) {
        EXPECT_NO_FAULT(msr_write(msrs[i], 0x123456789000 + i));
        EXPECT_NO_FAULT(msr_read(msrs[i], &val));
        EXPECT_EQ(val, 0x123456789000 + i);
        EXPECT_FAULT(msr_write(msrs[i], 1ul << 63), TRAP_GP, 0);
        EXPECT_NO_FAULT(msr_read(msrs[i], &val));
        EXPECT_EQ(val, 0x123456789000 + i);
    }
    /* MSR_KERNEL_GS_BASE is the base that SWAPGS would load. */
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER, 0x777000), 0);
    EXPECT_NO_FAULT(msr_read(MSR_KERNEL_GS_BASE, &val));
    EXPECT_EQ(val, 0x777000);
    for (unsigned i = 0; i < 3; i++)
        EXPECT_NO_FAULT(msr_write(msrs[i], 0));
}

static void msr_policy(void)
{
    uint64_t val;

    EXPECT_NO_FAULT(msr_read(MSR_EFER, &val));
    EXPECT_EQ(val & 0x500, 0x500);                      /* long mode, enabled and active */
    EXPECT_EQ(val & 0x1000, 0);                         /* SVME */
    EXPECT_NO_FAULT(msr_write(MSR_EFER, val));
    EXPECT_NO_FAULT(msr_read(0x1b, &val));
    EXPECT_EQ(val & 0x800, 0x800);                      /* APIC base: enabled */
    EXPECT_NO_FAULT(msr_read(0x277, &val));
    EXPECT_EQ(val, 0x050100070406);                     /* the PAT that the ABI prescribes */
    EXPECT_FAULT(msr_read(0x12345678, &val), TRAP_GP, 0);
    EXPECT_FAULT(msr_write(0x12345678, 0), TRAP_GP, 0);
    EXPECT_FAULT(msr_write(0xc0000082, (uint64_t)image_start), TRAP_GP, 0);  /* LSTAR */
    EXPECT_FAULT(msr_write(0x176, (uint64_t)image_start), TRAP_GP, 0);       /* SYSENTER_EIP */
}

/* --- Control registers ------------------------------------------------------------------------ */

static void cr0_and_ts(void)
{
    uint64_t cr0;
    struct fault f;

    events_off();                                       /* an event's entry may use the FPU */
    ASSERT_NO_FAULT(run(i_rd_cr0));
    cr0 = io.rax;
    EXPECT_EQ(cr0 & 0x80040001, 0x80040001);            /* PG AM PE */
    EXPECT_NO_FAULT(run(i_smsw));
    EXPECT_EQ(io.rax & ~CR0_TS, cr0);                   /* SMSW reads the real CR0 */
    EXPECT_EQ(cr0 & CR0_TS, 0);
    EXPECT_FAULT(run_a(i_wr_cr0, cr0 & ~0x80000000ul), TRAP_GP, 0);      /* only TS may change */
    EXPECT_FAULT(run_a(i_wr_cr0, cr0 & ~0x10000ul), TRAP_GP, 0);
    f = run_a(i_ts_fninit, cr0 | CR0_TS);
    EXPECT_FAULT(f, TRAP_NM, 0);
    EXPECT_EQ(f.rip, at + 3);
    EXPECT_NO_FAULT(run(i_rd_cr0));
    EXPECT_EQ(io.rax, cr0);                             /* delivering #NM cleared TS */
    EXPECT_NO_FAULT(run_a(i_ts_cleared, cr0 | CR0_TS));
    EXPECT_EQ(io.rdx, cr0 | CR0_TS);
    EXPECT_EQ(io.rax, cr0);
    __asm__ volatile("ldmxcsr %0" : : "m"((uint32_t){ 0x1f80 }));
    events_on();
}

static void cr2_and_cr3(void)
{
    pfn_t old = kernel_root(), root = root_clone(), ordinary = frame_alloc();

    EXPECT_NO_FAULT(run_a(i_wr_cr2, 0xdead0000beef));
    EXPECT_NO_FAULT(run(i_rd_cr2));
    EXPECT_EQ(io.rax, 0xdead0000beef);
    EXPECT_FAULT(try_read64((void *)0xffffff0000001000, NULL), TRAP_PF, 0);
    EXPECT_NO_FAULT(run(i_rd_cr2));
    EXPECT_EQ(io.rax, 0xffffff0000001000);
    EXPECT_NO_FAULT(run(i_rd_cr3));
    EXPECT_EQ(pte_mfn(io.rax), pfn_to_mfn(old));
    EXPECT_NO_FAULT(run_a(i_wr_cr3, pfn_to_mfn(root) << PAGE_SHIFT));
    EXPECT_NO_FAULT(run(i_rd_cr3));
    EXPECT_EQ(pte_mfn(io.rax), pfn_to_mfn(root));
    EXPECT_NO_FAULT(run_a(i_wr_cr3, pfn_to_mfn(old) << PAGE_SHIFT));
    EXPECT_FAULT(run_a(i_wr_cr3, pfn_to_mfn(ordinary) << PAGE_SHIFT), TRAP_GP, 0);
    EXPECT_FAULT(run_a(i_wr_cr3, PTE_ADDR_MASK), TRAP_GP, 0);
    EXPECT_NO_FAULT(run(i_rd_cr3));
    EXPECT_EQ(pte_mfn(io.rax), pfn_to_mfn(old));
    EXPECT_EQ(mmu_unpin(root), 0);
    table_free(root);
    frame_free(ordinary);
}

static void cr4(void)
{
    uint64_t before;

    ASSERT_NO_FAULT(run(i_rd_cr4));
    before = io.rax;
    EXPECT_EQ(before & 0x620, 0x620);                   /* PAE, OSFXSR, OSXMMEXCPT: always set */
    EXPECT_NO_FAULT(run_a(i_wr_cr4, before ^ CR4_DE));
    EXPECT_NO_FAULT(run(i_rd_cr4));
    EXPECT_EQ(io.rax, before ^ CR4_DE);
    EXPECT_NO_FAULT(run_a(i_wr_cr4, before | 0x80));    /* PGE: ignored */
    EXPECT_NO_FAULT(run(i_rd_cr4));
    EXPECT_EQ(io.rax, before);
    EXPECT_NO_FAULT(run_a(i_wr_cr4, before & ~0x20ul));
    EXPECT_NO_FAULT(run(i_rd_cr4));
    EXPECT_EQ(io.rax, before);
    EXPECT_NO_FAULT(run_a(i_wr_cr4, before));
}

static void debug_registers(void)
{
    static uint64_t word;

    EXPECT_NO_FAULT(run_a(i_wr_dr0, (uint64_t)&word));
    EXPECT_NO_FAULT(run(i_rd_dr0));
    EXPECT_EQ(io.rax, (uint64_t)&word);
    EXPECT_EQ(xen_get_debugreg(0), (uint64_t)&word);
    EXPECT_EQ(run_a(i_wr_dr0, HOLE_START).vector, TRAP_GP);         /* in the hypervisor's part */
    EXPECT_EQ(xen_get_debugreg(0), (uint64_t)&word);
    EXPECT_EQ(run_a(i_wr_dr7, 0x2400).vector, TRAP_GP);  /* GD: traps accesses to debug registers */
    EXPECT_EQ(xen_set_debugreg(7, 1ul << 32 | 0x400), -XEN_EINVAL); /* reserved */
    EXPECT_EQ(xen_set_debugreg(6, 1ul << 63), -XEN_EINVAL);
    EXPECT_FAULT(run_a(i_wr_dr7, 1ul << 32 | 0x400), TRAP_GP, 0);
    EXPECT_NO_FAULT(run_a(i_wr_dr7, 0x400));
    EXPECT_NO_FAULT(run(i_rd_dr7));
    EXPECT_EQ(io.rax & 0xff, 0);
    EXPECT_EQ(xen_set_debugreg(0, 0), 0);
}

/* --- CPUID and XCR0 --------------------------------------------------------------------------- */

struct cpuid {
    uint32_t a, b, c, d;
};

static struct cpuid cpuid_prefixed(uint32_t leaf, uint32_t sub)
{
    io.rcx = sub;
    EXPECT_NO_FAULT(run_a(i_cpuid_prefixed, leaf));
    return (struct cpuid){ io.rax, io.rdi, io.rcx, io.rdx };
}

static struct cpuid cpuid_plain(uint32_t leaf, uint32_t sub)
{
    io.rcx = sub;
    EXPECT_NO_FAULT(run_a(i_cpuid_plain, leaf));
    return (struct cpuid){ io.rax, io.rdi, io.rcx, io.rdx };
}

static bool is_empty(struct cpuid r)
{
    return (r.a | r.b | r.c | r.d) == 0;
}

/* The bits that are the CPU's, those that are cleared, and those of one vendor's CPUs only. */
static void cpuid_leaves(void)
{
    static const uint32_t empty[] = { 3, 5, 6, 8, 9, 0xa, 0xb, 0xc, 0xe, 0x14, 0x8000000a,
                                      0x8000001e, 0x80000030 };
    const uint32_t hosts = 0x18404080;                  /* MCE MCA ACPI SS HTT */
    struct cpuid plain = cpuid_plain(1, 0), r = cpuid_prefixed(1, 0), vendor = cpuid_prefixed(0, 0);

    EXPECT_EQ(r.a, plain.a & 0x0fff0fff);
    EXPECT_EQ(r.b, plain.b & 0x00ffffff);               /* all but the APIC id */
    EXPECT_EQ(r.d & hosts, plain.d & hosts);
    EXPECT(vendor.a <= 0xd);
    EXPECT_EQ(cpuid_prefixed(0x80000008, 0).a >> 8, 48);        /* four levels of tables */
    for (unsigned i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
        EXPECT_MSG(is_empty(cpuid_prefixed(empty[i], 0)), "leaf %#x", empty[i]);
    if (vendor.b == 0x756e6547) {                       /* Intel */
        EXPECT_EQ(cpuid_prefixed(0x80000000, 0).b, 0);
        EXPECT(cpuid_prefixed(0x80000000, 0).a <= 0x80000008);
        EXPECT(is_empty(cpuid_prefixed(0x80000005, 0)));
        EXPECT_EQ(cpuid_prefixed(7, 0).d & 1u << 29, 1u << 29);         /* ARCH_CAPABILITIES */
    } else {
        EXPECT_EQ(r.d & 1u << 11, 0);                   /* SYSENTER */
        EXPECT_EQ(cpuid_prefixed(0x80000000, 0).b, vendor.b);
        EXPECT(is_empty(cpuid_prefixed(2, 0)));
        EXPECT(is_empty(cpuid_prefixed(4, 0)));
    }
}

static void cpuid_policy(void)
{
    struct cpuid r = cpuid_prefixed(0x40000000, 0);
    struct fault f = run_a(i_cpuid_misspelt, 0);

    EXPECT_FAULT(f, TRAP_UD, 0);
    EXPECT_EQ(f.rip, at);
    EXPECT(r.a >= 0x40000002 && r.a < 0x40000100);
    EXPECT_EQ(r.b, 0x566e6558);                         /* XenVMMXenVMM */
    EXPECT_EQ(r.c, 0x65584d4d);
    EXPECT_EQ(r.d, 0x4d4d566e);
    EXPECT_EQ(cpuid_prefixed(0x40000001, 0).a, xen_version(XENVER_version, NULL));
    EXPECT_EQ(cpuid_prefixed(0x40000002, 0).c & 1, 1);  /* A and D can be preserved */
    r = cpuid_prefixed(1, 0);
    EXPECT_EQ(r.c & 1u << 31, 1u << 31);                /* HYPERVISOR */
    EXPECT_EQ(r.c & 0x20060, 0);                        /* PCID, VMX, SMX */
    EXPECT_EQ(r.d & 0x2000a, 0);                        /* VME, PSE, PSE36 */
    EXPECT_EQ(r.d & 0x01000071, 0x01000071);            /* x87, TSC, MSR, PAE, FXSR: all CPUs */
    if (!is_dom0()) {
        EXPECT_EQ(r.c & 0x8, 0);                        /* MONITOR */
        EXPECT_EQ(r.d & 0x3000, 0);                     /* PGE, MTRR */
    }
    r = cpuid_prefixed(7, 0);
    EXPECT_EQ(r.b & 0x00100480, 0);                     /* SMAP, SMEP, INVPCID */
    EXPECT_EQ(r.c & 0x1001c, 0);                        /* UMIP, PKU, OSPKE, LA57 */
    r = cpuid_prefixed(0x80000001, 0);
    EXPECT_EQ(r.c & 4, 0);                              /* SVM */
    EXPECT_EQ(r.d & 1u << 26, 0);                       /* 1 GiB pages */
    EXPECT_EQ(r.d & 1u << 29, 1u << 29);                /* long mode */
    /* NX, which some CPUs lack. */
    EXPECT_EQ(r.d & 1u << 20, cpuid_plain(0x80000001, 0).d & 1u << 20);
}

/* A guest that CPUID tells of FSGSBASE can write whole bases; an address that is not canonical is
 * refused. Without the feature the instructions raise #UD. */
static void fsgsbase(void)
{
    uint64_t cr4_before;

    ASSERT_NO_FAULT(run(i_rd_cr4));
    cr4_before = io.rax;
    EXPECT_NO_FAULT(run_a(i_wr_cr4, cr4_before | CR4_FSGSBASE));
    if (!(cpuid_prefixed(7, 0).b & 1)) {
        EXPECT_FAULT(run_a(i_wrfsbase, 0x123456789000), TRAP_UD, ANY_ERROR);
        EXPECT_FAULT(run(i_rdfsbase), TRAP_UD, ANY_ERROR);
        return;
    }
    EXPECT_NO_FAULT(run_a(i_wrfsbase, 0x123456789000));
    EXPECT_FAULT(run_a(i_wrfsbase, 1ul << 63), TRAP_GP, 0);
    EXPECT_NO_FAULT(run(i_rdfsbase));
    EXPECT_EQ(io.rax, 0x123456789000);
    EXPECT_NO_FAULT(run_a(i_wrfsbase, 0));
    EXPECT_NO_FAULT(run_a(i_wr_cr4, cr4_before));
}

static void xsetbv(void)
{
    uint64_t xcr0, cr4_before;

    if (!(cpuid_prefixed(1, 0).c & 1u << 26))
        SKIP("the CPU has no XSAVE");
    ASSERT_NO_FAULT(run(i_rd_cr4));
    cr4_before = io.rax;
    EXPECT_NO_FAULT(run_a(i_wr_cr4, cr4_before | CR4_OSXSAVE));
    io.rcx = 0;
    ASSERT_NO_FAULT(run(i_xgetbv));
    xcr0 = (io.rdx << 32) | (uint32_t)io.rax;
    EXPECT_EQ(xcr0 & 1, 1);
    EXPECT_NO_FAULT(run_a(i_xsetbv, xcr0));
    EXPECT_FAULT(run_a(i_xsetbv, xcr0 & ~1ul), TRAP_GP, 0);         /* x87 is not optional */
    EXPECT_FAULT(run_a(i_xsetbv, 5), TRAP_GP, 0);                   /* AVX without SSE */
    io.rdx = 0x40000000;
    EXPECT_FAULT(run_a(i_xsetbv, 3), TRAP_GP, 0);                   /* reserved */
    io.rdx = 0;
    io.rcx = 1;
    EXPECT_FAULT(run_a(i_xsetbv, 3), TRAP_GP, 0);                   /* no such register */
    io.rcx = 0;
    EXPECT_NO_FAULT(run_a(i_xsetbv, 3));
    EXPECT_NO_FAULT(run(i_xgetbv));
    EXPECT_EQ((uint32_t)io.rax, 3);
    EXPECT_NO_FAULT(run_a(i_xsetbv, xcr0));
    EXPECT_NO_FAULT(run_a(i_wr_cr4, cr4_before));
}

SUITE(registers, 33, 0, TEST(msr_bases), TEST(msr_policy), TEST(cr0_and_ts), TEST(cr2_and_cr3),
      TEST(cr4), TEST(debug_registers), TEST(cpuid_leaves), TEST(cpuid_policy), TEST(fsgsbase),
      TEST(xsetbv));
