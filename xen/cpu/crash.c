/* Prints the registers and the top of the stack of a guest that crashed, in Xen's format, which
 * scripts may parse. Called by domain_exit_work() (core/domain.c) through a hook. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/guest_access.h"
#include "xen/core/log.h"
#include "xen/core/sched.h"
#include "xen/core/trace_show.h"
#include "xen/cpu/control_regs.h"
#include "xen/cpu/crash.h"

static void dump_stack(const struct cpu_user_regs *regs)
{
    log_error("Guest stack trace from rsp=%016lx:", regs->rsp);
    for (unsigned row = 0; row < 6; row++) {
        uint64_t w[4];

        if (read_guest(w, regs->rsp + row * sizeof(w), sizeof(w)) != 0) {
            log_error("  Fault while accessing guest memory.");
            return;
        }
        log_error("  %016lx %016lx %016lx %016lx", w[0], w[1], w[2], w[3]);
    }
}

static void dump_code(const struct cpu_user_regs *regs)
{
    uint8_t code[16];

    if (read_guest(code, regs->rip, sizeof(code)) == 0)
        log_error("code: <%02x> %02x %02x %02x %02x %02x %02x %02x %02x %02x %02x %02x %02x %02x "
                  "%02x %02x",
                  code[0], code[1], code[2], code[3], code[4], code[5], code[6], code[7], code[8],
                  code[9], code[10], code[11], code[12], code[13], code[14], code[15]);
}

/* v == current, on its way to the guest, so all of its registers are in guest_regs(v). */
void domain_dump(struct vcpu *v)
{
    const struct cpu_user_regs *r = guest_regs(v);
    struct domain *d = v->domain;

    if (d->crash_reason[0] != '\0')
        log_error("d%uv%u: %s", d->id, v->id, d->crash_reason);
    log_error("Domain %u (vcpu#%u) crashed on cpu#%u:", d->id, v->id, v->cpu->id);
    log_error("RIP:    %04x:[<%016lx>]", r->cs, r->rip);
    log_error("RFLAGS: %016lx   EM: %d   CONTEXT: pv guest (d%uv%u) %s mode", r->rflags,
              !!v->info->evtchn_upcall_mask, d->id, v->id, v->kernel_mode ? "kernel" : "user");
    log_error("rax: %016lx   rbx: %016lx   rcx: %016lx", r->rax, r->rbx, r->rcx);
    log_error("rdx: %016lx   rsi: %016lx   rdi: %016lx", r->rdx, r->rsi, r->rdi);
    log_error("rbp: %016lx   rsp: %016lx   r8:  %016lx", r->rbp, r->rsp, r->r8);
    log_error("r9:  %016lx   r10: %016lx   r11: %016lx", r->r9, r->r10, r->r11);
    log_error("r12: %016lx   r13: %016lx   r14: %016lx", r->r12, r->r13, r->r14);
    log_error("r15: %016lx   cr4: %016lx   cr2: %016lx", r->r15, guest_read_cr4(v), v->cr2);
    log_error("cr3: %016lx   user cr3: %016lx   cs: %04x   ss: %04x", v->root_kernel, v->root_user,
              r->cs, r->ss);
    dump_code(r);
    dump_stack(r);
    trace_show();
}
