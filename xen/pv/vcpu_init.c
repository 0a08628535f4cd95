/* VCPUOP_initialise: sets the first state of another vCPU from a vcpu_guest_context of the
 * guest. Everything is checked before references are taken; if one of its frames (GDT,
 * page-table roots) is refused, those taken are dropped. Called by the generated dispatch; other
 * commands are in vcpu_op.c. */
#include "arch/arch.h"
#include "common/string.h"
#include "common/x86/flags.h"
#include "xen/core/domain.h"
#include "xen/core/guest_access.h"
#include "xen/core/lock.h"
#include "xen/core/sched.h"
#include "xen/core/sched_wake.h"
#include "xen/core/time.h"
#include "xen/cpu/debugreg.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/desc.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/mmuext.h"

#define WORK_PER_CONTEXT 6000u
#define MAX_LDT_ENTRIES 8192u
#define CR0_TS 8u

/* Bits of RFLAGS that the guest may choose: the same as for iret. */
#define FLAGS_REFUSED (FLAG_IOPL | FLAG_VM)

static int check_context(const struct vcpu_guest_context *c)
{
    const uint64_t addresses[] = {
        c->user_regs.rip,
        c->user_regs.rsp,
        c->kernel_sp,
        c->ldt_base,
        c->event_callback_eip,
        c->failsafe_callback_eip,
        c->syscall_callback_eip,
        c->fs_base,
        c->gs_base_kernel,
        c->gs_base_user,
    };

    for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++)
        if (!is_canonical(addresses[i]))
            return -EINVAL;
    for (unsigned i = 0; i < ARRAY_SIZE(c->trap_ctxt); i++)
        if (!is_canonical(c->trap_ctxt[i].address))
            return -EINVAL;
    if (c->ldt_ents > MAX_LDT_ENTRIES || c->gdt_ents > FIRST_RESERVED_GDT_ENTRY)
        return -EINVAL;
    /* Also checked if the LDT is empty. */
    if ((c->ldt_base & ~PAGE_MASK) || !guest_range_ok(c->ldt_base, 1))
        return -EINVAL;
    if (!(c->flags & VGCF_in_kernel) && c->ctrlreg[1] >> PAGE_SHIFT == 0)
        return -EINVAL;                 /* D3 */
    return 0;
}

/* Takes the references on the frames; on error all of them are dropped. */
static int get_frames(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct spinlock *lock = &v->domain->mm_lock;
    int rc;

    spin_lock(lock);
    rc = set_gdt(v, c->gdt_frames, (unsigned)c->gdt_ents);
    if (rc == 0)
        rc = new_guest_root(v, c->ctrlreg[3] >> PAGE_SHIFT);
    if (rc == 0 && c->ctrlreg[1] != 0)
        rc = new_user_root(v, c->ctrlreg[1] >> PAGE_SHIFT);
    if (rc != 0) {
        drop_roots(v);
        destroy_gdt(v);
    }
    spin_unlock(lock);
    return rc;
}

/* Selectors get RPL 3, the ring that a guest's kernel has; a selector without a descriptor
 * faults when it is loaded. */
static void set_registers(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct cpu_user_regs *regs = guest_regs(v);

    *regs = c->user_regs;
    regs->cs |= 3;
    regs->ss |= 3;
    regs->rflags = (uint32_t)((regs->rflags & ~(uint64_t)FLAGS_REFUSED) | FLAG_IF | FLAG_MBS);
    regs->error_code = regs->entry_vector = 0;
    v->iopl = (c->user_regs.rflags >> 12) & 3;
    v->sel_ds = c->user_regs.ds;
    v->sel_es = c->user_regs.es;
    v->sel_fs = c->user_regs.fs;
    v->sel_gs = c->user_regs.gs;
    v->base_fs = c->fs_base;
    v->base_gs_kernel = c->gs_base_kernel;
    v->base_gs_user = c->gs_base_user;
    v->ts = c->ctrlreg[0] & CR0_TS;
    v->cr4_guest = c->ctrlreg[4] & arch_cr4_guest_mask();
    for (unsigned i = 0; i < ARRAY_SIZE(c->debugreg); i++)
        if (i != 4 && i != 5)                           /* DR4 and DR5 stand for DR6 and DR7 */
            /* A register whose value is refused keeps its reset value. */
            guest_set_debugreg(v, i, c->debugreg[i]);
    if (c->flags & VGCF_i387_valid)
        arch_load_fpu_image(v, &c->fpu_ctxt);
}

static void set_entries(struct vcpu *v, const struct vcpu_guest_context *c)
{
    memcpy(v->traps, c->trap_ctxt, sizeof(v->traps));
    v->callback[CB_EVENT] = c->event_callback_eip;
    v->callback[CB_FAILSAFE] = c->failsafe_callback_eip;
    v->callback[CB_SYSCALL] = c->syscall_callback_eip;
    v->cb_masks_events = 1u << CB_EVENT;
    if (c->flags & VGCF_failsafe_disables_events)
        v->cb_masks_events |= 1u << CB_FAILSAFE;
    if (c->flags & VGCF_syscall_disables_events)
        v->cb_masks_events |= 1u << CB_SYSCALL;
    set_kernel_stack(v, c->kernel_sp);
    v->kernel_mode = (c->flags & VGCF_in_kernel) != 0;
    v->ldt_base = c->ldt_base;
    v->ldt_ents = (unsigned)c->ldt_ents;
}

static int initialise(struct vcpu *v, const struct vcpu_guest_context *c)
{
    int rc = check_context(c);

    if (rc == 0)
        rc = get_frames(v, c);
    v->initialising = rc == 0;
    if (rc != 0)
        return rc;
    set_registers(v, c);
    set_entries(v, c);
    time_update_vcpu(v);
    spin_lock(&v->domain->life_lock);
    v->initialised = true;
    if ((c->flags & VGCF_online) && v->domain->state == DOM_RUNNING)
        vcpu_start(v);
    spin_unlock(&v->domain->life_lock);
    vcpu_wake(v);
    return 0;
}

/* The context is on the hypervisor's stack (5 of its 16 KiB), so no memory has to be allocated.
 * -EEXIST: it was done before, or another vCPU is doing it. */
long vcpu_initialise(struct vcpu *v, const struct vcpu_guest_context *op)
{
    count_work(WORK_PER_CONTEXT);
    if (v->initialised || xchg(&v->initialising, true))
        return -EEXIST;
    return initialise(v, op);
}
