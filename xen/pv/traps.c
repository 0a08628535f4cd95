/* Handles faults in guest mode: one that the hypervisor caused is repaired, a privileged
 * instruction is emulated, and any other is delivered to the guest's trap table. Called by
 * arch/x86_64/fault.c with the vector. Delivery is in cpu/upcall.c, emulation in cpu/emulate.c. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/guest_access.h"
#include "xen/core/irqsoff.h"
#include "xen/core/sched.h"
#include "xen/cpu/control_regs.h"
#include "xen/cpu/emulate.h"
#include "xen/cpu/exceptions.h"
#include "xen/cpu/insn_access.h"
#include "xen/cpu/mov_ss.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/page_fault.h"
#include "xen/pv/ptwr.h"
#include "xen/pv/traps.h"

#define WORK_PER_GATE 40u
#define GATES_AT_ONCE 256u

#define OPCODE_INT 0xcd
#define INT_BYTES 2
#define VECTOR_INT_80 0x80

/* It may be a store to a page table. */
static inline bool is_for_ptwr(const struct vcpu *v, uint32_t code)
{
    return (code & (PF_PRESENT | PF_WRITE | PF_RESERVED | PF_FETCH)) == (PF_PRESENT | PF_WRITE) &&
           v->kernel_mode &&
           (v->domain->vm_assist & (1u << VMASST_TYPE_writable_pagetables));
}

static bool gate_is_open(const struct vcpu *v, unsigned vector)
{
    unsigned cpl = v->kernel_mode ? 1 : 3;

    return v->traps[vector].address != 0 && TI_GET_DPL(&v->traps[vector]) >= cpl;
}

static void not_open(struct vcpu *v, unsigned vector)
{
    inject_trap(v, TRAP_GP, vector * 8u + 2);
}

/* Its gate is open in ring 3; as on Xen, it is delivered whatever DPL the guest's table has for it.
 * Without a handler rip is to be at the instruction, of whose prefixes nothing is known, as on
 * Xen. */
static void int_80(struct vcpu *v, struct cpu_user_regs *regs)
{
    if (likely(v->traps[VECTOR_INT_80].address != 0)) {
        inject_software_interrupt(v, VECTOR_INT_80);
    } else {
        regs->rip -= INT_BYTES;
        not_open(v, VECTOR_INT_80);
    }
}

/* The #GP of another INT n: the IDT's gate does not allow it in ring 3. The vector is read from the
 * instruction, because some emulators give a wrong error code. The DPL of the guest's own gate
 * is compared with 1 for the guest kernel, and 3 for user mode. */
static bool software_interrupt(struct vcpu *v, struct cpu_user_regs *regs)
{
    uint8_t bytes[16], vector;
    enum cpu_mode mode;
    struct insn in;
    unsigned len;

    if (!(regs->error_code & 2) || (regs->error_code & 1))
        return false;
    len = fetch_insn(v, regs, bytes, &mode);
    /* If the code segment's descriptor is gone, the code is read as in a flat segment. */
    if (len < 2) {
        if (read_guest(bytes, regs->rip, 2) != 0)
            return false;
        len = 2;
    }
    if (!decode_insn(bytes, len, mode, &in) || in.opcode != OPCODE_INT)
        return false;
    vector = (uint8_t)in.imm;
    if (gate_is_open(v, vector)) {
        regs->rip = next_rip(&in, regs->rip);
        inject_software_interrupt(v, vector);
    } else {
        not_open(v, vector);
    }
    return true;
}

static void general_protection(struct vcpu *v, struct cpu_user_regs *regs)
{
    if (regs->error_code != 0) {
        if (software_interrupt(v, regs))
            return;
    } else if (emulate_privileged(v, regs) != NOT_OURS) {
        return;
    }
    inject_trap(v, TRAP_GP, regs->error_code);
}

static void invalid_opcode(struct vcpu *v, struct cpu_user_regs *regs)
{
    if (emulate_forced_cpuid(v, regs) == NOT_OURS)
        inject_trap(v, TRAP_UD, 0);
}

static void device_not_available(struct vcpu *v)
{
    guest_set_ts(v, false);         /* the guest's handler expects to find it clear */
    inject_trap(v, TRAP_NM, 0);
}

static void debug_trap(struct vcpu *v, struct cpu_user_regs *regs, uint64_t dr6)
{
    if (unlikely(v->work & WORK_HELD_DB))
        dr6 = release_held_trap(v, regs, dr6);
    else if (hold_debug_trap(v, regs, dr6))
        return;
    v->debugreg[6] |= dr6;
    inject_trap(v, TRAP_DB, 0);
}

/* A separate function, so that the usual traps do not save registers for it. */
static __attribute__((noinline)) void trap_instead_of_held(struct cpu_user_regs *regs,
                                                           unsigned vector, uint64_t address)
{
    drop_held_trap(current, regs);
    handle_guest_trap(regs, vector, address);
}

void handle_page_fault(struct cpu_user_regs *regs, uint64_t address)
{
    struct vcpu *v = current;
    unsigned before;

    if (unlikely(v->work & WORK_HELD_DB)) {
        trap_instead_of_held(regs, TRAP_PF, address);
        return;
    }
    before = irqsoff_begin(IRQSOFF_TRAP);
    if (is_for_ptwr(v, regs->error_code))
        ptwr_fault(v, regs, address);
    else
        other_page_fault(v, regs, address);
    irqsoff_end(before);
}

void handle_guest_trap(struct cpu_user_regs *regs, unsigned vector, uint64_t address)
{
    struct vcpu *v = current;
    unsigned before;

    if (vector == TRAP_PF) {
        handle_page_fault(regs, address);
        return;
    }
    if (unlikely(v->work & WORK_HELD_DB) && vector != TRAP_DB) {
        trap_instead_of_held(regs, vector, address);
        return;
    }
    before = irqsoff_begin(IRQSOFF_TRAP);
    switch (vector) {
    case TRAP_GP:
        general_protection(v, regs);
        break;
    case TRAP_UD:
        invalid_opcode(v, regs);
        break;
    case TRAP_NM:
        device_not_available(v);
        break;
    case TRAP_DB:
        debug_trap(v, regs, address);
        break;
    default:
        if (vector == VECTOR_INT_80)
            int_80(v, regs);
        else
            inject_trap(v, vector, regs->error_code);
    }
    irqsoff_end(before);
}

static long gates_set(unsigned n, long rc)
{
    count_work(n % GATES_AT_ONCE * WORK_PER_GATE);
    return rc;
}

/* traps: guest array of struct trap_info ended by an address of 0; NULL clears the whole table
 * (public/xen.h). The array may be of any length, with the same vector again. Entries before a
 * bad one stay set, as on Xen. */
long do_set_trap_table(uint64_t traps)
{
    struct vcpu *v = current;

    if (traps == 0) {
        for (unsigned i = 0; i < ARRAY_SIZE(v->traps); i++)
            v->traps[i] = (struct trap_info){ 0 };
        return 0;
    }
    for (unsigned n = 1;; n++, traps += sizeof(struct trap_info)) {
        struct trap_info ti;

        if (!guest_range_ok(traps, sizeof(ti)) || !get_guest_args(&ti, traps, 2))
            return gates_set(n, -EFAULT);
        if (ti.address == 0)
            return gates_set(n, 0);
        if (!is_canonical(ti.address))
            return gates_set(n, -EINVAL);
        v->traps[ti.vector] = ti;
        if (likely(n % GATES_AT_ONCE != 0))
            continue;
        preempt_after(GATES_AT_ONCE * WORK_PER_GATE);
        if (v->work & WORK_DOMAIN)
            return 0;           /* the domain has ended: no result is read */
    }
}
