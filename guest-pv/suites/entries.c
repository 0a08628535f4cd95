/* Suite "entries": how the guest's kernel is entered and left: INT n and its gate's DPL, handlers
 * that resume, nest and see the upcall mask, and exceptions of user mode. Exceptions of the kernel
 * are in traps.c. */
#include <string.h>
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"
#include "trap_insn.h"
#include "user.h"

BODY(do_bp, "int3")
BODY(do_ud, "ud2")
BODY(do_int_80, "int $0x80")
BODY(do_int_80_prefixed, ".byte 0x66, 0x48\n\tint $0x80")
BODY(do_int_21, "int $0x21")
BODY(do_int_10, "int $10")

/* --- Software interrupts ---------------------------------------------------------------------- */

static void int_n_from_kernel(void)
{
    struct fault f = run(do_int_80);

    EXPECT_FAULT(f, 0x80, 0);
    EXPECT_EQ(f.rip, at + 2);
    f = run(do_int_80_prefixed);
    EXPECT_FAULT(f, 0x80, 0);
    EXPECT_EQ(f.rip, at + 4);
    if (test_quirk("qemu-int"))
        SKIP("the machine below reports vector 2n for INT n");
    f = run(do_int_21);                                /* the gate's DPL is checked as for ring 1 */
    EXPECT_FAULT(f, TRAP_GP, 0x21 * 8 + 2);
    EXPECT_EQ(trap_table_set(0x21, 1, false), 0);
    f = run(do_int_21);
    EXPECT_FAULT(f, 0x21, 0);
    EXPECT_EQ(f.rip, at + 2);
    EXPECT_EQ(trap_table_set(0x21, 0, false), 0);
}

/* Enters vector's gate at the stub of another vector, one that expects no error code. */
static struct trap_info redirected(unsigned vector, unsigned dpl)
{
    return (struct trap_info){ .vector = vector, .flags = dpl | 4, .cs = FLAT_KERNEL_CS,
                               .address = (unsigned long)trap_stub(0x21) };
}

/* INT n pushes no error code, though the exception of that number has one. */
static void int_n_without_error_code(void)
{
    struct trap_info table[2] = { redirected(TRAP_TS, 3) };
    struct fault f;

    if (test_quirk("qemu-int"))
        SKIP("the machine below reports vector 2n for INT n");
    ASSERT_EQ(xen_set_trap_table(table), 0);
    f = run(do_int_10);
    EXPECT_FAULT(f, 0x21, 0);
    EXPECT_EQ(f.rip, at + 2);
    EXPECT_EQ(trap_table_install(), 0);
}

/* The array may have any length; its first row with address 0 ends it. */
static void long_trap_table(void)
{
    static struct trap_info table[601];

    for (unsigned i = 0; i < 600; i++)
        table[i] = redirected(i < 599 ? 0x22 : TRAP_BP, 0);
    EXPECT_EQ(xen_set_trap_table(table), 0);
    EXPECT_FAULT(run(do_bp), 0x21, 0);
    EXPECT_EQ(trap_table_install(), 0);
    EXPECT_FAULT(run(do_bp), TRAP_BP, 0);
}

/* The old form, which registers all callbacks at once, skips addresses that are not canonical, and
 * never fails. */
static void bad_callback_is_skipped(void)
{
    int port = event_bind_ipi(NULL, NULL);

    ASSERT(port > 0);
    EXPECT_EQ(xen_set_callbacks(0x8000000000000000, (uint64_t)failsafe_entry,
                                (uint64_t)syscall_entry), 0);
    EXPECT_EQ(event_send(port), 0);
    EXPECT_EQ(event_count(port), 1);
    EXPECT_EQ(event_close(port), 0);
    EXPECT_EQ(trap_callbacks_install(), 0);
}

/* --- Handlers --------------------------------------------------------------------------------- */

static volatile bool seen_masked, seen_saved;
static struct fault inner;

static bool on_ud_skip(struct regs *r)
{
    seen_masked = events_masked();
    seen_saved = r->saved_mask & 0xff;
    r->rip += 2;
    return true;
}

/* A handled trap keeps every register and the flags. */
static void registers_survive(void)
{
    trap_handler old = trap_set_handler(TRAP_UD, on_ud_skip);
    uint64_t diff;

    __asm__ volatile("pushq %%rbp\n\tpushq %%rbx\n\tmovq $1, %%rax\n\tmovq $2, %%rbx\n\t"
                     "movq $3, %%rcx\n\tmovq $4, %%rdx\n\tmovq $5, %%rsi\n\tmovq $6, %%rdi\n\t"
                     "movq $7, %%rbp\n\tmovq $8, %%r8\n\tmovq $9, %%r9\n\tmovq $10, %%r10\n\t"
                     "movq $11, %%r11\n\tmovq $12, %%r12\n\tmovq $13, %%r13\n\t"
                     "movq $14, %%r14\n\tmovq $15, %%r15\n\tmovq %%rsp, %%xmm3\n\tstc\n\tud2\n\t"
                     "sbbq $0, %%rax\n\txorq $2, %%rbx\n\txorq $3, %%rcx\n\txorq $4, %%rdx\n\t"
                     "xorq $5, %%rsi\n\txorq $6, %%rdi\n\txorq $7, %%rbp\n\txorq $8, %%r8\n\t"
                     "xorq $9, %%r9\n\txorq $10, %%r10\n\txorq $11, %%r11\n\txorq $12, %%r12\n\t"
                     "xorq $13, %%r13\n\txorq $14, %%r14\n\txorq $15, %%r15\n\t"
                     "orq %%rbx, %%rax\n\torq %%rcx, %%rax\n\torq %%rdx, %%rax\n\t"
                     "orq %%rsi, %%rax\n\torq %%rdi, %%rax\n\torq %%rbp, %%rax\n\t"
                     "orq %%r8, %%rax\n\torq %%r9, %%rax\n\torq %%r10, %%rax\n\t"
                     "orq %%r11, %%rax\n\torq %%r12, %%rax\n\torq %%r13, %%rax\n\t"
                     "orq %%r14, %%rax\n\torq %%r15, %%rax\n\tmovq %%xmm3, %%rcx\n\t"
                     "xorq %%rsp, %%rcx\n\torq %%rcx, %%rax\n\tpopq %%rbx\n\tpopq %%rbp"
                     : "=a"(diff)
                     : : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                         "r15", "xmm3", "cc", "memory");
    trap_set_handler(TRAP_UD, old);
    EXPECT_EQ(diff, 0);
}

/* The upcall mask is set on entry if the table says so. The frame holds its old value, which the
 * iret restores. */
static void mask_and_flags(void)
{
    trap_handler old = trap_set_handler(TRAP_UD, on_ud_skip);

    events_on();
    __asm__ volatile("ud2" : : : "memory");
    EXPECT(seen_masked);
    EXPECT(!seen_saved);
    EXPECT(!events_masked());
    events_off();
    __asm__ volatile("ud2" : : : "memory");
    EXPECT(seen_masked);
    EXPECT(seen_saved);
    EXPECT(events_masked());
    events_on();
    ASSERT_EQ(trap_table_set(TRAP_UD, 0, true), 0);  /* without the flag the mask stays as it was */
    __asm__ volatile("ud2" : : : "memory");
    EXPECT(!seen_masked);
    EXPECT_EQ(trap_table_set(TRAP_UD, 0, false), 0);
    trap_set_handler(TRAP_UD, old);
}

static bool on_bp_nest(struct regs *r)
{
    (void)r;
    inner = try_write64(UNMAPPED, 1);
    return true;
}

static void nested(void)
{
    trap_handler old = trap_set_handler(TRAP_BP, on_bp_nest);

    inner = (struct fault){ .vector = FAULT_NONE };
    EXPECT_NO_FAULT(run(do_bp));    /* handled, and continued after it */
    trap_set_handler(TRAP_BP, old);
    EXPECT_FAULT(inner, TRAP_PF, PF_WRITE);
}

static void do_nested_try(void *arg)
{
    (void)arg;
    inner = run(do_ud);
    *UNMAPPED = 1;
}

static void nested_recovery(void)
{
    EXPECT_FAULT(try_fault(do_nested_try, NULL), TRAP_PF, PF_WRITE);
    EXPECT_FAULT(inner, TRAP_UD, 0);
}

/* --- From user mode --------------------------------------------------------------------------- */

USER_ASM void user_ud(void)    { __asm__("ud2"); }
USER_ASM void user_de(void)    { __asm__("xorl %ecx, %ecx\n\tdivl %ecx"); }
USER_ASM void user_bp(void)    { __asm__("int3"); }
USER_ASM void user_int80(void) { __asm__("int $0x80"); }
USER_ASM void user_int21(void) { __asm__("int $0x21"); }
USER_ASM void user_hlt(void)   { __asm__("hlt"); }
USER_ASM void user_read(void)  { __asm__("movq (%rdi), %rax\n\tret"); }
USER_ASM void user_write(void) { __asm__("movq %rdi, (%rdi)\n\tret"); }

static struct fault user(void (*fn)(void), const volatile void *arg)
{
    struct user_result res = user_run(fn, (uint64_t)arg, 0, 0);

    EXPECT_MSG(res.exited || res.fault.user, "the frame does not say user mode");
    return res.fault;
}

static void user_exceptions(void)
{
    struct fault f = user(user_ud, NULL);

    EXPECT_FAULT(f, TRAP_UD, 0);
    EXPECT_EQ(f.rip, (uint64_t)user_ud);
    EXPECT_FAULT(user(user_de, NULL), TRAP_DE, 0);
    f = user(user_bp, NULL);
    EXPECT_FAULT(f, TRAP_BP, 0);
    EXPECT_EQ(f.rip, (uint64_t)user_bp + 1);
    EXPECT_FAULT(user(user_hlt, NULL), TRAP_GP, 0);
}

static void user_page_faults(void)
{
    struct fault f = user(user_read, (void *)0x700000);

    EXPECT_FAULT(f, TRAP_PF, PF_USER);
    EXPECT_EQ(f.cr2, 0x700000);
    EXPECT_FAULT(user(user_write, (void *)0x700000), TRAP_PF, PF_USER | PF_WRITE);
    EXPECT_FAULT(user(user_write, (void *)user_write), TRAP_PF, PF_USER | PF_WRITE | PF_PRESENT);
    if (pte_nx)
        EXPECT_FAULT(user((void (*)(void))(USER_STACK_TOP - PAGE_SIZE), NULL), TRAP_PF,
                     PF_USER | PF_INSN | PF_PRESENT);
    f = user(user_read, start_info);                    /* the kernel's half is not mapped */
    EXPECT_FAULT(f, TRAP_PF, PF_USER);
    EXPECT_EQ(f.cr2, (uint64_t)start_info);
    EXPECT_FAULT(user(user_read, (void *)USER_BASE), FAULT_NONE, ANY_ERROR);
    f = user(user_read, (void *)0xffff830000000000ul);
    EXPECT_EQ(f.vector, TRAP_PF);
    EXPECT_EQ(f.error & PF_USER, PF_USER);
}

USER_ASM void user_unaligned(void)
{
    __asm__("pushfq\n\torl $0x40000, (%rsp)\n\tpopfq\n\tmovl -15(%rsp), %eax\n\tpushfq\n\t"
            "andl $~0x40000, (%rsp)\n\tpopfq\n\tret");
}

/* User code that sets AC gets alignment checks. */
static void user_alignment(void)
{
    struct fault f = user(user_unaligned, NULL);

    if (f.vector == FAULT_NONE)
        SKIP("this machine does not check alignment");
    EXPECT_FAULT(f, TRAP_AC, 0);
}

static void user_int_n(void)
{
    struct fault f = user(user_int80, NULL);

    EXPECT_FAULT(f, 0x80, 0);
    EXPECT_EQ(f.rip, (uint64_t)user_int80 + 2);
    if (test_quirk("qemu-int"))
        SKIP("the machine below reports vector 2n for INT n");
    f = user(user_int21, NULL);                         /* DPL 0: refused, at the instruction */
    EXPECT_FAULT(f, TRAP_GP, 0x21 * 8 + 2);
    EXPECT_EQ(f.rip, (uint64_t)user_int21);
    ASSERT_EQ(trap_table_set(0x21, 3, false), 0);
    EXPECT_FAULT(user(user_int21, NULL), 0x21, 0);
    EXPECT_EQ(trap_table_set(0x21, 0, false), 0);
}

/* Without a handler it is #GP at the instruction, as if its gate was closed. */
static void user_int_80_without_handler(void)
{
    static struct trap_info table[256];
    struct fault f;
    unsigned n = 0;

    for (unsigned vector = 0; vector < 255; vector++)
        if (vector != 0x80)
            table[n++] = (struct trap_info){ .vector = vector, .flags = 4, .cs = FLAT_KERNEL_CS,
                                             .address = (unsigned long)trap_stub(vector) };
    ASSERT_EQ(xen_set_trap_table(NULL), 0);
    ASSERT_EQ(xen_set_trap_table(table), 0);
    f = user(user_int80, NULL);
    EXPECT_EQ(trap_table_install(), 0);
    EXPECT_FAULT(f, TRAP_GP, 0x80 * 8 + 2);
    EXPECT_EQ(f.rip, (uint64_t)user_int80);
}

/* Of a trap that is handled, the handler sees all registers, and the code goes on with them. */
USER_ASM void user_traps(void)
{
    __asm__("int $0x80\n\tmovb (%r15), %al\n\tint $0x80\n\tmovb (%r15), %al\n\t"
            "int $0x80\n\tud2");
}

#define TRAPS_BEFORE_UD 5u
static struct regs seen_regs[TRAPS_BEFORE_UD];
static unsigned nr_seen;

static bool see_registers(struct regs *r)
{
    if (nr_seen == TRAPS_BEFORE_UD)
        return false;
    seen_regs[nr_seen++] = *r;
    if (r->vector == TRAP_PF)
        r->rip += 3;
    return true;
}

static void user_registers_survive(void)
{
    trap_handler old_pf = trap_set_handler(TRAP_PF, see_registers);
    trap_handler old_80 = trap_set_handler(0x80, see_registers);
    struct user_result end;
    struct regs r;

    user_init_regs(&r, (void *)user_traps, 0, 0, 0);
    for (unsigned i = 0; i < offsetof(struct regs, error) / 8; i++)
        ((uint64_t *)&r)[i] = 0x1111111111111111u * (i + 1);
    r.r15 = 0x700000;
    r.rflags |= RFLAGS_DF | 2;         /* bit 1 is always set */
    nr_seen = 0;
    end = user_run_regs(&r);
    trap_set_handler(TRAP_PF, old_pf);
    trap_set_handler(0x80, old_80);
    EXPECT_FAULT(end.fault, TRAP_UD, 0);
    ASSERT_EQ(nr_seen, TRAPS_BEFORE_UD);
    for (unsigned n = 0; n < nr_seen; n++) {
        const struct regs *s = &seen_regs[n];

        EXPECT_EQ(memcmp(s, &r, offsetof(struct regs, error)), 0);
        EXPECT_EQ(s->vector, n % 2 ? TRAP_PF : 0x80);
        EXPECT_EQ(s->error, n % 2 ? PF_USER : 0);
        EXPECT_EQ(s->rip, (uint64_t)user_traps + n / 2 * 5 + 2);
        EXPECT_EQ(s->cs, r.cs);
        EXPECT_EQ(s->saved_mask, 0);
        EXPECT_EQ(s->rsp, r.rsp);
        EXPECT_EQ(s->ss, r.ss);
        EXPECT_EQ(s->rflags & ~0x10000ull, r.rflags);         /* RF */
    }
}

/* With architectural_iopl the frames of all entries have the IOPL of the last iret. */
USER_ASM void user_enters(void)
{
    __asm__("int $0x80\n\tmovb (%r15), %al\n\tmovl $16, %eax\n\tsyscall\n\tud2");
}

static uint64_t flags_of_syscall;

static uint64_t see_flags(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    (void)a, (void)b, (void)c;
    flags_of_syscall = r->rflags;
    return 0;
}

static void frames_have_iopl(void)
{
    trap_handler old_pf = trap_set_handler(TRAP_PF, see_registers);
    trap_handler old_80 = trap_set_handler(0x80, see_registers);
    struct user_result end;
    struct physdev_set_iopl none = { .iopl = 0 };
    struct regs r;

    ASSERT_EQ(xen_vm_assist(VMASST_CMD_enable, VMASST_TYPE_architectural_iopl), 0);
    user_set_syscall(SYS_TEST, see_flags);
    user_init_regs(&r, (void *)user_enters, 0, 0, 0);
    r.r15 = 0x700000;
    r.rflags |= RFLAGS_IOPL;
    nr_seen = TRAPS_BEFORE_UD - 2;
    end = user_run_regs(&r);
    trap_set_handler(TRAP_PF, old_pf);
    trap_set_handler(0x80, old_80);
    user_set_syscall(SYS_TEST, NULL);
    EXPECT_EQ(xen_vm_assist(VMASST_CMD_disable, VMASST_TYPE_architectural_iopl), 0);
    EXPECT_FAULT(end.fault, TRAP_UD, 0);
    EXPECT_EQ(seen_regs[TRAPS_BEFORE_UD - 2].rflags & RFLAGS_IOPL, RFLAGS_IOPL);
    EXPECT_EQ(seen_regs[TRAPS_BEFORE_UD - 1].rflags & RFLAGS_IOPL, RFLAGS_IOPL);
    EXPECT_EQ(flags_of_syscall & RFLAGS_IOPL, RFLAGS_IOPL);
    end = user_run_regs(&r);
    EXPECT_FAULT(end.fault, 0x80, 0);
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_set_iopl, &none), 0);
}

SUITE(entries, 13, SUITE_ON_BARE, TEST(int_n_from_kernel), TEST_ON_BARE(int_n_without_error_code),
      TEST_ON_BARE(long_trap_table), TEST(bad_callback_is_skipped), TEST_ON_BARE(registers_survive),
      TEST_ON_BARE(mask_and_flags), TEST_ON_BARE(nested), TEST_ON_BARE(nested_recovery),
      TEST_ON_BARE(user_exceptions), TEST(user_page_faults), TEST(user_alignment),
      TEST(user_int_n), TEST(user_int_80_without_handler), TEST(user_registers_survive),
      TEST(frames_have_iopl));
