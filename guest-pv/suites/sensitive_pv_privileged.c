/* Fourth part of suite "sensitivepv": instructions that trap. Some are emulated for the kernel; for
 * the others it has hypercalls, and they are refused with #GP. Done by user code:
 * sensitive_pv_user.c. */
#include <string.h>
#include "mm.h"
#include "sensitive_pv.h"
#include "user.h"

/* --- done by the kernel ----------------------------------------------------------------------- */

TRY(swapgs, "swapgs")

static USER_DATA uint64_t users_word = 0x5555;
USER_ASM void user_reads_gs(void)
{
    __asm__("movq %gs:0, %rax\n\tret");
}

/* The hypervisor exchanges the two bases on each way between kernel and user mode. */
static void swapgs(void)
{
    static const uint64_t kernels_word = 0x6666;
    struct user_result res;
    uint64_t seen;

    EXPECT_REFUSED(swapgs);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_KERNEL, (uint64_t)&kernels_word), 0);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER, (uint64_t)USER_PTR(users_word)), 0);
    res = user_run(user_reads_gs, 0, 0, 0);
    __asm__ volatile("movq %%gs:0, %0" : "=r"(seen));
    EXPECT_EQ(rdmsr(MSR_KERNEL_GS_BASE), (uint64_t)USER_PTR(users_word));
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_KERNEL, 0), 0);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER, 0), 0);
    EXPECT_EQ(res.code, 0x5555);
    EXPECT_EQ(seen, 0x6666);
}

TRY(hlt, "hlt")

/* Blocking opens events, as a kernel's STI before HLT does, and waits for one. */
static void hlt_waits(void)
{
    uint64_t before = clock_irqs, blocks = 0, since = clock_ns();

    EXPECT_REFUSED(hlt);
    events_off();
    arm_tick();
    for (; clock_irqs == before && blocks < 100; blocks++)
        EXPECT_EQ(xen_sched_op(SCHEDOP_block, NULL), 0);
    since = clock_ns() - since;
    test_diag("saw: %lu blocks until the tick, after %lu us", blocks, since / 1000);
    EXPECT(clock_irqs > before);
    EXPECT(!events_masked());
    EXPECT(since >= NS_PER_MS);
}

#define SET_TS(on) "movl $" #on ", %%edi\n\tcall hypercall_page + 5 * 32\n\t"

/* With TS set FNINIT is #NM, and delivering that clears TS. */
static void use_fpu_with_ts(void *arg)
{
    (void)arg;
    __asm__ volatile(SET_TS(1) "fninit" : : : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r10",
                     "r11", "memory");
}

/* Events are masked, since their handler saves the FPU's state. */
static void clts(void)
{
    uint64_t set, cleared;
    struct fault f;

    events_off();
    f = try_fault(use_fpu_with_ts, NULL);
    __asm__ volatile(SET_TS(1) "movq %%cr0, %%rbx\n\t" SET_TS(0) "movq %%cr0, %%rax\n\tfninit\n\t"
                     : "=a"(cleared), "=b"(set)
                     : : "rcx", "rdx", "rsi", "rdi", "r8", "r10", "r11", "memory");
    EXPECT(set & 8);
    EXPECT(!(cleared & 8));
    __asm__ volatile(SET_TS(1) "clts\n\tmovq %%cr0, %%rax\n\tfninit"
                     : "=a"(cleared)
                     : : "rcx", "rdx", "rsi", "rdi", "r8", "r10", "r11", "memory");
    events_on();
    EXPECT_FAULT(f, TRAP_NM, 0);
    EXPECT(!(cleared & 8));
}

TRY(read_cr8, "movq %%cr8, %%rax")
TRY(write_cr8, "movq %%rax, %%cr8")
TRY(write_cr0, "movq %%cr0, %%rax\n\tbtrq $31, %%rax\n\tmovq %%rax, %%cr0")

/* MOV is emulated, but for CR8, which a domain does not have. DR0 is one register by either way. */
static void control_and_debug_registers(void)
{
    const uint64_t cr2 = 0x123456789000;
    static uint64_t word;
    uint64_t by_mov;

    write_cr2(cr2);
    EXPECT_EQ(read_cr2(), cr2);
    EXPECT_EQ(pte_mfn(read_cr3()), pfn_to_mfn(kernel_root()));
    EXPECT_EQ(read_cr0() & 0x80000001, 0x80000001);     /* PG, PE: can be read, not cleared */
    EXPECT_REFUSED(write_cr0);
    EXPECT_REFUSED(read_cr8);
    EXPECT_REFUSED(write_cr8);
    write_dr0((uint64_t)&word);
    EXPECT_EQ(xen_get_debugreg(0), (uint64_t)&word);
    EXPECT_EQ(xen_set_debugreg(0, (uint64_t)&word + 8), 0);
    by_mov = read_dr0();
    write_dr0(0);
    EXPECT_EQ(by_mov, (uint64_t)&word + 8);
}

TRY(invlpg, "invlpg (%%rsp)")

/* An old translation goes with what the hypercalls have for INVLPG, and by loading CR3. */
static void translations(void)
{
    volatile uint64_t *va = va_alloc(1);
    pfn_t a = frame_alloc(), b = frame_alloc();
    uint64_t to_a = make_pte(pfn_to_mfn(a), PTE_KERNEL);
    uint64_t to_b = make_pte(pfn_to_mfn(b), PTE_KERNEL), slot;

    EXPECT_REFUSED(invlpg);
    *(uint64_t *)p2v(a) = 1, *(uint64_t *)p2v(b) = 2;
    EXPECT_EQ(map_page(va, to_a), 0);
    slot = pte_maddr(va, 1);
    EXPECT_EQ(*va, 1);
    EXPECT_EQ(xen_update_va_mapping((uint64_t)va, to_b, UVMF_INVLPG | UVMF_LOCAL), 0);
    EXPECT_EQ(*va, 2);
    EXPECT_EQ(mmu_set(slot, to_a), 0);
    EXPECT_EQ(mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)va, 0), 0);
    EXPECT_EQ(*va, 1);
    EXPECT_EQ(mmu_set(slot, to_b), 0);
    EXPECT_EQ(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
    EXPECT_EQ(*va, 2);
    EXPECT_EQ(mmu_set(slot, to_a), 0);
    write_cr3(read_cr3());
    EXPECT_EQ(*va, 1);
    EXPECT_EQ(unmap_page(va), 0);
    frame_free(a);
    frame_free(b);
}

static long set_iopl(unsigned iopl)
{
    struct physdev_set_iopl op = { .iopl = iopl };

    return xen_physdev_op(PHYSDEVOP_set_iopl, &op);
}

TRY(in, "inb $0x21, %%al")
TRY(out, "outb %%al, $0x80")

/* Refused, until the kernel asks for the level that it believes to have; then ports are emulated:
 * nothing at an interrupt controller's, and PCI's address port, which keeps what is written. */
static void ports(void)
{
    uint32_t address = 0x80001234, seen = 0;
    uint8_t pic;

    EXPECT_REFUSED(in);
    EXPECT_REFUSED(out);
    ASSERT_EQ(set_iopl(1), 0);
    pic = inb(0x21);
    outb(0x80, 0);
    __asm__ volatile("outl %%eax, %%dx\n\txorl %%eax, %%eax\n\tinl %%dx, %%eax"
                     : "=a"(seen) : "0"(address), "d"(0xcf8));
    EXPECT_EQ(set_iopl(0), 0);
    EXPECT_EQ(pic, 0xff);
    EXPECT_EQ(seen, address);
    EXPECT_REFUSED(in);
}

TRY(wbinvd, "wbinvd")
TRY(invd, "invd")

/* WBINVD is executed or ignored: what was written stays. INVD would lose it. */
static void caches(void)
{
    static volatile uint64_t word;

    word = 0x1234;
    EXPECT_NO_FAULT(try_fault(try_wbinvd, NULL));
    EXPECT_EQ(word, 0x1234);
    EXPECT_REFUSED(invd);
}

TRY(int90, "int $0x90")
TRY(int3, "int3")
USER_ASM void user_int90(void)
{
    __asm__("int $0x90\n\tret");
}

/* A handler's DPL counts the kernel as ring 1, and user code as 3. */
static void int_n(void)
{
    const uint32_t error = 0x90 * 8 + 2;

    EXPECT_FAULT(try_fault(try_int3, NULL), TRAP_BP, 0);
    EXPECT_FAULT(try_fault(try_int90, NULL), TRAP_GP, error);
    EXPECT_EQ(trap_table_set(0x90, 1, false), 0);
    EXPECT_FAULT(try_fault(try_int90, NULL), 0x90, 0);
    EXPECT_FAULT(user_run(user_int90, 0, 0, 0).fault, TRAP_GP, error);
    EXPECT_EQ(trap_table_set(0x90, 3, false), 0);
    EXPECT_FAULT(user_run(user_int90, 0, 0, 0).fault, 0x90, 0);
    EXPECT_EQ(trap_table_set(0x90, 0, false), 0);
}

/* --- undefined, unless the kernel's CR4 or the CPUID says otherwise --------------------------- */

#define CR4_FSGSBASE (1ul << 16)
#define CR4_OSXSAVE (1ul << 18)

TRY(rdfsbase, "rdfsbase %%rbx")
TRY(rdpkru, "rdpkru")
TRY(xgetbv, "xgetbv")
TRY(vmmcall, "vmmcall")
TRY(vmcall, "vmcall")
TRY(monitor, "monitor")
TRY(mwait, "mwait")
TRY(rdpmc, "rdpmc")

static void undefined_ones(void)
{
    uint64_t cr4 = read_cr4();
    bool xsave = forced_cpuid_of(1, 0).c >> 26 & 1;

    write_cr4(cr4 & ~CR4_FSGSBASE);
    EXPECT_FAULT(try_fault(try_rdfsbase, NULL), TRAP_UD, 0);
    write_cr4(xsave ? cr4 | CR4_OSXSAVE : cr4);
    EXPECT_EQ(try_fault(try_xgetbv, NULL).vector, xsave ? FAULT_NONE : TRAP_UD);
    write_cr4(cr4);
    EXPECT_FAULT(try_fault(try_rdpkru, NULL), TRAP_UD, 0);
    EXPECT_FAULT(try_fault(try_vmcall, NULL), TRAP_UD, 0);
    EXPECT_FAULT(try_fault(try_vmmcall, NULL), TRAP_UD, 0);
    EXPECT_FAULT(try_fault(try_monitor, NULL), TRAP_UD, 0);
    EXPECT_FAULT(try_fault(try_mwait, NULL), TRAP_UD, 0);
    EXPECT_REFUSED(rdpmc);
}

TRY(stac, "stac")
TRY(clac, "clac")

/* No domain has SMAP: it is a property of ring 0. */
static void stac_and_clac(void)
{
    EXPECT_EQ(forced_cpuid_of(7, 0).b >> 20 & 1, 0);
    EXPECT_FAULT(try_fault(try_stac, NULL), TRAP_UD, 0);
    EXPECT_FAULT(try_fault(try_clac, NULL), TRAP_UD, 0);
}

TRY(sysenter, "sysenter")
TRY(sysexit, "sysexitl")

/* On Intel's CPUs SYSENTER is user code's way into the kernel, which the kernel does not try. */
static void sysenter_and_sysexit(void)
{
    struct fault out = try_fault(try_sysexit, NULL);

    test_diag("saw: SYSEXIT: vector %d", out.vector);
    EXPECT(out.vector == TRAP_UD || out.vector == TRAP_GP);
    if (!(forced_cpuid_of(1, 0).d >> 11 & 1))
        EXPECT_FAULT(try_fault(try_sysenter, NULL), TRAP_UD, 0);
}

/* --- what is no secret ------------------------------------------------------------------------ */

/* FXSAVE and FXRSTOR run as they are. The state survives the time in which others run. Events are
 * masked until the block, for a tick before it would end no wait. */
static void fpu_state(void)
{
    static uint8_t image[512] __attribute__((aligned(16)));
    static const uint64_t pattern[2] __attribute__((aligned(16))) = { 0x1111, 0x2222 };
    uint64_t seen[2] __attribute__((aligned(16))), kept[2] __attribute__((aligned(16)));
    uint64_t before = clock_irqs;

    events_off();
    arm_tick();
    __asm__ volatile("movaps %2, %%xmm7\n\tfxsave64 %3\n\t"
                     "movl %4, %%edi\n\txorl %%esi, %%esi\n\tcall hypercall_page + %c5\n\t"
                     "movaps %%xmm7, %1\n\txorps %%xmm7, %%xmm7\n\tfxrstor64 %3\n\t"
                     "movaps %%xmm7, %0"
                     : "=m"(seen), "=m"(kept)
                     : "m"(pattern), "m"(image), "i"(SCHEDOP_block),
                       "i"(__HYPERVISOR_sched_op * 32)
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r10", "r11", "xmm7", "memory");
    EXPECT(clock_irqs > before);
    EXPECT_EQ(memcmp(kept, pattern, 16), 0);
    EXPECT_EQ(memcmp(seen, pattern, 16), 0);
    EXPECT_EQ(memcmp(image + 160 + 7 * 16, pattern, 16), 0);
}

SUITE_PART(sensitivepv, 97, 3, TEST(swapgs), TEST(hlt_waits), TEST(clts),
           TEST(control_and_debug_registers), TEST(translations), TEST(ports), TEST(caches),
           TEST(int_n), TEST(patched_text), TEST(undefined_ones), TEST(stac_and_clac),
           TEST(sysenter_and_sysexit), TEST(error_codes_of_page_faults), TEST(fpu_at_the_start),
           TEST(fpu_state));
