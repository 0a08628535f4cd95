/* The register state that instructions work on, wherever its owner keeps it: 64-bit words, reached
 * by the number that a register has in instructions. An interrupt frame and an array of sixteen
 * serve alike, and neither is copied. */
#ifndef COMMON_X86_REGS_H
#define COMMON_X86_REGS_H

#include "common/x86/insn.h"

struct x86_regs {
    uint64_t *words;
    const uint8_t *place; /* of RAX to R15, RIP and RFLAGS: which of the words it is */
};

static inline uint64_t *reg_by_number(struct x86_regs regs, unsigned nr)
{
    return &regs.words[regs.place[nr]];
}
static inline uint64_t reg_value(struct x86_regs regs, unsigned nr)
{
    return *reg_by_number(regs, nr);
}
/* As an instruction of that operand size does: 4 bytes clear the upper half, 1 and 2 leave the rest
 * alone. */
static inline void write_reg(uint64_t *reg, unsigned bytes, uint64_t value)
{
    uint64_t mask = size_mask(bytes);

    *reg = (bytes >= 4 ? 0 : *reg & ~mask) | (value & mask);
}
/* Numbers 4 to 7 are AH to BH in byte operations without REX. */
static inline bool is_high_byte(const struct insn *in, unsigned nr)
{
    return unlikely(in->op_bytes == 1) && in->rex == 0 && nr >= 4;
}
static inline uint64_t read_operand_reg(const struct insn *in, struct x86_regs regs, unsigned nr)
{
    return is_high_byte(in, nr) ? reg_value(regs, nr - 4) >> 8 : reg_value(regs, nr);
}
static inline void write_operand_reg(const struct insn *in, struct x86_regs regs, unsigned nr,
                                     uint64_t value)
{
    if (is_high_byte(in, nr)) {
        uint64_t *reg = reg_by_number(regs, nr - 4);

        *reg = (*reg & ~0xff00ull) | (value & 0xff) << 8;
    } else {
        write_reg(reg_by_number(regs, nr), in->op_bytes, value);
    }
}

#endif
