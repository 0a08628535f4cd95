/* Suite "sensitivepv" (only by name): what a paravirtual kernel does in place of each instruction
 * of suite "sensitive", in tests of the same names, and what the instruction itself does to it: it
 * runs in user mode and knows it. Here: the interrupt flag, which is a byte in shared memory,
 * returns by hypercall, CPUID. Segments: sensitive_pv_segments.c and sensitive_pv_tables.c;
 * instructions that trap: sensitive_pv_privileged.c; user code: sensitive_pv_user.c. tools/ways
 * compares the verdicts. */
#include "sensitive_pv.h"
#include "start.h"
#include "user.h"

static struct regs frame;

static bool keep_frame(struct regs *r)
{
    frame = *r;
    return true;
}

struct regs frame_of_a_trap(void)
{
    trap_handler old = trap_set_handler(TRAP_BP, keep_frame);

    frame = (struct regs){ .rflags = 0 };
    __asm__ volatile("int3" : : : "memory");
    trap_set_handler(TRAP_BP, old);
    return frame;
}

/* --- the interrupt flag ----------------------------------------------------------------------- */

/* PUSHF reads the CPU's flag, which is always 1. The byte can be read, and a frame's flags have
 * what it was. */
static void pushf_reads_if(void)
{
    uint64_t pushed, closed, open;
    bool masked;

    events_off();
    pushed = read_flags();
    closed = frame_of_a_trap().rflags;
    masked = events_masked();
    events_on();
    open = frame_of_a_trap().rflags;
    test_diag("saw: masked: PUSHF %#lx, a frame %#lx; open: a frame %#lx", pushed, closed, open);
    EXPECT(pushed & RFLAGS_IF);
    EXPECT(!(closed & RFLAGS_IF));
    EXPECT(masked);                     /* the return from the trap left it so */
    EXPECT(open & RFLAGS_IF);
    EXPECT(!events_masked());
}

static void popf_sets_if(void)
{
    bool silent, deaf, came;

    events_off();
    arm_tick();
    silent = no_tick();
    write_flags(read_flags() | RFLAGS_IF);
    deaf = no_tick();
    events_restore(false);
    came = tick();
    test_diag("saw: %s tick after POPF, %s when the byte is cleared", deaf ? "no" : "a",
              came ? "one" : "none");
    EXPECT(silent);
    EXPECT(deaf);
    EXPECT(came);
}

static void popf_clears_if(void)
{
    bool open, was_masked, silent, came;

    write_flags(read_flags() & ~RFLAGS_IF);
    arm_tick();
    open = tick();
    was_masked = events_save_off();
    arm_tick();
    silent = no_tick();
    events_restore(was_masked);
    came = tick();
    test_diag("saw: %s tick after POPF, %s with the byte set", open ? "a" : "no",
              silent ? "none" : "one");
    EXPECT(open);
    EXPECT(silent);
    EXPECT(came);
}

TRY(cli, "cli")
TRY(sti, "sti")

/* What came while it was masked is shown as pending, and delivered by the next hypercall after. */
static void cli_and_sti(void)
{
    bool silent, pending, came;

    EXPECT_REFUSED(cli);
    EXPECT_REFUSED(sti);
    events_off();
    arm_tick();
    silent = no_tick();
    pending = shared_info->vcpu_info[0].evtchn_upcall_pending;
    events_on();
    came = tick();
    test_diag("saw: %s tick while masked, %s afterwards", silent ? "no" : "a",
              came ? "one" : "none");
    EXPECT(silent);
    EXPECT(pending);
    EXPECT(came);
}

/* --- returns ---------------------------------------------------------------------------------- */

/* The hypercall, to the next instruction; CS as frames have the kernel's: with RPL 0. */
static void iret_to_here(uint64_t flags)
{
    uint64_t sp;

    __asm__ volatile("movq %%rsp, %0\n\tpushq %2\n\tpushq %0\n\tpushq %1\n\tpushq %3\n\t"
                     "leaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tpushq $0\n\t"
                     "jmp hypercall_page + %c4\n1:"
                     : "=&r"(sp)
                     : "r"(flags), "i"(FLAT_KERNEL_SS), "i"(FLAT_KERNEL_CS & ~3ul),
                       "i"(__HYPERVISOR_iret * 32)
                     : "rax", "memory", "cc");
}

/* IRETQ leaves the byte alone. */
static void iretq_clears_if(void)
{
    bool open, silent, came;

    iretq_to_here(read_flags() & ~RFLAGS_IF);
    arm_tick();
    open = tick();
    iret_to_here(read_flags() & ~RFLAGS_IF);
    arm_tick();
    silent = no_tick();
    iret_to_here(read_flags() | RFLAGS_IF);
    came = tick();
    test_diag("saw: %s tick after IRETQ with IF = 0, %s after the hypercall, %s after one with 1",
              open ? "a" : "no", silent ? "none" : "one", came ? "one" : "none");
    EXPECT(open);
    EXPECT(silent);
    EXPECT(came);
}

static void far_return(void *selector)
{
    __asm__ volatile("pushq %0\n\tleaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tlretq\n1:"
                     : : "r"(selector) : "rax", "memory");
}

/* By the kernel's selector as it is, with RPL 3. With the RPL 0 of a frame only the hypercall can
 * return; the real selector has RPL 3 afterwards. */
static void far_return_to_kernel(void)
{
    const uint64_t in_frames = FLAT_KERNEL_CS & ~3ul;
    uint64_t cs;

    EXPECT_NO_FAULT(try_fault(far_return, (void *)FLAT_KERNEL_CS));
    EXPECT_FAULT(try_fault(far_return, (void *)in_frames), TRAP_GP, in_frames);
    iret_to_here(read_flags());
    __asm__ volatile("movq %%cs, %0" : "=r"(cs));
    EXPECT_EQ(cs, FLAT_KERNEL_CS);
}

USER_CODE static uint64_t user_reads(const uint64_t *p)
{
    return *p;
}

/* User mode is not where the kernel is, though both are in ring 3: it has a root of its own. */
static void first_entry_to_user(void)
{
    static USER_DATA uint64_t word = 0x1234;
    struct user_result own = user_run(user_reads, (uint64_t)USER_PTR(word), 0, 0);
    struct user_result kernels = user_run(user_reads, (uint64_t)start_info, 0, 0);

    EXPECT(own.exited);
    EXPECT_EQ(own.code, 0x1234);
    EXPECT(!kernels.exited && kernels.fault.user);
    EXPECT_FAULT(kernels.fault, TRAP_PF, PF_USER);
    EXPECT_EQ(kernels.fault.cr2, (uint64_t)start_info);
}

USER_CODE static uint64_t user_selectors(void)
{
    uint64_t cs, ss;

    __asm__ volatile("movq %%cs, %0\n\tmovq %%ss, %1" : "=r"(cs), "=r"(ss));
    return cs << 16 | ss;
}

/* They are those of the frame: the ABI's flat ones, which are the kernel's, or from its GDT. */
static void selectors_in_user_mode(void)
{
    struct user_result flat = user_run(user_selectors, 0, 0, 0), own;
    struct regs r;

    gdt_begin();
    EXPECT_EQ(gdt_set(5, D_DATA | D_BIG | D_LIMIT(0xfffff)), 0);
    EXPECT_EQ(gdt_set(6, D_CODE | D_LONG), 0);
    user_init_regs(&r, user_selectors, 0, 0, 0);
    r.cs = SEL(6), r.ss = SEL(5);
    own = user_run_regs(&r);
    gdt_end();
    test_diag("saw: CS %#lx, SS %#lx; CS %#lx, SS %#lx", flat.code >> 16, flat.code & 0xffff,
              own.code >> 16, own.code & 0xffff);
    EXPECT_EQ(flat.code, (uint64_t)FLAT_USER_CS << 16 | FLAT_USER_SS);
    EXPECT_EQ(own.code, (uint64_t)SEL(6) << 16 | SEL(5));
}

/* --- CPUID ------------------------------------------------------------------------------------ */

/* CPUID itself reads the real CPU's; the forced one the virtual CPU's: with the same vendor, a
 * hypervisor, and without what it does not have. */
static void cpuid_is_this_cpus(void)
{
    const uint32_t hypervisor = 1u << 31, vmx_smx_pcid = 1u << 5 | 1u << 6 | 1u << 17;
    struct cpuid real = cpuid(0, 0), vendor = forced_cpuid_of(0, 0), one = forced_cpuid_of(1, 0);

    test_diag("saw: leaf 1 ECX %#x EDX %#x, the real CPU's %#x %#x", one.c, one.d, cpuid(1, 0).c,
              cpuid(1, 0).d);
    EXPECT_EQ(vendor.b, real.b);
    EXPECT_EQ(vendor.c, real.c);
    EXPECT_EQ(vendor.d, real.d);
    EXPECT_EQ(one.c & (hypervisor | vmx_smx_pcid), hypervisor);
    EXPECT_EQ(forced_cpuid_of(0x80000001, 0).c & 4, 0);                 /* SVM */
    EXPECT_EQ(forced_cpuid_of(7, 0).b & (1u << 7 | 1u << 20), 0);       /* SMEP, SMAP */
}

USER_CODE static uint64_t user_forced_cpuid(void)
{
    uint32_t a = 0x40000000, b, c = 0, d;

    __asm__ volatile(FORCED_CPUID : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (uint64_t)b << 32 | c;
}

TRY(misspelt, "ud2\n\t.ascii \"xem\"\n\tcpuid")

/* It names the hypervisor, to user code too. Any other bytes after UD2 are code not reached. */
static void forced_cpuid(void)
{
    struct cpuid r = forced_cpuid_of(0x40000000, 0);
    struct user_result user = user_run(user_forced_cpuid, 0, 0, 0);

    test_diag("saw: %.4s%.4s%.4s", (char *)&r.b, (char *)&r.c, (char *)&r.d);
    EXPECT_EQ(r.b, 0x566e6558);                         /* XenVMMXenVMM */
    EXPECT_EQ(r.c, 0x65584d4d);
    EXPECT_EQ(r.d, 0x4d4d566e);
    EXPECT_FAULT(try_fault(try_misspelt, NULL), TRAP_UD, 0);
    EXPECT(user.exited);
    EXPECT_EQ(user.code, 0x566e655865584d4d);
}

SUITE(sensitivepv, 97, SUITE_NAMED_ONLY, TEST(pushf_reads_if), TEST(popf_sets_if),
      TEST(popf_clears_if), TEST(cli_and_sti), TEST(iretq_clears_if), TEST(return_from_own_fault),
      TEST(far_return_to_kernel), TEST(first_entry_to_user), TEST(selectors_in_user_mode),
      TEST(cpuid_is_this_cpus), TEST(forced_cpuid), TEST(rdtsc_runs_forward));
