/* Puts an unmodified 64-bit kernel into the guest's memory and the CPU at its entry, by the 64-bit
 * boot protocol of Linux (Documentation/arch/x86/boot.rst): load.c. A kernel is an ELF file with
 * EM_X86_64 and program headers with physical addresses; it is entered at e_entry in long mode with
 * identity tables, a flat GDT, interrupts off and RSI = the zero page. */
#ifndef VMM_LOAD_LOAD_H
#define VMM_LOAD_LOAD_H

#include "guest-pv/vmm/core/cpu.h"

struct load_request {
    const void *kernel, *ramdisk;       /* ramdisk: NULL when there is none */
    uint64_t kernel_bytes, ramdisk_bytes;
    const char *cmdline;
    uint8_t seed[32];                   /* for the guest's random numbers: setup_data of type 9 */
};

/* NULL: done; else why it cannot be, for people. The files may be anything. */
const char *load_kernel(struct cpu *c, const struct load_request *r);

#endif
