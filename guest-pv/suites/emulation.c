/*
 * Suite "emulation": privileged instructions of the guest's kernel, which the hypervisor does for it or
 * refuses with #GP, and the few that the CPU ignores where nobody can see it.
 */
#include <string.h>
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"
#include "user.h"

#define MSR_EFER           0xc0000080
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define CR0_TS             (1ul << 3)
#define CR4_DE             (1ul << 3)
#define CR4_OSXSAVE        (1ul << 18)
#define FL_TF              (1ul << 8)
#define FL_IF              (1ul << 9)
#define FL_IOPL            (3ul << 12)

/* One instruction with rax, rcx, rdx, rdi in and rax, rdx out; `at` is where it begins. */
static struct {
    uint64_t rax, rcx, rdx, rdi;
} io;
static uint64_t at;

#define BODY(name, text)                                                                                \
    static void name(void *arg)                                                                         \
    {                                                                                                   \
        uint64_t a = io.rax, c = io.rcx, d = io.rdx, di = io.rdi, start;                                \
        (void)arg;                                                                                      \
        __asm__ volatile("leaq 1f(%%rip), %[start]\n\tmovq %[start], %[at]\n1:\t" text                  \
                         : "+a"(a), "+c"(c), "+d"(d), "+D"(di), [start] "=&r"(start), [at] "=m"(at)     \
                         : : "memory", "cc", "rbx");                                                    \
        io.rax = a, io.rcx = c, io.rdx = d, io.rdi = di;                                                \
    }
BODY(i_cli, "cli")
BODY(i_sti, "sti")
BODY(i_hlt, "hlt")
BODY(i_lgdt, "lgdt -16(%%rsp)")
BODY(i_lidt, "lidt -16(%%rsp)")
BODY(i_lldt, "lldt %%ax")
BODY(i_ltr, "ltr %%ax")
BODY(i_invlpg, "invlpg (%%rsp)")
BODY(i_invd, "invd")
BODY(i_swapgs, "swapgs")
BODY(i_sysret, "sysretq")
BODY(i_wbinvd, "wbinvd")
/* With TS set only these: compiled code may use SSE at any place. */
BODY(i_ts_fninit, "movq %%rax, %%cr0\n\tfninit")
BODY(i_ts_cleared, "movq %%rax, %%cr0\n\tmovq %%cr0, %%rdx\n\tclts\n\tmovq %%cr0, %%rax\n\tfninit")
BODY(i_inb, "inb %%dx, %%al")
BODY(i_inw, "inw %%dx, %%ax")
BODY(i_inl, "inl %%dx, %%eax")
BODY(i_inb_imm, "inb $0x21, %%al")
BODY(i_outb, "outb %%al, %%dx")
BODY(i_rep_insb, "rep insb")
BODY(i_rdmsr, "rdmsr")
BODY(i_wrmsr, "wrmsr")
BODY(i_rd_cr0, "movq %%cr0, %%rax")
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
BODY(i_xgetbv, "xgetbv")
BODY(i_xsetbv, "xsetbv")
BODY(i_cpuid_prefixed, ".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e\n\tcpuid\n\tmovl %%ebx, %%edi")
BODY(i_cpuid_misspelt, ".byte 0x0f, 0x0b, 0x78, 0x65, 0x6d\n\tcpuid")
BODY(i_rdtsc, "rdtsc")

static struct fault run(void (*fn)(void *))
{
    at = 0;
    return try_fault(fn, NULL);
}

static struct fault run_a(void (*fn)(void *), uint64_t rax)
{
    io.rax = rax;
    return run(fn);
}

static long set_iopl(unsigned iopl)
{
    struct physdev_set_iopl op = { .iopl = iopl };

    return xen_physdev_op(PHYSDEVOP_set_iopl, &op);
}

static void refused(void)
{
    static const struct { const char *name; void (*fn)(void *); } list[] = {
        { "hlt", i_hlt }, { "lgdt", i_lgdt }, { "lidt", i_lidt }, { "lldt", i_lldt }, { "ltr", i_ltr },
        { "invlpg", i_invlpg }, { "invd", i_invd }, { "swapgs", i_swapgs }, { "sysret", i_sysret },
    };

    for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        struct fault f = run_a(list[i].fn, 0);

        EXPECT_MSG(f.vector == TRAP_GP && f.error == 0 && f.rip == at, "%s: vector %d error %#x at %+ld", list[i].name,
                   f.vector, f.error, (long)(f.rip - at));
    }
    EXPECT_NO_FAULT(run(i_wbinvd));                     /* does nothing, or what it says */
    EXPECT_NO_FAULT(run(i_rdtsc));
}

/* --- the interrupt flag ---------------------------------------------------------------------------- */

/* Allowed by the I/O privilege level, they still do nothing: POPF, their opposite, could not be seen. */
static void cli_and_sti(void)
{
    struct fault f;

    EXPECT_EQ(set_iopl(4), -XEN_EINVAL);
    ASSERT_EQ(set_iopl(0), 0);
    f = run(i_cli);
    EXPECT_FAULT(f, TRAP_GP, 0);
    EXPECT_EQ(f.rip, at);
    EXPECT_FAULT(run(i_sti), TRAP_GP, 0);
    ASSERT_EQ(set_iopl(1), 0);
    events_on();
    i_cli(NULL);
    EXPECT(!events_masked());
    events_off();
    i_sti(NULL);
    EXPECT(events_masked());
    events_on();
    EXPECT_EQ(set_iopl(0), 0);
}

static volatile unsigned seen;
static void on_event(port_t port, void *arg)
{
    (void)port, (void)arg;
    seen++;
}

static uint64_t popf_flags(uint64_t flags)
{
    __asm__ volatile("pushq %0\n\tpopfq\n\tpushfq\n\tpopq %0" : "+r"(flags) : : "memory", "cc");
    return flags;
}

/*
 * The instruction that made x86 unfit to be virtualised by trapping: in ring 3 POPF with another IF or IOPL
 * neither does it nor faults. A kernel that means CLI by it is not told; its events still come.
 */
static void popf_fails_silently(void)
{
    int port = event_bind_ipi(on_event, NULL);
    uint64_t flags;

    ASSERT(port > 0);
    events_on();
    seen = 0;
    flags = popf_flags(0x2);                            /* a native kernel's local_irq_disable() */
    EXPECT_EQ(flags & FL_IF, FL_IF);                    /* the real flag: always set */
    EXPECT(!events_masked());
    EXPECT_EQ(event_send(port), 0);
    EXPECT_EQ(seen, 1);
    flags = popf_flags(FL_IOPL | FL_IF | 0x2);
    EXPECT_EQ(flags & FL_IOPL, 0);
    EXPECT_FAULT(run(i_cli), TRAP_GP, 0);
    ASSERT_EQ(set_iopl(3), 0);                          /* the virtual one is not the real one either */
    EXPECT_EQ(popf_flags(0x2) & (FL_IOPL | FL_IF), FL_IF);
    EXPECT_EQ(set_iopl(0), 0);
    events_off();
    EXPECT_EQ(popf_flags(FL_IF | 0x2) & FL_IF, FL_IF);  /* nor does it open what is closed */
    EXPECT(events_masked());
    EXPECT_EQ(event_send(port), 0);
    EXPECT_EQ(seen, 1);
    events_on();
    EXPECT_EQ(seen, 2);
    EXPECT_EQ(event_close(port), 0);
}

/* --- ports ------------------------------------------------------------------------------------------ */

#define PORT_NOBODYS 0x21                               /* an interrupt controller: no guest's, nor domain 0's */

static void ports_in_kernel(void)
{
    static uint8_t buf[5];
    struct fault f;

    ASSERT_EQ(set_iopl(0), 0);
    io.rdx = PORT_NOBODYS;
    f = run(i_inb);
    EXPECT_FAULT(f, TRAP_GP, 0);
    EXPECT_EQ(f.rip, at);
    EXPECT_FAULT(run(i_inb_imm), TRAP_GP, 0);
    EXPECT_FAULT(run(i_outb), TRAP_GP, 0);
    ASSERT_EQ(set_iopl(1), 0);
    ASSERT_NO_FAULT(run_a(i_inb, 0x1111111111111100));
    EXPECT_EQ(io.rax, 0x11111111111111ff);              /* nothing drives the bus; the rest of rax stays */
    ASSERT_NO_FAULT(run_a(i_inb_imm, 0));
    EXPECT_EQ(io.rax, 0xff);
    io.rdx = PORT_NOBODYS - 1;
    ASSERT_NO_FAULT(run_a(i_inw, 0x1111111111110000));
    EXPECT_EQ(io.rax, 0x111111111111ffff);
    ASSERT_NO_FAULT(run_a(i_inl, 0x1111111100000000));
    EXPECT_EQ(io.rax, 0xffffffff);
    EXPECT_NO_FAULT(run_a(i_outb, 0));
    io.rdx = PORT_NOBODYS;
    io.rdi = (uint64_t)buf;
    io.rcx = 4;
    ASSERT_NO_FAULT(run(i_rep_insb));
    EXPECT_EQ(io.rcx, 0);
    EXPECT_EQ(io.rdi, (uint64_t)buf + 4);
    EXPECT_EQ(memcmp(buf, "\xff\xff\xff\xff", 5), 0);
    EXPECT_EQ(set_iopl(0), 0);
}

static USER_CODE __attribute__((naked)) void user_inb(void)
{
    __asm__("movl %edi, %edx\n\tmovl $0x100, %eax\n\tinb %dx, %al\n\tret");
}
static USER_CODE __attribute__((naked)) void user_cli(void) { __asm__("cli\n\tret"); }

static void ports_in_user(void)
{
    static uint8_t bitmap[16] = { [0 ... 15] = 0xff };
    struct physdev_set_iobitmap op = { .nr_ports = 128 };
    struct user_result res;

    ASSERT_EQ(set_iopl(1), 0);                          /* enough for the kernel, not for its processes */
    EXPECT_FAULT(user_run(user_inb, PORT_NOBODYS, 0, 0).fault, TRAP_GP, 0);
    EXPECT_FAULT(user_run(user_cli, 0, 0, 0).fault, TRAP_GP, 0);
    ASSERT_EQ(set_iopl(3), 0);
    res = user_run(user_inb, PORT_NOBODYS, 0, 0);
    EXPECT(res.exited);
    EXPECT_EQ(res.code, 0x1ff);
    EXPECT(user_run(user_cli, 0, 0, 0).exited);
    ASSERT_EQ(set_iopl(0), 0);
    bitmap[PORT_NOBODYS / 8] &= ~(1u << PORT_NOBODYS % 8);
    set_xen_guest_handle(op.bitmap, bitmap);
    ASSERT_EQ(xen_physdev_op(PHYSDEVOP_set_iobitmap, &op), 0);
    res = user_run(user_inb, PORT_NOBODYS, 0, 0);
    EXPECT(res.exited);
    EXPECT_EQ(res.code, 0x1ff);
    EXPECT_FAULT(user_run(user_inb, PORT_NOBODYS + 1, 0, 0).fault, TRAP_GP, 0);
    EXPECT_FAULT(user_run(user_inb, 0x400, 0, 0).fault, TRAP_GP, 0);        /* beyond the map */
    set_xen_guest_handle(op.bitmap, (uint8_t *)0xffffff0000000000ul);       /* a map that cannot be read */
    op.nr_ports = 65536;
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_set_iobitmap, &op), 0);
    EXPECT_FAULT(user_run(user_inb, PORT_NOBODYS, 0, 0).fault, TRAP_GP, 0);
    op.nr_ports = 65537;
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_set_iobitmap, &op), -XEN_EINVAL);
    op.nr_ports = 0;
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_set_iobitmap, &op), 0);
}

/* --- model-specific registers ----------------------------------------------------------------------- */

static struct fault msr_read(uint32_t msr, uint64_t *val)
{
    struct fault f;

    io.rcx = msr;
    f = run(i_rdmsr);
    *val = (io.rdx << 32) | (uint32_t)io.rax;
    return f;
}

static struct fault msr_write(uint32_t msr, uint64_t val)
{
    io.rcx = msr;
    io.rdx = val >> 32;
    return run_a(i_wrmsr, (uint32_t)val);
}

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
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER, 0x777000), 0);  /* what the kernel finds as the other GS */
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
    EXPECT_EQ(val & 0x1000, 0);                         /* no virtual machines in it */
    EXPECT_NO_FAULT(msr_write(MSR_EFER, val));
    EXPECT_NO_FAULT(msr_read(0x1b, &val));
    EXPECT_EQ(val & 0x800, 0x800);                      /* APIC base: enabled */
    EXPECT_NO_FAULT(msr_read(0x277, &val));
    EXPECT_EQ(val, 0x050100070406);                     /* the hypervisor's PAT, by the ABI */
    EXPECT_FAULT(msr_read(0x12345678, &val), TRAP_GP, 0);
    EXPECT_FAULT(msr_write(0x12345678, 0), TRAP_GP, 0);
    EXPECT_FAULT(msr_write(0xc0000082, (uint64_t)image_start), TRAP_GP, 0);  /* LSTAR is no guest's to set */
    EXPECT_FAULT(msr_write(0x176, (uint64_t)image_start), TRAP_GP, 0);       /* nor SYSENTER_EIP */
}

/* --- control registers ------------------------------------------------------------------------------- */

static void cr0_and_ts(void)
{
    uint64_t cr0;
    struct fault f;

    events_off();                                       /* an event's entry may use the FPU */
    ASSERT_NO_FAULT(run(i_rd_cr0));
    cr0 = io.rax;
    EXPECT_EQ(cr0 & 0x80000001, 0x80000001);
    EXPECT_EQ(cr0 & CR0_TS, 0);
    EXPECT_FAULT(run_a(i_wr_cr0, cr0 & ~0x80000000ul), TRAP_GP, 0);      /* only TS may change */
    EXPECT_FAULT(run_a(i_wr_cr0, cr0 & ~0x10000ul), TRAP_GP, 0);
    f = run_a(i_ts_fninit, cr0 | CR0_TS);
    EXPECT_FAULT(f, TRAP_NM, 0);
    EXPECT_EQ(f.rip, at + 3);
    EXPECT_NO_FAULT(run(i_rd_cr0));
    EXPECT_EQ(io.rax, cr0);                             /* the delivery took it away */
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
    EXPECT_EQ(before & 0x620, 0x620);                   /* PAE, FXSR, XMM exceptions: on for good */
    EXPECT_NO_FAULT(run_a(i_wr_cr4, before ^ CR4_DE));
    EXPECT_NO_FAULT(run(i_rd_cr4));
    EXPECT_EQ(io.rax, before ^ CR4_DE);
    EXPECT_NO_FAULT(run_a(i_wr_cr4, before | 0x80));    /* PGE is not the guest's: ignored */
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
    EXPECT_EQ(run_a(i_wr_dr0, HOLE_START).vector, TRAP_GP);         /* nobody watches the hypervisor */
    EXPECT_EQ(xen_get_debugreg(0), (uint64_t)&word);
    EXPECT_EQ(run_a(i_wr_dr7, 0x2400).vector, TRAP_GP);             /* nor its debug registers: GD */
    EXPECT_NO_FAULT(run_a(i_wr_dr7, 0x400));
    EXPECT_NO_FAULT(run(i_rd_dr7));
    EXPECT_EQ(io.rax & 0xff, 0);
    EXPECT_EQ(xen_set_debugreg(0, 0), 0);
}

/* --- CPUID and XCR0 --------------------------------------------------------------------------------------- */

struct cpuid {
    uint32_t a, b, c, d;
};

static struct cpuid cpuid_prefixed(uint32_t leaf, uint32_t sub)
{
    io.rcx = sub;
    EXPECT_NO_FAULT(run_a(i_cpuid_prefixed, leaf));
    return (struct cpuid){ io.rax, io.rdi, io.rcx, io.rdx };
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
    EXPECT_EQ(r.c & 1u << 31, 1u << 31);                /* there is a hypervisor */
    EXPECT_EQ(r.c & 0x20060, 0);                        /* PCID, VMX, SMX */
    EXPECT_EQ(r.d & 0x2000a, 0);                        /* VME, PSE, PSE36 */
    EXPECT_EQ(r.d & 0x01000071, 0x01000071);            /* x87, TSC, MSR, PAE, FXSR: with them we run */
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
    EXPECT_EQ(r.d & 0x20100000, 0x20100000);            /* long mode, NX */
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

/* --- single steps ------------------------------------------------------------------------------------- */

static uint64_t step_rip[4];
static volatile unsigned steps;

static bool on_step(struct regs *r)
{
    if (steps < 4)
        step_rip[steps] = r->rip;
    if (++steps >= 3)
        r->rflags &= ~FL_TF;
    return true;
}

/* An instruction done for the guest is a step like any other. */
static void single_step_over_emulated(void)
{
    trap_handler old = trap_set_handler(TRAP_DB, on_step);
    uint64_t start;

    ASSERT_EQ(set_iopl(1), 0);
    steps = 0;
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tleaq 1f(%%rip), %0\n\tpopfq\n"
                     "1:\tmovq %%cr0, %%rax\n\tinb $0x21, %%al\n\tnop\n\tnop\n\tnop" : "=&r"(start) : : "rax", "cc", "memory");
    trap_set_handler(TRAP_DB, old);
    EXPECT_EQ(steps, 3);
    EXPECT_EQ(step_rip[0] - start, 3);
    EXPECT_EQ(step_rip[1] - start, 5);
    EXPECT_EQ(step_rip[2] - start, 6);
    EXPECT_EQ(set_iopl(0), 0);
    xen_set_debugreg(6, 0xffff0ff0);
}

SUITE(emulation, 32, 0, TEST(refused), TEST(cli_and_sti), TEST(popf_fails_silently), TEST(ports_in_kernel),
      TEST(ports_in_user), TEST(msr_bases), TEST(msr_policy), TEST(cr0_and_ts), TEST(cr2_and_cr3), TEST(cr4),
      TEST(debug_registers), TEST(cpuid_policy), TEST(xsetbv), TEST(single_step_over_emulated));
