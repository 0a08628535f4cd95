/* Operands of an instruction that emulate() executes, by their number in the map's row (0 is the
 * destination): operand.c. Registers, memory and immediates alike; numbers of 1, 2, 4 or 8 bytes. */
#ifndef VMM_CORE_OPERAND_H
#define VMM_CORE_OPERAND_H

#include "guest-pv/vmm/core/emulate.h"

/* False: a memory operand's access raised a fault. */
bool read_operand(struct exec *x, unsigned nr, uint64_t *value);
bool write_operand(struct exec *x, unsigned nr, uint64_t value);
/* 1, 2, 4, 8 or 16: what the row says, by the instruction's prefixes. */
unsigned operand_size(const struct exec *x, unsigned nr);

/* The stack: 8 bytes, or 2 with the operand-size prefix. RSP changes only when the access was done. */
bool push(struct exec *x, unsigned bytes, uint64_t value);
bool pop(struct exec *x, unsigned bytes, uint64_t *value);

#endif
