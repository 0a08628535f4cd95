/* Finds ACPI's tables: from the root pointer (RSDP) to the root table (RSDT or XSDT) to the table
 * of a name (ACPI 6.5, 5.2). Nothing that the firmware wrote is trusted: a table counts only if it
 * lies in memory that can be read, is no longer than TABLE_MAX, and its bytes add up to 0. Called
 * by acpi.c and smp.c; what a MADT says is madt.c's. */
#include "common/string.h"
#include "arch/x86_64/acpi_tables.h"

struct rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;                    /* this and what follows: from revision 2 on */
    uint64_t xsdt;
    uint8_t extended_checksum, reserved[3];
} __attribute__((packed));
_Static_assert(sizeof(struct rsdp) == ACPI_RSDP_BYTES, "ACPI 6.5, 5.2.5.3");

#define RSDP_BYTES_0 20u                /* of revision 0 */
#define TABLE_MAX (1u << 20)
#define BIOS_START 0xe0000u             /* where a BIOS has the root pointer, if not in the EBDA */
#define BIOS_END 0x100000u
#define EBDA_SEGMENT 0x40eu             /* BIOS data: where the EBDA is, divided by 16 */
#define EBDA_SEARCHED 1024u
#define LOW_RAM_END 0xa0000u

static bool adds_up(const void *bytes, uint64_t len)
{
    const uint8_t *p = bytes;
    uint8_t sum = 0;

    for (uint64_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + p[i]);
    return sum == 0;
}

const struct acpi_header *acpi_table_at(acpi_memory at, uint64_t pa)
{
    const struct acpi_header *t = pa != 0 ? at(pa, sizeof(*t)) : NULL;

    if (t == NULL || t->length < sizeof(*t) || t->length > TABLE_MAX)
        return NULL;
    return at(pa, t->length);
}

static bool is_rsdp(const struct rsdp *r)
{
    return memcmp(r->signature, "RSD PTR ", 8) == 0 && adds_up(r, RSDP_BYTES_0);
}

/* A copy, because near the end of the searched memory only the part of revision 0 may be there. */
static bool search_rsdp(acpi_memory at, uint64_t start, uint64_t end, struct rsdp *r)
{
    for (uint64_t pa = start; pa + RSDP_BYTES_0 <= end; pa += 16) {
        const void *p = at(pa, RSDP_BYTES_0);

        if (p == NULL || !is_rsdp(p))
            continue;
        memset(r, 0, sizeof(*r));
        memcpy(r, p, MIN(sizeof(*r), end - pa));
        return true;
    }
    return false;
}

static bool find_rsdp(acpi_memory at, const uint8_t given[ACPI_RSDP_BYTES], struct rsdp *r)
{
    const uint16_t *segment = at(EBDA_SEGMENT, sizeof(*segment));
    uint64_t ebda = segment != NULL ? (uint64_t)*segment << 4 : 0;

    memcpy(r, given, sizeof(*r));
    if (is_rsdp(r))
        return true;
    if (ebda >= 0x400 && ebda + EBDA_SEARCHED <= LOW_RAM_END &&
        search_rsdp(at, ebda, ebda + EBDA_SEARCHED, r))
        return true;
    return search_rsdp(at, BIOS_START, BIOS_END, r);
}

/* Of revision 2 the length must cover the pointer to the XSDT, and our copy the length: otherwise
 * the RSDT is used, as with revision 0. */
static bool has_xsdt(const struct rsdp *r)
{
    return r->revision >= 2 && r->length == sizeof(*r) && adds_up(r, sizeof(*r)) && r->xsdt != 0;
}

static uint64_t entry_of(const struct acpi_header *root, uint32_t offset, unsigned width)
{
    uint64_t pa = 0;

    memcpy(&pa, (const char *)root + offset, width);
    return pa;
}

const struct acpi_header *acpi_find(acpi_memory at, const uint8_t given[ACPI_RSDP_BYTES],
                                    const char *signature)
{
    const struct acpi_header *root = NULL;
    struct rsdp r;
    unsigned width = 8;

    if (!find_rsdp(at, given, &r))
        return NULL;
    if (has_xsdt(&r))
        root = acpi_table_at(at, r.xsdt);
    if (root == NULL || memcmp(root->signature, "XSDT", 4) != 0 || !adds_up(root, root->length)) {
        width = 4;
        root = acpi_table_at(at, r.rsdt);
        if (root == NULL || memcmp(root->signature, "RSDT", 4) != 0 ||
            !adds_up(root, root->length))
            return NULL;
    }
    for (uint32_t offset = sizeof(*root); offset + width <= root->length; offset += width) {
        const struct acpi_header *t = acpi_table_at(at, entry_of(root, offset, width));

        if (t != NULL && memcmp(t->signature, signature, 4) == 0 && adds_up(t, t->length))
            return t;
    }
    return NULL;
}
