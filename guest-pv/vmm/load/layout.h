/* Where the boot structures are in the guest's memory, and the functions that write them. The
 * kernel may use all of it again when it has its own (boot.rst). Nothing of a kernel's file is
 * placed below 1 MiB, so no segment can be over them. */
#ifndef VMM_LOAD_LAYOUT_H
#define VMM_LOAD_LAYOUT_H

#include "guest-pv/vmm/load/load.h"

#define GDT_AT 0x1000u
#define ZERO_PAGE_AT 0x2000u
#define SEED_AT 0x3000u
#define CMDLINE_AT 0x4000u
#define CMDLINE_MAX 2048u               /* with the NUL: COMMAND_LINE_SIZE of x86 */
#define L4_AT 0x5000u
#define L3_AT 0x6000u
#define L2_AT 0x7000u
#define LOW_END 0x9f000ull              /* end of the RAM below 640 KiB that the guest is told of */
#define HIGH_START (1ull << 20)         /* kernel and ramdisk are between here and LOAD_END */
#define LOAD_END (1ull << 30)           /* as much is mapped at the entry */

/* tables.c: identity tables for the first LOAD_END bytes, a flat GDT, and the CPU's registers for
 * both. */
void enter_long_mode(struct cpu *c);

/* zero_page.c: zero page, command line and seed. The command line's length was checked. */
void write_zero_page(struct cpu *c, const struct load_request *r, uint64_t ramdisk_at);

#endif
