/* Reads the bytes of a guest's instruction and computes the linear addresses of its operands,
 * with the guest's segments. In 64-bit code only FS and GS have a base. In other code base and
 * limit come from the descriptor table as it is now, because the hidden part of a segment
 * register cannot be read. Decoding is in common/x86. Called by emulate.c, ioport.c and mov_ss.c
 * here and by ptwr.c and traps.c in pv/. */
#include "arch/arch.h"
#include "common/string.h"
#include "xen/core/domain.h"
#include "xen/core/guest_access.h"
#include "xen/cpu/exceptions.h"
#include "xen/cpu/insn_access.h"
#include "xen/cpu/segments.h"

/* In 16- and 32-bit code addresses wrap at 4 GiB. */
static unsigned fetch_wrapping(uint32_t va, unsigned len, uint8_t *bytes)
{
    unsigned done = 0;

    while (done < len) {
        unsigned n = MIN(len - done, (unsigned)(PAGE_SIZE - (va & ~PAGE_MASK)));

        if (read_guest(bytes + done, va, n) != 0)
            break;
        done += n;
        va += n;
    }
    return done;
}

static unsigned fetch_by_segment(const struct vcpu *v, const struct cpu_user_regs *regs,
                                 uint8_t *bytes, enum cpu_mode *mode)
{
    uint32_t ip = (uint32_t)regs->rip;
    struct segment cs;

    if (!read_segment(v, (uint16_t)regs->cs, &cs) || !cs.code)
        return 0;
    if (!cs.long_mode) {
        *mode = cs.big ? MODE_32 : MODE_16;
        return ip > cs.limit
                   ? 0
                   : fetch_wrapping(cs.base + ip, (unsigned)MIN(cs.limit - ip, MAX_INSN - 1) + 1,
                                    bytes);
    }
    *mode = MODE_64;
    return MAX_INSN;
}

unsigned fetch_insn_slowly(const struct vcpu *v, const struct cpu_user_regs *regs, uint8_t *bytes,
                           enum cpu_mode *mode)
{
    if ((regs->cs | 3) != FLAT_RING3_CS64) {
        unsigned len = fetch_by_segment(v, regs, bytes, mode);

        if (*mode != MODE_64 || len == 0)
            return len;
    }
    if (!guest_range_ok(regs->rip, 16))
        return 0;
    if (likely(get_guest_words(bytes, regs->rip, 2)))
        return MAX_INSN;
    return (unsigned)(MAX_INSN - arch_copy_from_guest(bytes, regs->rip, MAX_INSN));
}

static unsigned linear_by_segment(unsigned segment, uint32_t offset, unsigned bytes, bool write,
                                  uint64_t *va)
{
    const struct cpu_user_regs *regs = guest_regs(current);
    unsigned selector = segment == SEG_CS   ? regs->cs
                        : segment == SEG_SS ? regs->ss
                                            : arch_get_selector(segment);
    struct segment s;

    if (!read_segment(current, (uint16_t)selector, &s) || !(write ? s.writable : s.readable))
        return TRAP_GP;
    *va = s.base + offset;
    if (!segment_holds(&s, offset, bytes) || *va + bytes > 1ull << 32)
        return segment == SEG_SS ? TRAP_SS : TRAP_GP;
    return 0;
}

unsigned linear_address_slowly(const struct insn *in, unsigned segment, uint64_t offset,
                               unsigned bytes, bool write, uint64_t *va)
{
    if (in->mode != MODE_64)
        return linear_by_segment(segment, (uint32_t)offset, bytes, write, va);
    *va = offset + arch_get_base(segment == SEG_FS      ? BASE_FS
                                 : current->kernel_mode ? BASE_GS_KERNEL
                                                        : BASE_GS_USER);
    return 0;
}
