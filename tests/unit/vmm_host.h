/* A machine for tests of the vmm: RAM, a CPU in 64-bit mode with its tables, and a world outside
 * with a clock that the test turns and a console that it reads and writes. */
#ifndef TEST_VMM_HOST_H
#define TEST_VMM_HOST_H

#include "guest-pv/vmm/core/cpu.h"
#include "guest-pv/vmm/platform/platform.h"

extern uint64_t vmm_tsc;                /* what host.tsc says; host.wait sets it */
extern uint64_t vmm_wall;               /* what host.wall_seconds says */
extern char vmm_console[65536];         /* what the guest has written, a string */
extern const char *vmm_input;           /* what it has not read yet */
extern const struct host vmm_host;

/* A CPU with nr_frames of RAM (zeroes), reset, in long mode at CPL 0 with interrupts off: identity
 * tables of 2 MiB pages for the first GiB in frames 1 to 3 (user pages), the same GiB at
 * 0xffffffff80000000, flat segments of selectors 8 and 16 in a GDT at 0x500, no IDT. Freed by
 * vmm_cpu_free. */
struct cpu *vmm_cpu_new(uint64_t nr_frames);
void vmm_cpu_free(struct cpu *c);

#endif
