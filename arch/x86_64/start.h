/* The C function that boot.S calls. */
#ifndef ARCH_X86_START_H
#define ARCH_X86_START_H

#include "common/compiler.h"

_Noreturn void arch_start(uint32_t magic, uint64_t info);

#endif
