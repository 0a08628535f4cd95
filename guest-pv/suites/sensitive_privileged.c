/* Third part of suite "sensitive": instructions that trap in user mode or are undefined there, done
 * by the kernel and by user code; and what a fault's error code says. */
#include <string.h>
#include "event.h"
#include "mm.h"
#include "sensitive.h"
#include "user.h"

/* --- done by the kernel ----------------------------------------------------------------------- */

static uint64_t answer(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    (void)r;
    return a + b + c;
}
USER_CODE static uint64_t user_asks(void)
{
    return user_syscall(SYS_TEST, 1, 2, 3);
}

static void null_syscall(void)
{
    struct user_result res;

    user_set_syscall(SYS_TEST, answer);
    res = user_run(user_asks, 0, 0, 0);
    user_set_syscall(SYS_TEST, NULL);
    EXPECT(res.exited);
    EXPECT_EQ(res.code, 6);
}

/* A system call that goes back by SYSRET itself. */
static uint64_t by_sysret(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    register uint64_t flags __asm__("r11") = r->rflags;

    (void)a, (void)b, (void)c;
    events_on();
    __asm__ volatile("cli\n\tmovq %1, %%rsp\n\tmovl $7, %%eax\n\tsysretq"
                     : : "c"(r->rip), "S"(r->rsp), "r"(flags) : "memory");
    __builtin_unreachable();
}

USER_CODE static uint64_t user_after_sysret(void)
{
    uint64_t result = user_syscall(SYS_TEST, 1, 2, 3), cs;

    __asm__ volatile("movq %%cs, %0" : "=r"(cs));
    return result << 32 | (cs & 3);
}

static void sysret(void)
{
    struct user_result res;

    user_set_syscall(SYS_TEST, by_sysret);
    res = user_run(user_after_sysret, 0, 0, 0);
    user_set_syscall(SYS_TEST, NULL);
    EXPECT(res.exited);
    EXPECT_EQ(res.code, 7ul << 32 | 3);
}

USER_CODE static uint64_t user_selectors_after_sysret(void)
{
    uint64_t cs, ss;

    user_syscall(SYS_TEST, 1, 2, 3);
    __asm__ volatile("movq %%cs, %0\n\tmovq %%ss, %1" : "=r"(cs), "=r"(ss));
    return cs << 16 | ss;
}

static void selectors_after_sysret(void)
{
    struct user_result res;

    user_set_syscall(SYS_TEST, by_sysret);
    res = user_run(user_selectors_after_sysret, 0, 0, 0);
    user_set_syscall(SYS_TEST, NULL);
    test_diag("saw: CS %#lx, SS %#lx", res.code >> 16, res.code & 0xffff);
    EXPECT_EQ(res.code, (uint64_t)BARE_USER_CS << 16 | BARE_USER_SS);
}

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

static void patched_text(void)
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

/* --- done by user code ------------------------------------------------------------------------ */

#define USER_TRY(name, text)                                                            \
    USER_CODE __attribute__((naked)) static void user_##name(void)                      \
    {                                                                                   \
        __asm__("xorl %eax, %eax\n\txorl %ecx, %ecx\n\txorl %edx, %edx\n\t" text "\n\tret"); \
    }
USER_TRY(cli, "cli")
USER_TRY(sti, "sti")
USER_TRY(hlt, "hlt")
USER_TRY(in, "inb $0x80, %al")
USER_TRY(out, "outb %al, $0x80")
USER_TRY(cr3, "movq %cr3, %rax")
USER_TRY(dr7, "movq %dr7, %rax")
USER_TRY(rdmsr, "movl $0xc0000080, %ecx\n\trdmsr")
USER_TRY(lgdt, "lgdt -16(%rsp)")
USER_TRY(ltr, "ltr %ax")
USER_TRY(clts, "clts")
USER_TRY(invlpg, "invlpg (%rsp)")
USER_TRY(wbinvd, "wbinvd")
USER_TRY(swapgs, "swapgs")
USER_TRY(sysret, "sysretq")
USER_TRY(int90, "int $0x90")

static void user_code_may_not(void)
{
    static const struct {
        const char *name;
        void (*fn)(void);
        uint32_t error;
    } tries[] = {
        { "cli", user_cli, 0 }, { "sti", user_sti, 0 }, { "hlt", user_hlt, 0 },
        { "in", user_in, 0 }, { "out", user_out, 0 }, { "mov cr3", user_cr3, 0 },
        { "mov dr7", user_dr7, 0 }, { "rdmsr", user_rdmsr, 0 }, { "lgdt", user_lgdt, 0 },
        { "ltr", user_ltr, 0 }, { "clts", user_clts, 0 }, { "invlpg", user_invlpg, 0 },
        { "wbinvd", user_wbinvd, 0 }, { "swapgs", user_swapgs, 0 }, { "sysret", user_sysret, 0 },
        { "int 0x90", user_int90, 0x90 * 8 + 2 },
    };

    for (unsigned i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        struct user_result res = user_run(tries[i].fn, 0, 0, 0);

        /* An emulator is known that has 16 n + 2 for INT n. */
        if (res.fault.vector == TRAP_GP && tries[i].error && res.fault.error == 0x90 * 16 + 2)
            continue;
        EXPECT_MSG(res.fault.vector == TRAP_GP && res.fault.error == tries[i].error,
                   "%s: vector %d error %#x", tries[i].name, res.fault.vector, res.fault.error);
    }
}

USER_CODE static uint64_t user_popf(void)
{
    uint64_t flags;

    __asm__ volatile("pushq $0x3000\n\tpopfq\n\tpushfq\n\tpopq %0"
                     : "=r"(flags) : : "memory", "cc");
    return flags;
}

/* User code's POPF leaves IF and IOPL alone, and says nothing. */
static void user_popf_is_silent(void)
{
    struct user_result res = user_run(user_popf, 0, 0, 0);

    EXPECT(res.exited);
    EXPECT_EQ(res.code & 0x3200, RFLAGS_IF);
}

USER_CODE static uint64_t user_misaligned(void)
{
    static USER_DATA uint64_t words[2];

    __asm__ volatile("pushfq\n\torl $0x40000, (%%rsp)\n\tpopfq" : : : "memory", "cc");
    return *(volatile uint64_t *)((char *)words + 1);
}

static void alignment_check(void)
{
    struct user_result res = user_run(user_misaligned, 0, 0, 0);

    if (res.exited)
        SKIP("this CPU makes no alignment checks, as emulators do");
    EXPECT_FAULT(res.fault, TRAP_AC, 0);
}

/* --- error codes, and what is no secret ------------------------------------------------------- */

static void error_codes_of_page_faults(void)
{
    volatile uint64_t *va = va_alloc(1);
    pfn_t pfn = frame_alloc();

    EXPECT_FAULT(try_read64(va, NULL), TRAP_PF, 0);
    EXPECT_FAULT(try_write64(va, 1), TRAP_PF, PF_WRITE);
    EXPECT_EQ(map_page(va, make_pte(pfn, PTE_RO)), 0);
    EXPECT_FAULT(try_write64(va, 1), TRAP_PF, PF_PRESENT | PF_WRITE);
    EXPECT_EQ(map_page(va, make_pte(pfn, PTE_KERNEL | PTE_NX)), 0);
    EXPECT_FAULT(try_exec((const void *)va), TRAP_PF, PF_PRESENT | PF_INSN);
    EXPECT_EQ(unmap_page(va), 0);
    frame_free(pfn);
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

SUITE_PART(sensitive, 01, 2, TEST(null_syscall), TEST(sysret), TEST(selectors_after_sysret),
           TEST(swapgs), TEST(hlt_waits),
           TEST(clts), TEST(control_and_debug_registers), TEST(translations),
           TEST(ports), TEST(caches), TEST(int_n), TEST(patched_text), TEST(undefined_ones),
           TEST(stac_and_clac), TEST(sysenter_and_sysexit), TEST(user_code_may_not),
           TEST(user_popf_is_silent), TEST(alignment_check), TEST(error_codes_of_page_faults),
           TEST(fpu_state));
