/* The firmware's runtime services. */
#ifndef ARCH_X86_EFI_RUNTIME_H
#define ARCH_X86_EFI_RUNTIME_H

#include "common/compiler.h"

void efi_runtime_init(void);            /* efi_runtime.c */
void efi_reset(bool off);               /* by the firmware, if it can be called; off: for good */
extern bool efi_runtime_entered;        /* it is running now */

#endif
