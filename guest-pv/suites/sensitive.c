/* Suite "sensitive": instructions that say or change what only a kernel may, one test for each, and
 * what was seen as a comment. A CPU passes all of them; who runs this kernel with less privilege
 * than it believes to have does not, unless he emulates or translates them. Here: the interrupt
 * flag, returns, CPUID and what goes with it. Segments: sensitive_segments.c; instructions that
 * trap in user mode: sensitive_privileged.c; user code: sensitive_user.c; what a paravirtual kernel
 * has instead of each, in tests of the same names: sensitive_pv.c. */
#include <string.h>
#include "hypercall.h"
#include "sensitive.h"
#include "start.h"
#include "user.h"

static uint64_t ticks_before;

void arm_tick(void)
{
    struct vcpu_set_singleshot_timer op = { .timeout_abs_ns = clock_ns() + NS_PER_MS };

    ticks_before = clock_irqs;
    if (is_bare())
        arm_interrupt(rdtsc() + tsc_hz / 1000);
    else
        ASSERT_EQ(xen_vcpu_op(VCPUOP_set_singleshot_timer, 0, &op), 0);
}

static bool ticked_within(uint64_t ns)
{
    uint64_t end = clock_ns() + ns;

    while (clock_irqs == ticks_before && clock_ns() < end)
        __builtin_ia32_pause();
    return clock_irqs != ticks_before;
}

bool no_tick(void)
{
    return !ticked_within(20 * NS_PER_MS);
}

bool tick(void)
{
    return ticked_within(100 * NS_PER_MS);
}

/* --- the interrupt flag ----------------------------------------------------------------------- */

static void pushf_reads_if(void)
{
    uint64_t closed, open;

    cli();
    closed = read_flags();
    sti();
    open = read_flags();
    test_diag("saw: flags after cli %#lx, after sti %#lx", closed, open);
    EXPECT(!(closed & RFLAGS_IF));
    EXPECT(open & RFLAGS_IF);
}

static void popf_sets_if(void)
{
    bool silent, came;

    cli();
    arm_tick();
    silent = no_tick();
    write_flags(read_flags() | RFLAGS_IF);
    came = tick();
    sti();
    test_diag("saw: %s tick before popf, %s after it", silent ? "no" : "a", came ? "one" : "none");
    EXPECT(silent);
    EXPECT(came);
}

static void popf_clears_if(void)
{
    bool silent, came;

    write_flags(read_flags() & ~RFLAGS_IF);
    arm_tick();
    silent = no_tick();
    sti();
    came = tick();
    test_diag("saw: %s tick after popf, %s after sti", silent ? "no" : "a", came ? "one" : "none");
    EXPECT(silent);
    EXPECT(came);
}

static void cli_and_sti(void)
{
    bool silent, came;

    cli();
    arm_tick();
    silent = no_tick();
    sti();
    came = tick();
    test_diag("saw: %s tick after cli, %s after sti", silent ? "no" : "a", came ? "one" : "none");
    EXPECT(silent);
    EXPECT(came);
}

/* --- returns ---------------------------------------------------------------------------------- */

void iretq_to_here(uint64_t flags)
{
    uint64_t sp;

    __asm__ volatile("movq %%rsp, %0\n\tmovq %%ss, %%rax\n\tpushq %%rax\n\tpushq %0\n\tpushq %1\n\t"
                     "movq %%cs, %%rax\n\tpushq %%rax\n\tleaq 1f(%%rip), %%rax\n\tpushq %%rax\n\t"
                     "iretq\n1:"
                     : "=&r"(sp) : "r"(flags) : "rax", "memory", "cc");
}

static void iretq_clears_if(void)
{
    bool silent, came;

    iretq_to_here(read_flags() & ~RFLAGS_IF);
    arm_tick();
    silent = no_tick();
    iretq_to_here(read_flags() | RFLAGS_IF);
    came = tick();
    sti();
    test_diag("saw: %s tick after iretq with IF = 0, %s after one with 1", silent ? "no" : "a",
              came ? "one" : "none");
    EXPECT(silent);
    EXPECT(came);
}

static volatile uint64_t faults;

static bool skip_load(struct regs *r)
{
    faults++;
    r->rip += 3;                        /* the length of the load below */
    return true;
}

void return_from_own_fault(void)
{
    trap_handler old = trap_set_handler(TRAP_PF, skip_load);

    faults = 0;
    for (unsigned i = 0; i < 3; i++)
        __asm__ volatile("movq (%0), %%rax" : : "c"(0x10ul) : "rax", "memory");
    trap_set_handler(TRAP_PF, old);
    EXPECT_EQ(faults, 3);
}

static void far_return_to_kernel(void)
{
    uint64_t arrived = 0;

    __asm__ volatile("pushq %1\n\tleaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tlretq\n\tud2\n"
                     "1:\tmovl $1, %k0" : "=r"(arrived) : "i"(BARE_KERNEL_CS) : "rax", "memory");
    EXPECT_EQ(arrived, 1);
}

USER_CODE static uint64_t user_selectors(void)
{
    uint64_t cs, ss;

    __asm__ volatile("movq %%cs, %0\n\tmovq %%ss, %1" : "=r"(cs), "=r"(ss));
    return cs << 16 | ss;
}

static void first_entry_to_user(void)
{
    struct user_result res = user_run(user_selectors, 0, 0, 0);

    EXPECT(res.exited);
    EXPECT_EQ(res.code >> 16 & 3, 3);
}

static void selectors_in_user_mode(void)
{
    struct user_result res = user_run(user_selectors, 0, 0, 0);

    test_diag("saw: CS %#lx, SS %#lx", res.code >> 16, res.code & 0xffff);
    EXPECT_EQ(res.code, (uint64_t)BARE_USER_CS << 16 | BARE_USER_SS);
}

/* --- CPUID and registers that follow it ------------------------------------------------------- */

#define ECX_OSXSAVE (1u << 27)
#define CR4_OSXSAVE (1ul << 18)

/* vendor= on the command line says what it has to be. OSXSAVE is the kernel's own CR4 bit. */
static void cpuid_is_this_cpus(void)
{
    struct cpuid zero = cpuid(0, 0), one = cpuid(1, 0);
    char vendor[13] = "", wanted[16];

    memcpy(vendor, &zero.b, 4);
    memcpy(vendor + 4, &zero.d, 4);
    memcpy(vendor + 8, &zero.c, 4);
    test_diag("saw: vendor %s, leaf 1 ECX %#x EDX %#x", vendor, one.c, one.d);
    if (cmdline_get("vendor", wanted, sizeof(wanted)))
        EXPECT(strcmp(vendor, wanted) == 0);
    EXPECT_EQ(!!(one.c & ECX_OSXSAVE), !!(read_cr4() & CR4_OSXSAVE));
}

/* What a hypervisor's paravirtual guests use is an undefined instruction here. */
static void forced_cpuid_is_undefined(void *arg)
{
    uint32_t a = 0, b, c = 0, d;

    (void)arg;
    __asm__ volatile("ud2\n\t.ascii \"xen\"\n\tcpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

static void forced_cpuid(void)
{
    struct fault f = try_fault(forced_cpuid_is_undefined, NULL);

    test_diag("saw: vector %d", f.vector);
    EXPECT_FAULT(f, TRAP_UD, 0);
}

void rdtsc_runs_forward(void)
{
    uint64_t last = rdtsc();

    for (unsigned i = 0; i < 1000; i++) {
        uint64_t now = rdtsc();

        ASSERT(now >= last);
        last = now;
    }
    EXPECT(rdtsc() > last - 1);
}

SUITE(sensitive, 01, SUITE_NEEDS_BARE, TEST(pushf_reads_if), TEST(popf_sets_if),
      TEST(popf_clears_if), TEST(cli_and_sti), TEST(iretq_clears_if), TEST(return_from_own_fault),
      TEST(far_return_to_kernel), TEST(first_entry_to_user), TEST(selectors_in_user_mode),
      TEST(cpuid_is_this_cpus), TEST(forced_cpuid), TEST(rdtsc_runs_forward));
