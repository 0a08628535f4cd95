/* Data breakpoints on the operand of MOV SS and POP SS. These instructions hold back debug traps
 * until the next one is done, so that a stack can be switched in two steps. Some emulators
 * (QEMU's TCG) do not: their #DB comes one instruction early. On such a CPU, found at boot
 * (arch_db_is_early), that #DB is held here, and the next instruction runs under TF:
 *
 *   it ends in the #DB of that TF         the guest gets its #DB now, with what both have to say
 *   it enters the hypervisor otherwise    SYSCALL, INT 3, INT n, a fault: a CPU that holds the
 *                                         trap back raises it on the hypervisor's first instruction,
 *                                         where it is dropped; so it is dropped here
 *
 * TF is ours unless the guest had it set itself, and may be seen nowhere: not in frames, not in
 * what SYSCALL or PUSHF store. While a trap is held, WORK_HELD_DB keeps entries and exits off
 * the ways that do not look. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/guest_access.h"
#include "xen/cpu/debugreg.h"
#include "xen/cpu/exceptions.h"
#include "xen/cpu/insn_access.h"
#include "xen/cpu/mov_ss.h"

#define DR6_BREAKPOINTS 0xfull
#define DR6_BS 0x4000ull
#define OPCODE_POP_SS 0x17
#define OPCODE_MOV_SREG 0x8e
#define OPCODE_PUSHF 0x9c
#define OPCODE_POPF 0x9d
#define SREG_SS 2u

/* The instruction of length bytes that ends at regs->rip; at becomes the registers that it began
 * with, as far as addresses need them. */
static bool decode_backwards(const struct vcpu *v, struct cpu_user_regs *at, unsigned length,
                             struct insn *in)
{
    uint8_t bytes[16];
    enum cpu_mode mode;

    at->rip -= length;
    return fetch_insn(v, at, bytes, &mode) >= length && decode_insn(bytes, length, mode, in) &&
           in->length == length;
}

/* Where the instruction found its new SS; false: it is none that loads SS from memory. */
static bool ss_operand(const struct insn *in, const struct cpu_user_regs *at, uint64_t *va)
{
    if (in->opcode == OPCODE_MOV_SREG && (in->modrm >> 3 & 7) == SREG_SS && in->memory)
        return linear_address(in, operand_segment(in), operand_offset(in, saved_regs(at)), 2, false,
                              va) == 0;
    return in->opcode == OPCODE_POP_SS &&
           linear_address(in, SEG_SS, (uint32_t)(at->rsp - in->op_bytes), 2, false, va) == 0;
}

/* Prefixes make more than one length possible; the operand decides. */
static bool loaded_ss_from(const struct vcpu *v, const struct cpu_user_regs *regs,
                           uint64_t breakpoints)
{
    for (unsigned length = 1; length <= MAX_INSN; length++) {
        struct cpu_user_regs at = *regs;
        struct insn in;
        uint64_t va;

        if (decode_backwards(v, &at, length, &in) && ss_operand(&in, &at, &va) &&
            (data_breakpoints_hit(v, va, 2) & breakpoints))
            return true;
    }
    return false;
}

bool hold_debug_trap(struct vcpu *v, struct cpu_user_regs *regs, uint64_t dr6)
{
    if (!arch_db_is_early() || !(dr6 & DR6_BREAKPOINTS) ||
        !loaded_ss_from(v, regs, dr6 & DR6_BREAKPOINTS))
        return false;
    v->held_dr6 = dr6;
    v->held_rip = regs->rip;
    v->held_tf = regs->rflags & EFLAGS_TF;
    regs->rflags |= EFLAGS_TF;
    v->work |= WORK_HELD_DB;
    return true;
}

bool is_held_at(const struct vcpu *v, const struct cpu_user_regs *regs)
{
    return regs->rip == v->held_rip;
}

void drop_held_trap(struct vcpu *v, struct cpu_user_regs *regs)
{
    v->work &= ~WORK_HELD_DB;
    if (!v->held_tf)
        regs->rflags &= ~(uint64_t)EFLAGS_TF;
}

/* PUSHF stored our TF. */
static void clear_pushed_tf(const struct insn *in, const struct cpu_user_regs *regs)
{
    uint16_t flags;
    uint64_t va;

    if (linear_address(in, SEG_SS, in->mode == MODE_64 ? regs->rsp : (uint32_t)regs->rsp, 2, true,
                       &va) != 0 ||
        read_guest(&flags, va, sizeof(flags)) != 0)
        return;
    flags &= (uint16_t)~EFLAGS_TF;
    /* the page is gone by now: then nobody reads it */
    (void)write_guest(va, &flags, sizeof(flags));
}

uint64_t release_held_trap(struct vcpu *v, struct cpu_user_regs *regs, uint64_t dr6)
{
    struct cpu_user_regs at = *regs;
    uint8_t bytes[16];
    enum cpu_mode mode;
    unsigned len;
    struct insn in;

    v->work &= ~WORK_HELD_DB;
    dr6 |= v->held_dr6;
    if (v->held_tf)
        return dr6;
    at.rip = v->held_rip;
    len = fetch_insn(v, &at, bytes, &mode);
    if (!decode_insn(bytes, len, mode, &in))
        in = (struct insn){ 0 };
    if (in.opcode == OPCODE_PUSHF)
        clear_pushed_tf(&in, regs);
    if (in.opcode != OPCODE_POPF && in.op != OP_IRET)       /* those brought flags of their own */
        regs->rflags &= ~(uint64_t)EFLAGS_TF;
    return dr6 & ~DR6_BS;
}
