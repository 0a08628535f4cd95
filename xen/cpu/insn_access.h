/* What the execution of an instruction reads, through the segments that the guest has. */
#ifndef XEN_INSN_ACCESS_H
#define XEN_INSN_ACCESS_H

#include "xen/core/guest_access.h"
#include "xen/cpu/x86_insn.h"

/* Where the code segment is none of the ABI's, or the bytes not all there. */
unsigned fetch_insn_slowly(const struct vcpu *v, const struct cpu_user_regs *regs, uint8_t *bytes, enum cpu_mode *mode);

/* Up to 15 bytes of the instruction at regs->rip, fewer where the next page cannot be read or the code segment ends;
 * and how they are to be decoded. */
static inline unsigned fetch_insn(const struct vcpu *v, const struct cpu_user_regs *regs, uint8_t bytes[16],
                                  enum cpu_mode *mode)
{
    *mode = MODE_64;
    if (likely((regs->cs | 3) == FLAT_RING3_CS64 && guest_range_ok(regs->rip, 16) &&
               get_guest_words(bytes, regs->rip, 2)))
        return MAX_INSN;
    return fetch_insn_slowly(v, regs, bytes, mode);
}

/* The linear address of [offset, offset + bytes) in a segment (SEG_*) of current. 0; or the exception that the access
 * is, with an error code of 0. */
unsigned linear_address_slowly(const struct insn *in, unsigned segment, uint64_t offset, unsigned bytes, bool write,
                               uint64_t *va);
static inline unsigned linear_address(const struct insn *in, unsigned segment, uint64_t offset, unsigned bytes, bool write,
                                      uint64_t *va)
{
    *va = offset;
    return likely(in->mode == MODE_64 && segment < SEG_FS)
               ? 0 : linear_address_slowly(in, segment, offset, bytes, write, va);
}

#endif
