/* Operands of an instruction that emulate() executes, by their number in the map's row (0 is the
 * destination): operand.c. Registers, memory and immediates alike; numbers of 1, 2, 4 or 8 bytes.
 *
 * A handler reads everything, computes, writes memory, and only then registers and RFLAGS: so that
 * nothing has changed when an access raises a fault (E1). read_to_change() makes the write that
 * follows it safe: it cannot fail any more. */
#ifndef VMM_CORE_OPERAND_H
#define VMM_CORE_OPERAND_H

#include "guest-pv/vmm/core/emulate.h"

/* The operand of that number, as get_operand() finds it. */
static inline void find_operand(const struct exec *x, unsigned nr, struct operand *o)
{
    if (x->operands != NULL && nr < DECODED_OPERANDS)
        *o = x->operands[nr];
    else
        get_operand(x->in, x->k, nr, o);
}

/* False: a memory operand's access raised a fault. */
bool read_operand(struct exec *x, unsigned nr, uint64_t *value);
bool write_operand(struct exec *x, unsigned nr, uint64_t value);
/* 1, 2, 4, 8 or 16: what the row says, by the instruction's prefixes. */
unsigned operand_size(const struct exec *x, unsigned nr);

/* The same with operands that get_operand() has found: for handlers that use one twice. */
bool load(struct exec *x, const struct operand *o, uint64_t *value);
bool store(struct exec *x, const struct operand *o, uint64_t value);
/* Reads what will be written: of memory it asks for the rights to write, as the CPU does of
 * instructions that change their operand. store() of it does not fail. */
bool load_to_change(struct exec *x, const struct operand *o, uint64_t *value);

/* The memory operand's bytes, any number of them, at x->linear + offset. As all accesses of it
 * these raise #SS(0) instead of #GP(0) where a stack's address is not canonical. */
bool read_memory(struct exec *x, unsigned offset, void *to, unsigned bytes);
bool write_memory(struct exec *x, unsigned offset, const void *from, unsigned bytes);
/* False, and c->fault: nothing of it may be written. Otherwise a write of it does not fail. */
bool check_write(struct exec *x, uint64_t linear, unsigned bytes);
/* After a failed access of the memory operand: false, #GP(0) become #SS(0) if it is the stack's. */
bool operand_fault(struct exec *x);

/* The stack: 8 bytes, or 2 with the operand-size prefix. RSP changes after the access. */
bool push(struct exec *x, unsigned bytes, uint64_t value);
bool pop(struct exec *x, unsigned bytes, uint64_t *value);
/* At any offset from RSP, which does not change. */
bool read_stack(struct exec *x, uint64_t offset, unsigned bytes, uint64_t *value);
/* Any number of bytes from RSP on. */
bool read_stack_bytes(struct exec *x, void *to, unsigned bytes);
/* As check_write(). */
bool check_stack_write(struct exec *x, uint64_t rsp, unsigned bytes);

/* RIP behind the instruction: the end of most handlers. True. */
static inline bool finish(struct exec *x)
{
    x->c->regs[REG_RIP] = x->next_rip;
    return true;
}
static inline uint64_t sign_extend(uint64_t value, unsigned bytes)
{
    return (uint64_t)((int64_t)(value << (64 - 8 * bytes)) >> (64 - 8 * bytes));
}

#endif
