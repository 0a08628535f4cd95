/* Third part of suite "sensitive": instructions that trap in user mode or are undefined there, done
 * by the kernel; and what a fault's error code says. Done by user code: sensitive_user.c. */
#include <string.h>
#include "mm.h"
#include "sensitive.h"
#include "start.h"

/* --- done by the kernel ----------------------------------------------------------------------- */

static void swapgs(void)
{
    uint64_t gs, kernel_gs;

    wrmsr(MSR_GS_BASE, 0x1000);
    wrmsr(MSR_KERNEL_GS_BASE, 0x2000);
    __asm__ volatile("swapgs" : : : "memory");
    gs = rdmsr(MSR_GS_BASE), kernel_gs = rdmsr(MSR_KERNEL_GS_BASE);
    wrmsr(MSR_GS_BASE, 0);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
    EXPECT_EQ(gs, 0x2000);
    EXPECT_EQ(kernel_gs, 0x1000);
}

static void hlt_waits(void)
{
    uint64_t before = clock_irqs, halts = 0;

    cli();
    arm_tick();
    for (; clock_irqs == before && halts < 100; halts++)
        __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
    sti();
    test_diag("saw: %lu halts until the tick", halts);
    EXPECT(clock_irqs > before);
}

#define CR0_TS 8ul

/* Interrupts are closed, since their handler saves the FPU's state. */
static void clts(void)
{
    uint64_t set, cleared;

    cli();
    write_cr0(read_cr0() | CR0_TS);
    set = read_cr0();
    __asm__ volatile("clts");
    cleared = read_cr0();
    sti();
    EXPECT(set & CR0_TS);
    EXPECT(!(cleared & CR0_TS));
}

static void control_and_debug_registers(void)
{
    uint64_t cr2 = 0x123456789000, cr8, dr0;

    write_cr2(cr2);
    EXPECT_EQ(read_cr2(), cr2);
    write_cr8(5);
    cr8 = read_cr8();
    write_cr8(0);
    EXPECT_EQ(cr8, 5);
    write_dr0(0xffffffff80000000);
    dr0 = read_dr0();
    write_dr0(0);
    EXPECT_EQ(dr0, 0xffffffff80000000);
}

/* An old translation goes with INVLPG, and by loading CR3. */
static void translations(void)
{
    volatile uint64_t *va = va_alloc(1);
    pfn_t a = frame_alloc(), b = frame_alloc();
    uint64_t *slot;

    *(uint64_t *)p2v(a) = 1, *(uint64_t *)p2v(b) = 2;
    EXPECT_EQ(map_page(va, make_pte(a, PTE_KERNEL)), 0);
    slot = direct(pte_maddr(va, 1));
    EXPECT_EQ(*va, 1);
    *slot = make_pte(b, PTE_KERNEL);
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
    EXPECT_EQ(*va, 2);
    *slot = make_pte(a, PTE_KERNEL);
    write_cr3(read_cr3());
    EXPECT_EQ(*va, 1);
    EXPECT_EQ(unmap_page(va), 0);
    frame_free(a);
    frame_free(b);
}

static void ports(void)
{
    uint8_t was = inb(0x21), seen;

    outb(0x21, 0xfb);                   /* the mask of the first interrupt controller */
    seen = inb(0x21);
    outb(0x21, was);
    outb(0x80, 0);
    EXPECT_EQ(seen, 0xfb);
}

static void caches(void)
{
    __asm__ volatile("wbinvd" : : : "memory");
}

static volatile unsigned hits;
static bool count_hit(struct regs *r)
{
    (void)r;
    hits++;
    return true;
}

static void int_n(void)
{
    trap_handler old90 = trap_set_handler(0x90, count_hit);
    trap_handler old3 = trap_set_handler(TRAP_BP, count_hit);

    hits = 0;
    __asm__ volatile("int $0x90\n\tint3\n\tint $0x90" : : : "memory");
    trap_set_handler(0x90, old90);
    trap_set_handler(TRAP_BP, old3);
    EXPECT_EQ(hits, 3);
}

/* As Linux patches itself: INT3 over the first byte, then the other bytes, then the first. */
__attribute__((noinline)) static unsigned patched(void)
{
    unsigned n;

    __asm__ volatile("movl $1, %0" : "=a"(n));
    return n;
}

void patched_text(void)
{
    uint8_t *code = memchr((void *)patched, 0xb8, 32);
    trap_handler old = trap_set_handler(TRAP_BP, count_hit);
    bool hit;

    ASSERT(code != NULL);
    EXPECT_EQ(patched(), 1);
    hits = 0;
    *(volatile uint8_t *)code = 0xcc;
    *(volatile uint8_t *)(code + 1) = 0x90;         /* nop, for what follows INT3 */
    for (unsigned i = 2; i < 5; i++)
        *(volatile uint8_t *)(code + i) = 0x90;
    patched();
    hit = hits == 1;
    *(volatile uint32_t *)(code + 1) = 2;
    *(volatile uint8_t *)code = 0xb8;
    trap_set_handler(TRAP_BP, old);
    EXPECT(hit);
    EXPECT_EQ(patched(), 2);
    *(volatile uint32_t *)(code + 1) = 1;
}

/* --- undefined, unless the kernel's CR4 or the CPUID says otherwise --------------------------- */

#define TRY(name, text)                                                                 \
    static void try_##name(void *arg)                                                   \
    {                                                                                   \
        uint64_t a = 0, c = 0, d = 0;                                                   \
                                                                                        \
        (void)arg;                                                                      \
        __asm__ volatile(text : "+a"(a), "+c"(c), "+d"(d) : : "memory", "rbx");         \
    }
TRY(rdfsbase, "rdfsbase %%rbx")
TRY(rdpkru, "rdpkru")
TRY(xgetbv, "xgetbv")
TRY(stac, "stac\n\tclac")
TRY(sysenter, "sysenter")
TRY(sysexit, "sysexitl")
TRY(vmmcall, "vmmcall")
TRY(vmcall, "vmcall")

static void undefined_ones(void)
{
    EXPECT_FAULT(try_fault(try_rdfsbase, NULL), TRAP_UD, 0);
    EXPECT_FAULT(try_fault(try_rdpkru, NULL), TRAP_UD, 0);
    EXPECT_FAULT(try_fault(try_xgetbv, NULL), TRAP_UD, 0);
    EXPECT_FAULT(try_fault(try_vmcall, NULL), TRAP_UD, 0);
    EXPECT_FAULT(try_fault(try_vmmcall, NULL), TRAP_UD, 0);
}

static void stac_and_clac(void)
{
    bool smap = cpuid(0, 0).a >= 7 && cpuid(7, 0).b >> 20 & 1;
    struct fault f = try_fault(try_stac, NULL);

    EXPECT_EQ(f.vector, smap ? FAULT_NONE : TRAP_UD);
}

/* With its MSR 0 Intel's is #GP; AMD's has none in long mode. */
static void sysenter_and_sysexit(void)
{
    struct fault in = try_fault(try_sysenter, NULL), out = try_fault(try_sysexit, NULL);

    test_diag("saw: vectors %d and %d", in.vector, out.vector);
    EXPECT(in.vector == TRAP_UD || in.vector == TRAP_GP);
    EXPECT(out.vector == TRAP_UD || out.vector == TRAP_GP);
}

/* --- error codes, and what is no secret ------------------------------------------------------- */

void error_codes_of_page_faults(void)
{
    volatile uint64_t *va = va_alloc(1);
    pfn_t pfn = frame_alloc();

    EXPECT_FAULT(try_read64(va, NULL), TRAP_PF, 0);
    EXPECT_FAULT(try_write64(va, 1), TRAP_PF, PF_WRITE);
    EXPECT_EQ(map_page(va, make_pte(pfn_to_mfn(pfn), PTE_RO)), 0);
    EXPECT_FAULT(try_write64(va, 1), TRAP_PF, PF_PRESENT | PF_WRITE);
    EXPECT_EQ(map_page(va, make_pte(pfn_to_mfn(pfn), PTE_KERNEL | PTE_NX)), 0);
    EXPECT_FAULT(try_exec((const void *)va), TRAP_PF, PF_PRESENT | PF_INSN);
    EXPECT_EQ(unmap_page(va), 0);
    frame_free(pfn);
}

/* The image at the kernel's entry has nothing left of who ran there before. Between a reset and the
 * first FNINIT the control word is 40h. */
void fpu_at_the_start(void)
{
    static const uint8_t zeroes[256];
    uint16_t control, status;
    uint32_t mxcsr;

    memcpy(&control, boot_fx, 2);
    memcpy(&status, boot_fx + 2, 2);
    memcpy(&mxcsr, boot_fx + 24, 4);
    test_diag("saw: FCW %#x, FSW %#x, MXCSR %#x", control, status, mxcsr);
    EXPECT(control == 0x37f || control == 0x40);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(boot_fx[4], 0);           /* the registers of x87 and MMX are empty */
    EXPECT_EQ(mxcsr, 0x1f80);
    EXPECT_EQ(memcmp(boot_fx + 160, zeroes, sizeof(zeroes)), 0);
}

static void fpu_state(void)
{
    static uint8_t image[512] __attribute__((aligned(16)));
    static const uint64_t pattern[2] __attribute__((aligned(16))) = { 0x1111, 0x2222 };
    uint64_t seen[2] __attribute__((aligned(16)));

    __asm__ volatile("movaps %1, %%xmm7\n\tfxsave64 %2\n\txorps %%xmm7, %%xmm7\n\t"
                     "fxrstor64 %2\n\tmovaps %%xmm7, %0"
                     : "=m"(seen) : "m"(pattern), "m"(image) : "xmm7", "memory");
    EXPECT_EQ(seen[0], pattern[0]);
    EXPECT_EQ(seen[1], pattern[1]);
    EXPECT_EQ(memcmp(image + 160 + 7 * 16, pattern, 16), 0);
}

SUITE_PART(sensitive, 01, 2, TEST(swapgs), TEST(hlt_waits), TEST(clts),
           TEST(control_and_debug_registers), TEST(translations), TEST(ports), TEST(caches),
           TEST(int_n), TEST(patched_text), TEST(undefined_ones), TEST(stac_and_clac),
           TEST(sysenter_and_sysexit), TEST(error_codes_of_page_faults), TEST(fpu_at_the_start),
           TEST(fpu_state));
