/* Entering the guest kernel, and its return by iret: the hypervisor pushes a frame on the
 * kernel's stack ("bounce") for traps, events, callbacks and system calls, and continues at the
 * guest's handler. Which trap a fault becomes is decided in pv/traps.c. Called by pv/ and
 * emulate.c (inject_*) and by arch/ (system calls, failsafe, exit to the guest).
 * entry.S and iret.S have faster versions of handle_user_syscall and do_iret, which must give the
 * same results. Frames, lowest address first (iret: struct iret_context of
 * public/arch-x86/xen-x86_64.h):
 *
 *   bounce:   rcx  r11  [error code]  rip  cs | upcall mask << 32  rflags  rsp  ss
 *   failsafe: rcx  r11  ds  es  fs  gs  rip  cs | mask  rflags  rsp  ss
 *   iret:     rax  r11  rcx  flags  rip  cs  rflags  rsp  ss */
#include "arch/arch.h"
#include "common/trace_format.h"
#include "common/x86/flags.h"
#include "xen/core/domain.h"
#include "xen/core/guest_access.h"
#include "xen/core/irqsoff.h"
#include "xen/core/sched.h"
#include "xen/core/time.h"
#include "xen/core/trace.h"
#include "xen/core/vtimer.h"
#include "xen/cpu/exceptions.h"
#include "xen/cpu/mov_ss.h"
#include "xen/cpu/upcall.h"

#define DR6_BS 0x4000u
#define MAX_FRAME_WORDS 11u
#define FLAGS_CLEARED_FOR_HANDLER                                                               \
    (FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | FLAG_AC | FLAG_IOPL)

static const uint32_t has_error_code = 1u << 8 | 1u << TRAP_TS | 1u << TRAP_NP | 1u << TRAP_SS |
                                       1u << TRAP_GP | 1u << TRAP_PF | 1u << TRAP_AC | 1u << 21;

static bool arch_iopl(const struct vcpu *v)
{
    return v->domain->vm_assist & (1u << VMASST_TYPE_architectural_iopl);
}

static void set_mode(struct vcpu *v, bool kernel)
{
    v->kernel_mode = kernel;
    arch_swap_gs();
    arch_load_root(v);
}

/* Pushes the words of a frame below sp; false: that stack memory cannot be written. */
static bool push_frame(struct vcpu *v, const struct cpu_user_regs *regs, uint64_t sp,
                       bool from_kernel, const uint64_t *extra, unsigned nr)
{
    uint64_t mask = v->info->evtchn_upcall_mask != 0;
    uint64_t cs = (from_kernel ? regs->cs & ~3u : regs->cs) | mask << 32;
    uint64_t flags = (regs->rflags & ~(uint64_t)(FLAG_IF | FLAG_IOPL)) |
                     (mask ? 0 : FLAG_IF) |
                     (unlikely(arch_iopl(v)) ? (uint64_t)v->iopl << 12 : 0);

    if (!put_guest_word(sp - 8, regs->ss | 3u) || !put_guest_word(sp - 16, regs->rsp) ||
        !put_guest_word(sp - 24, flags) || !put_guest_word(sp - 32, cs) ||
        !put_guest_word(sp - 40, regs->rip))
        return false;
    for (sp -= 48; nr > 0; sp -= 8)
        if (!put_guest_word(sp, extra[--nr]))
            return false;
    return put_guest_word(sp, regs->r11) && put_guest_word(sp - 8, regs->rcx);
}

/* Enters the kernel at handler. The frame has `extra` (nr words, lowest first) between r11 and
 * rip. Crashes the domain if the frame cannot be written. */
static void bounce(struct vcpu *v, uint64_t handler, const uint64_t *extra, unsigned nr,
                   bool mask_events)
{
    struct cpu_user_regs *regs = guest_regs(v);
    bool from_kernel = v->kernel_mode;
    uint64_t sp = from_kernel ? regs->rsp : v->kernel_sp;

    if (unlikely(handler == 0)) {
        domain_crash(v->domain, "no handler registered");
        return;
    }
    if (!from_kernel)
        set_mode(v, true);
    sp &= ~15ull;
    if (unlikely(!guest_range_ok(sp - 8 * MAX_FRAME_WORDS, 1) || !guest_range_ok(sp - 1, 1) ||
                 !push_frame(v, regs, sp, from_kernel, extra, nr))) {
        domain_crash(v->domain, "kernel stack %lx cannot take a frame", sp);
        return;
    }
    regs->rsp = sp - 8 * (7 + nr);
    regs->rip = handler;
    regs->cs = FLAT_KERNEL_CS64;
    regs->ss = FLAT_KERNEL_SS64;
    regs->rflags &= ~(uint64_t)FLAGS_CLEARED_FOR_HANDLER;
    if (mask_events)
        v->info->evtchn_upcall_mask = 1;
}

static void inject(struct vcpu *v, unsigned vector, bool with_code, uint32_t error_code)
{
    const struct trap_info *ti = &v->traps[vector];
    uint64_t code = error_code;

    if (vector != TRAP_PF)
        TRACE(TRACE_TRAP, TRC_PV_TRAP | TRC_64_FLAG, W64(guest_regs(v)->rip),
              vector | (uint32_t)with_code << 15 | error_code << 16);
    if (unlikely(ti->address == 0)) {
        domain_crash(v->domain, "Unhandled: vec %u[%04x]", vector, error_code);
        return;
    }
    bounce(v, ti->address, &code, with_code, TI_GET_IF(ti) != 0);
}

void inject_trap(struct vcpu *v, unsigned vector, uint32_t error_code)
{
    inject(v, vector, vector < 32 && (has_error_code >> vector & 1), error_code);
}

void inject_software_interrupt(struct vcpu *v, unsigned vector)
{
    inject(v, vector, false, 0);
}

void inject_page_fault(struct vcpu *v, uint64_t va, uint32_t error_code)
{
    v->cr2 = va;
    v->info->arch.cr2 = va;
    error_code = (error_code & ~4u) | (v->kernel_mode ? 0 : 4);
    TRACE(TRACE_TRAP, TRC_PV_PAGE_FAULT | TRC_64_FLAG, W64(guest_regs(v)->rip), W64(va),
          error_code);
    inject_trap(v, TRAP_PF, error_code);
}

void debug_after_instruction(struct vcpu *v, const struct cpu_user_regs *regs, uint64_t dr6)
{
    v->debugreg[6] |= dr6 | (regs->rflags & FLAG_TF ? DR6_BS : 0);
    inject_trap(v, TRAP_DB, 0);
}

static bool callback_masks(const struct vcpu *v, enum callback cb)
{
    return v->cb_masks_events >> cb & 1;
}

/* An NMI for a guest without a handler for it is dropped. */
static void deliver_nmi(struct vcpu *v)
{
    done_work(v, WORK_NMI);
    if (v->traps[TRAP_NMI].address == 0)
        return;
    v->nmi_blocked = true;
    v->iret_slow = 1;
    inject_trap(v, TRAP_NMI, 0);
}

static void deliver_events(struct vcpu *v)
{
    if (unlikely(v->work & WORK_HELD_DB)) {
        if (is_held_at(v, guest_regs(v)))
            /* No upcall between MOV SS and the next instruction. */
            return;
        drop_held_trap(v, guest_regs(v));   /* the instruction after MOV SS was a hypercall */
    }
    if (unlikely(v->work & WORK_FAILSAFE)) {
        v->own_work &= (uint16_t)~WORK_FAILSAFE;
        handle_failsafe(v, v->sel_ds, v->sel_es, v->sel_fs, v->sel_gs);
    }
    if ((v->work & WORK_NMI) && !v->nmi_blocked)
        deliver_nmi(v);
    if (upcall_due(v)) {
        TRACE(TRACE_EVENT, TRC_PARAGON_UPCALL, W64(v->callback[CB_EVENT]));
        bounce(v, v->callback[CB_EVENT], NULL, 0, true);
    }
}

/* SYSCALL from user mode: the CPU put rip and rflags into rcx and r11, which the frame needs.
 * Without a callback the guest gets #UD, with rip on the SYSCALL. In the callback DF is clear;
 * the frame has it as it was. CALLBACKF_mask_events of the 64-bit callback counts for the 32-bit
 * one, too, as on Xen. */
static void syscall_bounce(struct vcpu *v, enum callback cb, uint16_t cs)
{
    struct cpu_user_regs *regs = guest_regs(v);

    if (unlikely(v->work & WORK_HELD_DB)) {
        drop_held_trap(v, regs);
        regs->r11 = regs->rflags;
    }
    regs->cs = cs;
    if (v->callback[cb] == 0) {
        regs->rip -= 2;
        inject_trap(v, TRAP_UD, 0);
        return;
    }
    bounce(v, v->callback[cb], NULL, 0, callback_masks(v, CB_SYSCALL));
    regs->rflags &= ~(uint64_t)FLAG_DF;
}

void handle_user_syscall(struct vcpu *v)
{
    syscall_bounce(v, CB_SYSCALL, FLAT_KERNEL_CS64);
}

void handle_syscall32(struct vcpu *v)
{
    syscall_bounce(v, CB_SYSCALL32, FLAT_USER_CS32);
}

/* SYSENTER saves neither rip nor rsp; the guest's kernel and its user code must have agreed on
 * them. */
void handle_sysenter(struct vcpu *v)
{
    struct cpu_user_regs *regs = guest_regs(v);

    if (unlikely(v->work & WORK_HELD_DB))
        drop_held_trap(v, regs);
    regs->rip = 0;
    regs->rsp = 0;
    regs->cs = 3;
    if (v->callback[CB_SYSENTER] == 0)
        inject_trap(v, TRAP_GP, 0);
    else
        bounce(v, v->callback[CB_SYSENTER], NULL, 0, callback_masks(v, CB_SYSENTER));
}

void handle_failsafe(struct vcpu *v, uint16_t ds, uint16_t es, uint16_t fs, uint16_t gs)
{
    const uint64_t selectors[4] = { ds, es, fs, gs };

    bounce(v, v->callback[CB_FAILSAFE], selectors, 4, callback_masks(v, CB_FAILSAFE));
}

struct iret_frame {
    uint64_t rax, r11, rcx, flags, rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct iret_frame) == sizeof(struct iret_context),
               "public/arch-x86/xen-x86_64.h");

/* Returns the guest's rax, which the exit to the guest loads. That exit must use IRET, because
 * the guest chose its selectors. */
long do_iret(void)
{
    struct vcpu *v = current;
    struct cpu_user_regs *regs = guest_regs(v);
    struct iret_frame f;

    if (copy_from_guest(&f, regs->rsp, sizeof(f)) != 0) {
        domain_crash(v->domain, "iret frame at %lx cannot be read", regs->rsp);
        return 0;
    }
    if ((f.cs & 3) == 3) {
        if (v->root_user == 0) {
            domain_crash(v->domain, "guest IRET to user mode with no user pagetables loaded");
            return 0;
        }
        set_mode(v, false);
    }
    if (arch_iopl(v))
        v->iopl = (f.rflags >> 12) & 3;
    regs->rip = f.rip;
    regs->cs = (uint16_t)(f.cs | 3);
    regs->rflags = (f.rflags & ~(uint64_t)(FLAG_IOPL | FLAG_VM)) | FLAG_IF | FLAG_MBS;
    regs->rsp = f.rsp;
    regs->ss = (uint16_t)(f.ss | 3);
    /* With the flag: as SYSRET leaves them. The frame has what a trap found in them some time ago,
     * perhaps in the kernel, and user mode must not see that. */
    regs->r11 = f.flags & VGCF_in_syscall ? regs->rflags : f.r11;
    regs->rcx = f.flags & VGCF_in_syscall ? regs->rip : f.rcx;
    v->nmi_blocked = false;
    /* Others make one of these true first, and then set it: not lost, as the store comes before. */
    (void)xchg(&v->iret_slow, 0);
    if (arch_iopl(v) || READ_ONCE(v->domain->linear_tables))
        v->iret_slow = 1;
    v->info->evtchn_upcall_mask = !(f.rflags & FLAG_IF);
    v->own_work = (uint16_t)((v->own_work & ~WORK_HELD_DB) | WORK_IRET);
    return (long)f.rax;
}

void exit_to_guest_work(void)
{
    unsigned before = irqsoff_begin(IRQSOFF_EXIT);
    struct vcpu *v = current;

    for (;;) {
        uint32_t work = READ_ONCE(v->work) & (WORK_RESCHED | WORK_PUBLISH | WORK_DOMAIN |
                                              WORK_TIME | WORK_STOP | WORK_TIMERS);

        if (work == 0)
            break;
        v->own_work &= (uint16_t)~(WORK_RESCHED | WORK_PUBLISH);
        if (work & (WORK_TIME | WORK_STOP | WORK_TIMERS))       /* none that came since */
            done_work(v, work & (WORK_TIME | WORK_STOP | WORK_TIMERS));
        if (work & WORK_DOMAIN)
            domain_exit_work();
        if (work & WORK_TIMERS)
            vcpu_timers_work();
        if (work & (WORK_RESCHED | WORK_STOP))
            schedule_at_exit();
        if (work & (WORK_PUBLISH | WORK_TIME))
            runstate_publish(v);
    }
    v->own_work &= (uint16_t)~WORK_IRET;
    deliver_events(v);
    if (v->work & WORK_DOMAIN)      /* the domain crashed, for the frame could not be written */
        domain_exit_work();
    irqsoff_end(before);
}
