/* ACPI tables. */
#ifndef ARCH_X86_ACPI_H
#define ARCH_X86_ACPI_H

#include "common/compiler.h"

bool acpi_no_cmos(void);                /* the firmware says that there is no CMOS clock */

#endif
