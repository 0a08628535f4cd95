/* ACPI tables. */
#ifndef ARCH_X86_ACPI_H
#define ARCH_X86_ACPI_H

#include "arch/x86_64/acpi_tables.h"

/* The machine's table with this signature, checked; NULL: there is none. */
const struct acpi_header *acpi_table(const char *signature);
bool acpi_no_cmos(void);                /* the firmware says that there is no CMOS clock */

#endif
