/* Faults, called by traps.S. Traps of a guest are xen/pv/traps.c's; here are those in ring 0. If
 * the instruction is in the exception table (an access to guest memory, the IRET to a guest),
 * execution continues at its fixup; otherwise it is a panic. NMI and machine check are nmi.c's. */
#include "common/x86/flags.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/efi_runtime.h"
#include "arch/x86_64/fault.h"
#include "arch/x86_64/frame_memory.h"
#include "arch/x86_64/segments.h"
#include "xen/core/bug.h"
#include "xen/core/domain.h"
#include "xen/core/log.h"
#include "xen/cpu/exceptions.h"
#include "xen/cpu/mov_ss.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/desc.h"
#include "xen/pv/traps.h"

#define PF_PRESENT 1u

struct extable_entry {
    int32_t from, to, fixup;        /* relative to their own address */
};
extern const struct extable_entry __extable_start[], __extable_end[];
extern char do_iretq[], iret_failed[], sysenter_entry[], sysenter_flags_saved[];

/* What is below the frame of an IRET that failed: error code and vector, of the guest's frame. The
 * CPU has aligned the stack before it pushed the fault's own frame, which therefore begins below
 * this word. */
struct iret_frame {
    uint64_t why;
};
_Static_assert((offsetof(struct cpu_user_regs, es) - offsetof(struct cpu_user_regs, rip)) % 16 == 8,
               "&regs.es is a multiple of 16");

uint64_t last_hypervisor_db;

void handle_hypervisor_trap(struct cpu_user_regs *regs);
void handle_iret_fault(struct cpu_user_regs *regs, unsigned vector);
void handle_guest_db(struct cpu_user_regs *regs);
void handle_hypervisor_db(struct cpu_user_regs *regs);
void handle_double_fault(struct cpu_user_regs *regs);

static uint64_t find_fixup(uint64_t rip)
{
    for (const struct extable_entry *e = __extable_start; e < __extable_end; e++)
        if (rip >= (uint64_t)&e->from + (uint64_t)(int64_t)e->from &&
            rip < (uint64_t)&e->to + (uint64_t)(int64_t)e->to)
            return (uint64_t)&e->fixup + (uint64_t)(int64_t)e->fixup;
    return 0;
}

static uint64_t read_cr2(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr2, %0" : "=r"(v));
    return v;
}

static void show_registers(const struct cpu_user_regs *r)
{
    const struct vcpu *v = running_vcpu();

    log_error("RIP:    %04x:[<%016lx>]", r->cs, r->rip);
    log_error("RFLAGS: %016lx   vector %u [%04x]   cr2 %016lx cr3 %016lx", r->rflags,
              r->entry_vector, r->error_code, read_cr2(), read_cr3());
    log_error("rax: %016lx   rbx: %016lx   rcx: %016lx", r->rax, r->rbx, r->rcx);
    log_error("rdx: %016lx   rsi: %016lx   rdi: %016lx", r->rdx, r->rsi, r->rdi);
    log_error("rbp: %016lx   rsp: %016lx   r8:  %016lx", r->rbp, r->rsp, r->r8);
    log_error("r9:  %016lx   r10: %016lx   r11: %016lx", r->r9, r->r10, r->r11);
    log_error("r12: %016lx   r13: %016lx   r14: %016lx", r->r12, r->r13, r->r14);
    if (v != NULL)
        log_error("r15: %016lx   current: d%uv%u", r->r15, v->domain->id, v->id);
    else
        log_error("r15: %016lx   current: none", r->r15);
}

_Noreturn void fatal_trap(const struct cpu_user_regs *regs, const char *why)
{
    bool whole = panic_begin();

    if (whole)
        show_registers(regs);
    panic_end(whole, "FATAL TRAP: vector = %u, %s", regs->entry_vector, why);
}

/* LDT pages are mapped at first use, which may be in ring 0: when a selector is loaded for the
 * guest, or at its IRET. */
static bool map_ldt_page(void)
{
    int64_t offset = arch_ldt_window_offset(current, read_cr2());

    return offset >= 0 && map_ldt_fault(current, (uint64_t)offset);
}

/* A trap in ring 0. The first access to a part of the frame table or the M2P is repeated when that
 * is mapped. A failed access to guest memory continues at its fixup. A fault of the IRET to
 * a guest becomes a trap of that guest. Anything else is a bug of the hypervisor. */
void handle_hypervisor_trap(struct cpu_user_regs *regs)
{
    uint64_t fixup;

    if (regs->entry_vector == TRAP_PF && !(regs->error_code & PF_PRESENT) &&
        frame_memory_fault(read_cr2()))
        return;
    fixup = regs->rip == (uint64_t)do_iretq ? (uint64_t)iret_failed : find_fixup(regs->rip);
    if (fixup != 0 && regs->entry_vector == TRAP_PF && map_ldt_page())
        return;
    if (fixup == 0)
        fatal_trap(regs, efi_runtime_entered ? "in the firmware's runtime services"
                                             : "in the hypervisor");
    if (fixup == (uint64_t)iret_failed)
        ((struct iret_frame *)regs->rsp - 1)->why =
            regs->error_code | (uint64_t)regs->entry_vector << 32;
    regs->rip = fixup;
}

/* Called by iret_failed, which has rebuilt the guest's frame. The guest chose the selectors or
 * address that faulted. */
void handle_iret_fault(struct cpu_user_regs *regs, unsigned vector)
{
    struct vcpu *v = current;

    if (unlikely(v->work & WORK_HELD_DB))
        drop_held_trap(v, regs);
    if (vector == TRAP_PF)      /* at the frame, or at a descriptor window */
        handle_guest_trap(regs, vector, read_cr2());
    else
        inject_trap(v, vector, regs->error_code);
}

void handle_guest_db(struct cpu_user_regs *regs)
{
    uint64_t dr6;

    __asm__ volatile("mov %%db6, %0" : "=r"(dr6));
    __asm__ volatile("mov %0, %%db6" : : "r"(0xffff0ff0ul));
    handle_guest_trap(regs, TRAP_DB, dr6 & 0xe00f);
}

/* A #DB in ring 0, which only a guest can cause, by its breakpoints or TF. TF is cleared, so that
 * it does not come again; except right after SYSENTER, which does not clear TF: there it must stay
 * until the flags are saved in the guest's frame, and a #DB comes after each of the few
 * instructions. */
void handle_hypervisor_db(struct cpu_user_regs *regs)
{
    last_hypervisor_db = regs->rip;
    if (regs->rip < (uint64_t)sysenter_entry || regs->rip >= (uint64_t)sysenter_flags_saved)
        regs->rflags &= ~(uint64_t)FLAG_TF;
    __asm__ volatile("mov %0, %%db6" : : "r"(0xffff0ff0ul));
}

void handle_double_fault(struct cpu_user_regs *regs)
{
    fatal_trap(regs, "double fault");
}
