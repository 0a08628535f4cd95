/* ACPI's tables: finding and checking them. Plain C that reads memory through a function, so that
 * the host tests can give it any memory. */
#ifndef ARCH_X86_ACPI_TABLES_H
#define ARCH_X86_ACPI_TABLES_H

#include "common/compiler.h"

#define ACPI_RSDP_BYTES 36              /* of revision 2; the first 20 are revision 0's */

struct acpi_header {
    char signature[4];
    uint32_t length;                    /* of the whole table */
    char rest[28];
} __attribute__((packed));

/* The len bytes of memory at machine address pa; NULL: not all of them can be read. */
typedef const void *(*acpi_memory)(uint64_t pa, uint64_t len);

/* The table at pa, whose length has been checked; NULL: there is none. */
const struct acpi_header *acpi_table_at(acpi_memory at, uint64_t pa);
/* The first table with this signature (four characters) and a right checksum; NULL: there is none.
 * rsdp: the boot loader's copy of the root pointer; all zero: it has given none. */
const struct acpi_header *acpi_find(acpi_memory at, const uint8_t rsdp[ACPI_RSDP_BYTES],
                                    const char *signature);

#endif
