/* Multiboot 1 and 2. */
#ifndef ARCH_X86_MULTIBOOT_H
#define ARCH_X86_MULTIBOOT_H

#include "common/compiler.h"

bool multiboot_parse(uint32_t magic, uint64_t mbi);     /* fills boot_info; false: another magic */

#endif
