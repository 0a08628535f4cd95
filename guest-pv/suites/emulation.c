/* Suite "emulation": privileged instructions of the guest's kernel that the hypervisor emulates or
 * refuses with #GP: the interrupt flag, ports, and a few that have no effect for a guest. Control,
 * debug and model-specific registers are in registers.c. */
#include <string.h>
#include "event.h"
#include "hypercall.h"
#include "insn.h"
#include "mm.h"
#include "user.h"


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
BODY(i_inb, "inb %%dx, %%al")
BODY(i_inw, "inw %%dx, %%ax")
BODY(i_inl, "inl %%dx, %%eax")
BODY(i_inb_imm, "inb $0x21, %%al")
BODY(i_outb, "outb %%al, %%dx")
BODY(i_outl, "outl %%eax, %%dx")
BODY(i_outw, "outw %%ax, %%dx")
BODY(i_rep_insb, "rep insb")
BODY(i_rdtsc, "rdtsc")

static long set_iopl(unsigned iopl)
{
    struct physdev_set_iopl op = { .iopl = iopl };

    return xen_physdev_op(PHYSDEVOP_set_iopl, &op);
}

static void refused(void)
{
    static const struct { const char *name; void (*fn)(void *); } list[] = {
        { "hlt", i_hlt }, { "lgdt", i_lgdt }, { "lidt", i_lidt }, { "lldt", i_lldt },
        { "ltr", i_ltr },
        { "invlpg", i_invlpg }, { "invd", i_invd }, { "swapgs", i_swapgs }, { "sysret", i_sysret },
    };

    for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        struct fault f = run_a(list[i].fn, 0);

        EXPECT_MSG(f.vector == TRAP_GP && f.error == 0 && f.rip == at,
                   "%s: vector %d error %#x at %+ld", list[i].name, f.vector, f.error,
                   (long)(f.rip - at));
    }
    EXPECT_NO_FAULT(run(i_wbinvd));                     /* executed or ignored */
    EXPECT_NO_FAULT(run(i_rdtsc));
}

/* --- The interrupt flag ----------------------------------------------------------------------- */

/* When IOPL allows them they are executed without effect: the hypervisor would not see a POPF that
 * sets the flag again. */
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

/* In ring 3, POPF with another IF or IOPL changes neither and does not fault, so the hypervisor
 * cannot emulate it: a kernel that uses it for CLI still gets events. */
static void popf_fails_silently(void)
{
    int port = event_bind_ipi(on_event, NULL);
    uint64_t flags;

    ASSERT(port > 0);
    events_on();
    seen = 0;
    flags = popf_flags(0x2);                            /* a native kernel's local_irq_disable() */
    EXPECT_EQ(flags & RFLAGS_IF, RFLAGS_IF);                    /* the real flag: always set */
    EXPECT(!events_masked());
    EXPECT_EQ(event_send(port), 0);
    EXPECT_EQ(seen, 1);
    flags = popf_flags(RFLAGS_IOPL | RFLAGS_IF | 0x2);
    EXPECT_EQ(flags & RFLAGS_IOPL, 0);
    EXPECT_FAULT(run(i_cli), TRAP_GP, 0);
    ASSERT_EQ(set_iopl(3), 0);                          /* the virtual IOPL is not the CPU's */
    EXPECT_EQ(popf_flags(0x2) & (RFLAGS_IOPL | RFLAGS_IF), RFLAGS_IF);
    EXPECT_EQ(set_iopl(0), 0);
    events_off();
    EXPECT_EQ(popf_flags(RFLAGS_IF | 0x2) & RFLAGS_IF, RFLAGS_IF);  /* nor set it */
    EXPECT(events_masked());
    EXPECT_EQ(event_send(port), 0);
    EXPECT_EQ(seen, 1);
    events_on();
    EXPECT_EQ(seen, 2);
    EXPECT_EQ(event_close(port), 0);
}

/* --- Ports ------------------------------------------------------------------------------------ */

#define PIC_PORT 0x21  /* an interrupt controller: no guest's, nor domain 0's */

static void ports_in_kernel(void)
{
    static uint8_t buf[5];
    struct fault f;

    ASSERT_EQ(set_iopl(0), 0);
    io.rdx = PIC_PORT;
    f = run(i_inb);
    EXPECT_FAULT(f, TRAP_GP, 0);
    EXPECT_EQ(f.rip, at);
    EXPECT_FAULT(run(i_inb_imm), TRAP_GP, 0);
    EXPECT_FAULT(run(i_outb), TRAP_GP, 0);
    ASSERT_EQ(set_iopl(1), 0);
    ASSERT_NO_FAULT(run_a(i_inb, 0x1111111111111100));
    EXPECT_EQ(io.rax, 0x11111111111111ff);            /* no device there; the rest of rax is kept */
    ASSERT_NO_FAULT(run_a(i_inb_imm, 0));
    EXPECT_EQ(io.rax, 0xff);
    io.rdx = PIC_PORT - 1;
    ASSERT_NO_FAULT(run_a(i_inw, 0x1111111111110000));
    EXPECT_EQ(io.rax, 0x111111111111ffff);
    ASSERT_NO_FAULT(run_a(i_inl, 0x1111111100000000));
    EXPECT_EQ(io.rax, 0xffffffff);
    EXPECT_NO_FAULT(run_a(i_outb, 0));
    io.rdx = PIC_PORT;
    io.rdi = (uint64_t)buf;
    io.rcx = 4;
    ASSERT_NO_FAULT(run(i_rep_insb));
    EXPECT_EQ(io.rcx, 0);
    EXPECT_EQ(io.rdi, (uint64_t)buf + 4);
    EXPECT_EQ(memcmp(buf, "\xff\xff\xff\xff", 5), 0);
    EXPECT_EQ(set_iopl(0), 0);
}

static uint32_t in(void (*fn)(void *), uint16_t port)
{
    io.rdx = port;
    ASSERT_NO_FAULT(run_a(fn, 0));
    return (uint32_t)io.rax;
}

static void out(void (*fn)(void *), uint16_t port, uint32_t value)
{
    io.rdx = port;
    ASSERT_NO_FAULT(run_a(fn, value));
}

/* PCI's address port, as a double word, and CMOS's index port keep what is written to them. The
 * timers' ports read as all ones. */
static void port_latches(void)
{
    if (is_dom0())
        SKIP("a hardware domain has the ports themselves");
    ASSERT_EQ(set_iopl(1), 0);
    out(i_outl, 0xcf8, 0x80001234);
    EXPECT_EQ(in(i_inl, 0xcf8), 0x80001234);
    EXPECT_EQ(in(i_inw, 0xcf8), 0xffff);
    EXPECT_EQ(in(i_inb, 0xcf8), 0xff);
    out(i_outb, 0xcf8, 0);
    out(i_outw, 0xcfa, 0);
    EXPECT_EQ(in(i_inl, 0xcf8), 0x80001234);
    EXPECT_EQ(in(i_inl, 0xcfc), 0xffffffff);
    EXPECT_EQ(in(i_inl, 0xcf6), 0xffffffff);
    out(i_outb, 0x70, 0x8f);
    EXPECT_EQ(in(i_inb, 0x70), 0x8f);
    EXPECT_EQ(in(i_inw, 0x70), 0xff8f);
    EXPECT_EQ(in(i_inl, 0x6e), 0xff8fffff);
    EXPECT_EQ(in(i_inb, 0x71), 0xff);
    out(i_outw, 0x6f, 0x1234);
    EXPECT_EQ(in(i_inb, 0x70), 0x12);
    for (unsigned n = 0; n < 3; n++)
        EXPECT_EQ(in(i_inb, 0x42) & in(i_inb, 0x43) & in(i_inb, 0x61), 0xff);
    EXPECT_EQ(in(i_inl, 0xffff), 0xffffffff);
    EXPECT_EQ(set_iopl(0), 0);
}

USER_ASM void user_inb(void)
{
    __asm__("movl %edi, %edx\n\tmovl $0x100, %eax\n\tinb %dx, %al\n\tret");
}
USER_ASM void user_cli(void) { __asm__("cli\n\tret"); }

static void ports_in_user(void)
{
    static uint8_t bitmap[16] = { [0 ... 15] = 0xff };
    struct physdev_set_iobitmap op = { .nr_ports = 128 };
    struct user_result res;

    ASSERT_EQ(set_iopl(1), 0);                        /* enough for the kernel, not for user mode */
    EXPECT_FAULT(user_run(user_inb, PIC_PORT, 0, 0).fault, TRAP_GP, 0);
    EXPECT_FAULT(user_run(user_cli, 0, 0, 0).fault, TRAP_GP, 0);
    ASSERT_EQ(set_iopl(3), 0);
    res = user_run(user_inb, PIC_PORT, 0, 0);
    EXPECT(res.exited);
    EXPECT_EQ(res.code, 0x1ff);
    EXPECT(user_run(user_cli, 0, 0, 0).exited);
    ASSERT_EQ(set_iopl(0), 0);
    bitmap[PIC_PORT / 8] &= ~(1u << PIC_PORT % 8);
    set_xen_guest_handle(op.bitmap, bitmap);
    ASSERT_EQ(xen_physdev_op(PHYSDEVOP_set_iobitmap, &op), 0);
    res = user_run(user_inb, PIC_PORT, 0, 0);
    EXPECT(res.exited);
    EXPECT_EQ(res.code, 0x1ff);
    EXPECT_FAULT(user_run(user_inb, PIC_PORT + 1, 0, 0).fault, TRAP_GP, 0);
    EXPECT_FAULT(user_run(user_inb, 0x400, 0, 0).fault, TRAP_GP, 0);        /* beyond the map */
    set_xen_guest_handle(op.bitmap, (uint8_t *)0xffffff0000000000ul);   /* cannot be read */
    op.nr_ports = 65536;
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_set_iobitmap, &op), 0);
    EXPECT_FAULT(user_run(user_inb, PIC_PORT, 0, 0).fault, TRAP_GP, 0);
    op.nr_ports = 65537;
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_set_iobitmap, &op), -XEN_EINVAL);
    op.nr_ports = 0;
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_set_iobitmap, &op), 0);
}

/* --- Single steps ----------------------------------------------------------------------------- */

static uint64_t step_rip[4];
static volatile unsigned steps;

static bool on_step(struct regs *r)
{
    if (steps < 4)
        step_rip[steps] = r->rip;
    if (++steps >= 3)
        r->rflags &= ~RFLAGS_TF;
    return true;
}

/* With TF set an emulated instruction is one step, like any other. */
static void single_step_over_emulated(void)
{
    trap_handler old = trap_set_handler(TRAP_DB, on_step);
    uint64_t start;

    ASSERT_EQ(set_iopl(1), 0);
    steps = 0;
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tleaq 1f(%%rip), %0\n\tpopfq\n"
                     "1:\tmovq %%cr0, %%rax\n\tinb $0x21, %%al\n\tnop\n\tnop\n\tnop"
                     : "=&r"(start) : : "rax", "cc", "memory");
    trap_set_handler(TRAP_DB, old);
    EXPECT_EQ(steps, 3);
    EXPECT_EQ(step_rip[0] - start, 3);
    EXPECT_EQ(step_rip[1] - start, 5);
    EXPECT_EQ(step_rip[2] - start, 6);
    EXPECT_EQ(set_iopl(0), 0);
    xen_set_debugreg(6, 0xffff0ff0);
}

SUITE(emulation, 32, 0, TEST(refused), TEST(cli_and_sti), TEST(popf_fails_silently),
      TEST(ports_in_kernel), TEST(port_latches), TEST(ports_in_user),
      TEST(single_step_over_emulated));
