/* Set up by boot.S: the hypervisor's own L4, and the physical address of the image. */
#ifndef ARCH_X86_BOOT_H
#define ARCH_X86_BOOT_H

#include "common/compiler.h"
#include "arch/x86_64/memlayout.h"

/* The hypervisor's L4; its upper entries are copied to all others. */
extern uint64_t root_l4[512];

extern uint64_t image_shift;            /* the image's physical address - 2 MiB */

/* The physical address of an object in the image. */
static inline uint64_t image_phys(const void *p)
{
    return (uint64_t)p - IMAGE_START + image_shift;
}

#endif
