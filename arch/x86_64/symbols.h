/* Names of the hypervisor's functions. */
#ifndef ARCH_X86_SYMBOLS_H
#define ARCH_X86_SYMBOLS_H

#include "common/compiler.h"

const char *symbol_of(uint64_t address, uint64_t *offset);  /* NULL: not in the hypervisor's code */

#endif
