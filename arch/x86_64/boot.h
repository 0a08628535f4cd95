/* What boot.S leaves: our own root, and where the image lies. */
#ifndef ARCH_X86_BOOT_H
#define ARCH_X86_BOOT_H

#include "common/compiler.h"
#include "arch/x86_64/memlayout.h"

extern uint64_t root_l4[512];           /* boot.S: our own root, whose upper entries all others have too */

extern uint64_t image_shift;            /* how far above 2 MiB, its place with multiboot, the image was put (boot.S) */

/* One word of our own image, by its linker name, as a physical address. */
static inline uint64_t image_phys(const void *p)
{
    return (uint64_t)p - IMAGE_START + image_shift;
}

#endif
