/* One instruction by way 1: as a block of its own, which its end leaves. */
#ifndef TEST_VMM_ONE_BLOCK_H
#define TEST_VMM_ONE_BLOCK_H

#include "guest-pv/vmm/core/cpu.h"

enum one_block { BLOCK_NONE, BLOCK_DONE, BLOCK_FAULT };

/* The instruction at RIP: these bytes. NONE: no block can be made of it; FAULT: c->fault. */
enum one_block run_one_block(struct cpu *c, const uint8_t *bytes, unsigned len);
/* Was the last one's operation generic? */
bool was_generic(void);

#endif
