/* Reading a guest's instruction and addressing its operands: insn_access.c. */
#ifndef XEN_INSN_ACCESS_H
#define XEN_INSN_ACCESS_H

#include "arch/arch.h"
#include "common/x86/address.h"
#include "xen/core/domain.h"

/* A guest's saved registers in the order of common/x86. Inline, so that the compiler knows the
 * offset of a register that is named by a constant. */
#define PLACE_OF(reg) offsetof(struct cpu_user_regs, reg) / 8
static const uint8_t places_of_saved_regs[] = {
    PLACE_OF(rax),
    PLACE_OF(rcx),
    PLACE_OF(rdx),
    PLACE_OF(rbx),
    PLACE_OF(rsp),
    PLACE_OF(rbp),
    PLACE_OF(rsi),
    PLACE_OF(rdi),
    PLACE_OF(r8),
    PLACE_OF(r9),
    PLACE_OF(r10),
    PLACE_OF(r11),
    PLACE_OF(r12),
    PLACE_OF(r13),
    PLACE_OF(r14),
    PLACE_OF(r15),
    [REG_RIP] = PLACE_OF(rip),
    [REG_RFLAGS] = PLACE_OF(rflags),
};
#undef PLACE_OF
static inline struct x86_regs saved_regs(const struct cpu_user_regs *regs)
{
    return (struct x86_regs){ (uint64_t *)(uintptr_t)regs, places_of_saved_regs };
}

/* The case that the code segment is not one of the ABI's, or that not all bytes can be read. */
unsigned fetch_insn_slowly(const struct vcpu *v, const struct cpu_user_regs *regs, uint8_t *bytes,
                           enum cpu_mode *mode);

/* Copies up to 15 bytes of the instruction at regs->rip: fewer if the next page cannot be read
 * or the code segment ends. *mode: the mode to decode them in. Returns the number of bytes. */
static inline unsigned fetch_insn(const struct vcpu *v, const struct cpu_user_regs *regs,
                                  uint8_t bytes[16], enum cpu_mode *mode)
{
    *mode = MODE_64;
    if (likely((regs->cs | 3) == FLAT_RING3_CS64 && guest_range_ok(regs->rip, 16) &&
               get_guest_words(bytes, regs->rip, 2)))
        return MAX_INSN;
    return fetch_insn_slowly(v, regs, bytes, mode);
}

/* *va: the linear address of [offset, offset + bytes) in a segment (SEG_*) of current. Returns
 * 0, or the vector of the exception that this access raises, whose error code is 0. */
unsigned linear_address_slowly(const struct insn *in, unsigned segment, uint64_t offset,
                               unsigned bytes, bool write, uint64_t *va);
static inline unsigned linear_address(const struct insn *in, unsigned segment, uint64_t offset,
                                      unsigned bytes, bool write, uint64_t *va)
{
    *va = offset;
    return likely(in->mode == MODE_64 && segment < SEG_FS)
               ? 0 : linear_address_slowly(in, segment, offset, bytes, write, va);
}

#endif
