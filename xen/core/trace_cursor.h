/* The last records of all CPUs, the oldest first. */
#ifndef XEN_TRACE_CURSOR_H
#define XEN_TRACE_CURSOR_H

#include "xen/core/trace_ring.h"

/* Sets the CPU's cursor so far before the end of its ring that there are as many lines as wanted,
 * or to the oldest record. has_line: such an event begins a line. Returns how many lines there
 * are. */
unsigned trace_cursor_set(unsigned cpu, unsigned wanted, bool (*has_line)(uint32_t event));
/* The cursor with the oldest record, and its CPU; NULL: no cursor has a record. */
struct trace_cursor *trace_cursor_oldest(unsigned *cpu);
void trace_cursor_advance(unsigned cpu);

#endif
