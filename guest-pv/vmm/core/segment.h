/* Loads of data and stack segments, for other instructions than those of segment.c. */
#ifndef VMM_CORE_SEGMENT_H
#define VMM_CORE_SEGMENT_H

#include "guest-pv/vmm/core/descriptor.h"
#include "guest-pv/vmm/core/emulate.h"

/* What MOV and POP do; seg is not SEG_CS. False: a fault, and nothing has changed. */
bool load_segment(struct exec *x, unsigned seg, uint16_t selector);
/* May the selector be SS of that CPL? If it is null, all of *d is 0. The accessed bit is set. */
bool check_stack_segment(struct cpu *c, uint16_t selector, unsigned cpl, struct descriptor *d);

#endif
