/* Power off by ACPI's fixed registers, reset by the keyboard controller. Of ACPI only RSDP, RSDT or
 * XSDT, FADT, and the two numbers of \_S5 in the DSDT are read. If that does not work, the
 * firmware's ResetSystem is called (efi_runtime.c). Called at the end by main.c, and by panic. */
#include "common/string.h"
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/efi_runtime.h"
#include "xen/boot/boot_info.h"
#include "xen/core/log.h"
#include "arch/x86_64/efi_runtime.h"

struct rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
} __attribute__((packed));

struct sdt {
    char signature[4];
    uint32_t length;
    char rest[28];
} __attribute__((packed));

#define FADT_DSDT 40
#define FADT_SMI_CMD 48
#define FADT_ACPI_ENABLE 52
#define FADT_PM1A_CNT 64
#define FADT_PM1B_CNT 68
#define FADT_BOOT_ARCH 109
#define NO_CMOS 0x20u
#define SLP_EN 0x2000u
#define SCI_EN 1u
#define MAPPED (4ull << 30)             /* tables above are not mapped, and ignored */
#define TABLE_MAX (1u << 20)

static const void *table_at(uint64_t pa)
{
    const struct sdt *t = (const void *)(DIRECTMAP_START + pa);

    if (pa == 0 || pa > MAPPED - TABLE_MAX || t->length < sizeof(*t) || t->length > TABLE_MAX)
        return NULL;
    return t;
}

static uint32_t read32(const void *table, unsigned offset)
{
    uint32_t v;

    memcpy(&v, (const char *)table + offset, sizeof(v));
    return v;
}

static const struct rsdp *find_rsdp(void)
{
    if (boot_info.rsdp[0] != 0)
        return (const void *)boot_info.rsdp;
    for (uint64_t pa = 0xe0000; pa < 0x100000; pa += 16)
        if (memcmp((const void *)(DIRECTMAP_START + pa), "RSD PTR ", 8) == 0)
            return (const void *)(DIRECTMAP_START + pa);
    return NULL;
}

static const struct sdt *find_fadt(void)
{
    const struct rsdp *r = find_rsdp();
    const struct sdt *root;
    unsigned wide;

    if (r == NULL)
        return NULL;
    wide = r->revision >= 2 && r->xsdt != 0;
    root = table_at(wide ? r->xsdt : r->rsdt);
    for (unsigned at = sizeof(*root); root && at + (wide ? 8 : 4) <= root->length;
         at += wide ? 8 : 4) {
        const struct sdt *t =
            table_at(read32(root, at) | (wide ? (uint64_t)read32(root, at + 4) << 32 : 0));

        if (t != NULL && memcmp(t->signature, "FACP", 4) == 0)
            return t;
    }
    return NULL;
}

/* Finds the AML of "Name(_S5_, Package(n) {a, b, ...})": 08 5f 53 35 5f 12 length n a b. A number
 * is 0a xx, or for 0 and 1 just that byte. */
static bool find_s5(const struct sdt *dsdt, uint16_t *a, uint16_t *b)
{
    const uint8_t *p = (const uint8_t *)dsdt, *end = p + dsdt->length - 16;

    for (p += sizeof(*dsdt); p < end; p++) {
        uint16_t value[2];

        if (memcmp(p, "_S5_", 4) != 0 || p[4] != 0x12)
            continue;
        p += 5;
        p += (*p >> 6) + 2;             /* package length, number of elements */
        for (unsigned i = 0; i < 2; i++) {
            if (*p == 0x0a)
                p++;
            value[i] = *p++ & 7;
        }
        *a = value[0], *b = value[1];
        return true;
    }
    return false;
}

static void acpi_poweroff(void)
{
    const struct sdt *fadt = find_fadt(), *dsdt = fadt ? table_at(read32(fadt, FADT_DSDT)) : NULL;
    uint16_t a, b, cnt;

    if (dsdt == NULL || !find_s5(dsdt, &a, &b))
        return;
    cnt = (uint16_t)read32(fadt, FADT_PM1A_CNT);
    if (cnt == 0)                       /* hardware-reduced ACPI has no such register */
        return;
    if (!(inw(cnt) & SCI_EN) && read32(fadt, FADT_SMI_CMD) != 0) {
        outb((uint16_t)read32(fadt, FADT_SMI_CMD), (uint8_t)read32(fadt, FADT_ACPI_ENABLE));
        for (unsigned i = 0; i < 1000000 && !(inw(cnt) & SCI_EN); i++)
            ;
    }
    outw(cnt, (uint16_t)(a << 10 | SLP_EN));
    if (read32(fadt, FADT_PM1B_CNT) != 0)
        outw((uint16_t)read32(fadt, FADT_PM1B_CNT), (uint16_t)(b << 10 | SLP_EN));
    for (uint64_t until = arch_tsc() + arch_tsc_hz(); arch_tsc() < until;) /* it may take time */
        __asm__ volatile("pause");
}

void arch_halt(void)
{
    for (;;)
        __asm__ volatile("cli\n\thlt");
}

bool acpi_no_cmos(void)
{
    const struct sdt *fadt = find_fadt();
    uint16_t flags = 0;

    if (fadt != NULL && fadt->length >= FADT_BOOT_ARCH + sizeof(flags))
        memcpy(&flags, (const char *)fadt + FADT_BOOT_ARCH, sizeof(flags));
    return flags & NO_CMOS;
}

/* Each function returns if it did not work; then the next is tried. */
void arch_poweroff(void)
{
    acpi_poweroff();
    efi_reset(true);
    log_error("This machine cannot be switched off by software: halted.");
    arch_halt();
}

void arch_reboot(void)
{
    static const struct { uint16_t limit; uint64_t base; } __attribute__((packed)) no_idt;

    outb(0x64, 0xfe);
    for (volatile unsigned i = 0; i < 1000000; i++)
        ;
    efi_reset(false);
    __asm__ volatile("lidt %0\n\tint3" : : "m"(no_idt));
    arch_halt();
}
