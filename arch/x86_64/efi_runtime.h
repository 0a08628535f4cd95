/* The firmware's runtime services. */
#ifndef ARCH_X86_EFI_RUNTIME_H
#define ARCH_X86_EFI_RUNTIME_H

#include "common/compiler.h"

void efi_runtime_init(void);            /* builds the L4 on which the services run */
/* Resets the machine, if the service can be called; off: powers off. */
void efi_reset(bool off);
extern bool efi_runtime_entered;        /* a service is running */

#endif
