/* What the functions of operations have in common: registers by offset, memory operands by the TLB,
 * the call of the next one. An operation whose access the TLB does not have calls miss(), which
 * fills it and calls the operation again, or has the core execute the instruction. */
#ifndef VMM_EMULATE_OPS_H
#define VMM_EMULATE_OPS_H

#include "common/x86/canonical.h"
#include "common/x86/map.h"
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/unaligned.h"
#include "guest-pv/vmm/emulate/block.h"
#include "guest-pv/vmm/emulate/lazy.h"

typedef uint8_t u8;
typedef u16_unaligned u16;
typedef u32_unaligned u32;
typedef u64_unaligned u64;

#define ZERO_REG (18u * 8)       /* offset of the register that is always 0 */

#define GPR(T, offset) (*(T *)((char *)c + (offset)))
/* Four bytes clear the upper half. */
#define SET_GPR(T, offset, value)                        \
    do {                                                 \
        if (sizeof(T) == 4)                              \
            GPR(uint64_t, offset) = (uint32_t)(value);   \
        else                                             \
            GPR(T, offset) = (T)(value);                 \
    } while (0)

/* Of the low bytes of value, as many as the signed type S has. */
#define SIGN_EXTEND(S, value) ((int64_t)(S)(value))

#define NEXT return op[1].run(c, op + 1)

/* A memory operand's linear address, with a base and a displacement only, and with everything. */
static inline uint64_t address_simple(const struct cpu *c, const struct op *op)
{
    return GPR(const uint64_t, op->base) + (uint64_t)(int64_t)op->disp;
}
static inline uint64_t address_full(const struct cpu *c, const struct op *op)
{
    return address_simple(c, op) + (GPR(const uint64_t, op->index) << op->scale) +
           GPR(const uint64_t, op->segment);
}

/* Of one that has more than a base and a displacement. */
static inline bool needs_full(const struct op *op)
{
    return op->index != ZERO_REG || op->segment != ZERO_REG;
}

op_fn generic;                                          /* the core executes it */
void miss(struct cpu *c, const struct op *op, uint64_t linear, unsigned how);

/* Declare `name`, a T at the linear address, or leave. */
#define MEMORY(T, name, linear, table, how)                                          \
    uint64_t name##_at = (linear);                                                   \
    const struct tlb_entry *name##_entry = &c->tlb->table[tlb_index(name##_at)];     \
    if (unlikely((name##_at ^ name##_entry->tag) > GUEST_PAGE - sizeof(T)))          \
        return miss(c, op, name##_at, how);                                          \
    T *name = (T *)(uintptr_t)(name##_at + name##_entry->addend)
#define TO_READ(T, name, linear) MEMORY(T, name, linear, read, ACCESS_READ)
#define TO_WRITE(T, name, linear) MEMORY(T, name, linear, write, ACCESS_WRITE)

void leave_to(struct cpu *c, uint64_t rip);             /* back to the run loop, at that address */
void leave_at(struct cpu *c, const struct block *b);    /* that was counted, and is not executed */
void leave_chained(struct cpu *c, const struct op *branch);
static inline void enter(struct cpu *c, struct block *b)
{
    c->budget -= b->nr_insns;
    if (unlikely(c->budget < 0))
        return leave_at(c, b);
    c->block = b;
    return b->ops[0].run(c, b->ops);
}
static inline void follow(struct cpu *c, const struct op *branch)
{
    struct block *b = branch->next;

    if (unlikely(b->mapping != c->mapping))
        return leave_chained(c, branch);
    return enter(c, b);
}
/* Where an indirect branch leads. */
static inline void jump_to(struct cpu *c, uint64_t rip)
{
    struct block *b = c->emulator->jumps[jump_index(rip)];

    if (unlikely(b->rip != rip || b->mapping != c->mapping))
        return leave_to(c, rip);
    return enter(c, b);
}
/* Behind the block's last instruction. */
static inline uint64_t block_end(const struct cpu *c)
{
    return c->block->rip + c->block->offsets[c->block->nr_insns];
}

/* The shapes of operands that functions are made for; sizes are log2 of bytes. NULL: none. */
enum shape {
    SHAPE_RR, SHAPE_RI, SHAPE_RM, SHAPE_MR, SHAPE_MI, SHAPE_R, SHAPE_M,
    SHAPE_RRI, SHAPE_RMI, SHAPE_RRC,    /* C: CL */
    NR_SHAPES
};

op_fn *alu_function(enum insn_op op, enum shape shape, unsigned size, bool full);
/* NR_SHAPES: the operands are implied. */
op_fn *bit_function(enum insn_op op, enum shape shape, unsigned size);
op_fn *multiply_function(enum insn_op op, enum shape shape, unsigned size);
op_fn *exchange_function(enum insn_op op, enum shape shape, unsigned size);
op_fn *move_function(enum insn_op op, enum shape shape, unsigned size, bool full);
op_fn *extend_function(enum insn_op op, enum shape shape, unsigned from, unsigned to);
op_fn *condition_function(enum insn_op op, enum shape shape, unsigned size, unsigned cc);
op_fn *stack_function(enum insn_op op, enum shape shape);
/* Sets what op needs, but for a memory operand. */
op_fn *system_function(const struct insn *in, const struct insn_case *k, struct op *op);
/* RET, and JMP and CALL by a register or memory; NR_SHAPES: CALL of a relative target. */
op_fn *branch_function(enum insn_op op, enum shape shape);
op_fn *jump_function(unsigned cc);                      /* Jcc */
op_fn fall_through, do_nothing;

#endif
