/* Data breakpoints on the memory operand of MOV SS and POP SS. On a CPU their #DB is raised only
 * after the next instruction (SDM vol. 3, 6.8.3), so that SS and RSP can be changed together.
 * Some emulators (QEMU's TCG) raise it one instruction early. Where arch_db_is_early() found
 * this at boot, the #DB is held back here, and the next instruction runs with TF set. Called by
 * pv/traps.c for each #DB, and by arch/ and upcall.c at other entries and exits while a #DB is
 * held. Then either:
 *
 *   that instruction ends in the #DB of TF   the guest gets one #DB, with the DR6 bits of both
 *   it enters the hypervisor otherwise       (SYSCALL, INT 3, INT n, a fault): the held #DB is
 *                                            dropped. A CPU would raise it on the first instruction
 *                                            of the hypervisor, where it is dropped, too.
 *
 * If the guest did not set TF itself it must not see it: not in bounce frames, nor in what
 * SYSCALL or PUSHF store. While a #DB is held, WORK_HELD_DB makes entries and exits take the
 * slow paths, which check for it. */
#include "arch/arch.h"
#include "common/x86/flags.h"
#include "xen/core/domain.h"
#include "xen/core/guest_access.h"
#include "xen/cpu/debugreg.h"
#include "xen/cpu/insn_access.h"
#include "xen/cpu/mov_ss.h"

#define DR6_BREAKPOINTS 0xfull
#define DR6_BS 0x4000ull
#define OPCODE_POP_SS 0x17
#define OPCODE_MOV_SREG 0x8e
#define OPCODE_PUSHF 0x9c
#define OPCODE_POPF 0x9d
#define SREG_SS 2u

/* Decodes the instruction of length bytes that ends at regs->rip. at: set to the registers
 * before it, as far as its addresses depend on them. */
static bool decode_backwards(const struct vcpu *v, struct cpu_user_regs *at, unsigned length,
                             struct insn *in)
{
    uint8_t bytes[16];
    enum cpu_mode mode;

    at->rip -= length;
    return fetch_insn(v, at, bytes, &mode) >= length && decode_insn(bytes, length, mode, in) &&
           in->length == length;
}

/* *va: the address from which the instruction loaded SS; false: it does not load SS from memory. */
static bool ss_operand(const struct insn *in, const struct cpu_user_regs *at, uint64_t *va)
{
    if (in->opcode == OPCODE_MOV_SREG && (in->modrm >> 3 & 7) == SREG_SS && in->memory)
        return linear_address(in, operand_segment(in), operand_offset(in, saved_regs(at)), 2, false,
                              va) == 0;
    return in->opcode == OPCODE_POP_SS &&
           linear_address(in, SEG_SS, (uint32_t)(at->rsp - in->op_bytes), 2, false, va) == 0;
}

/* Only the end of the instruction is known. Several lengths may decode, because of prefixes: it
 * is the one whose operand is at the breakpoint. */
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
    v->held_tf = regs->rflags & FLAG_TF;
    regs->rflags |= FLAG_TF;
    v->own_work |= WORK_HELD_DB;
    return true;
}

bool is_held_at(const struct vcpu *v, const struct cpu_user_regs *regs)
{
    return regs->rip == v->held_rip;
}

void drop_held_trap(struct vcpu *v, struct cpu_user_regs *regs)
{
    v->own_work &= (uint16_t)~WORK_HELD_DB;
    if (!v->held_tf)
        regs->rflags &= ~(uint64_t)FLAG_TF;
}

/* PUSHF stored the TF that the hypervisor had set: clear it in guest memory. */
static void clear_pushed_tf(const struct insn *in, const struct cpu_user_regs *regs)
{
    uint16_t flags;
    uint64_t va;

    if (linear_address(in, SEG_SS, in->mode == MODE_64 ? regs->rsp : (uint32_t)regs->rsp, 2, true,
                       &va) != 0 ||
        read_guest(&flags, va, sizeof(flags)) != 0)
        return;
    flags &= (uint16_t)~FLAG_TF;
    /* Fails only if the guest has unmapped the page meanwhile. */
    (void)write_guest(va, &flags, sizeof(flags));
}

uint64_t release_held_trap(struct vcpu *v, struct cpu_user_regs *regs, uint64_t dr6)
{
    struct cpu_user_regs at = *regs;
    uint8_t bytes[16];
    enum cpu_mode mode;
    unsigned len;
    struct insn in;

    v->own_work &= (uint16_t)~WORK_HELD_DB;
    dr6 |= v->held_dr6;
    if (v->held_tf)
        return dr6;
    at.rip = v->held_rip;
    len = fetch_insn(v, &at, bytes, &mode);
    if (!decode_insn(bytes, len, mode, &in))
        in = (struct insn){ 0 };
    if (in.opcode == OPCODE_PUSHF)
        clear_pushed_tf(&in, regs);
    if (in.opcode != OPCODE_POPF && in.op != OP_IRET) /* these two loaded the guest's own flags */
        regs->rflags &= ~(uint64_t)FLAG_TF;
    return dr6 & ~DR6_BS;
}
