/* Power off by ACPI's fixed registers, reset by the keyboard controller. Of ACPI only the FADT and
 * the two numbers of \_S5 in the DSDT are read here; acpi_tables.c finds the tables. If that does
 * not work, the firmware's ResetSystem is called (efi_runtime.c). Called at the end by main.c, and
 * by panic. */
#include "common/string.h"
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/acpi_tables.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/efi_runtime.h"
#include "xen/boot/boot_info.h"
#include "xen/core/log.h"

#define FADT_DSDT 40
#define FADT_SMI_CMD 48
#define FADT_ACPI_ENABLE 52
#define FADT_PM1A_CNT 64
#define FADT_PM1B_CNT 68
#define FADT_BYTES 116u                 /* of revision 1; all these fields are in it */
#define FADT_BOOT_ARCH 109
#define NO_CMOS 0x20u
#define SLP_EN 0x2000u
#define SCI_EN 1u
#define MAPPED (4ull << 30)             /* tables above are not mapped, and ignored */

static const void *mapped(uint64_t pa, uint64_t len)
{
    return pa < MAPPED && len <= MAPPED - pa ? (const void *)(DIRECTMAP_START + pa) : NULL;
}

const struct acpi_header *acpi_table(const char *signature)
{
    return acpi_find(mapped, boot_info.rsdp, signature);
}

static uint32_t read32(const void *table, unsigned offset)
{
    uint32_t v;

    memcpy(&v, (const char *)table + offset, sizeof(v));
    return v;
}

static const struct acpi_header *find_fadt(void)
{
    const struct acpi_header *fadt = acpi_table("FACP");

    return fadt != NULL && fadt->length >= FADT_BYTES ? fadt : NULL;
}

/* Finds the AML of "Name(_S5_, Package(n) {a, b, ...})": 08 5f 53 35 5f 12 length n a b. A number
 * is 0a xx, or for 0 and 1 just that byte. */
static bool find_s5(const struct acpi_header *dsdt, uint16_t *a, uint16_t *b)
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
    const struct acpi_header *fadt = find_fadt(), *dsdt = NULL;
    uint16_t a, b, cnt;

    if (fadt != NULL)
        dsdt = acpi_table_at(mapped, read32(fadt, FADT_DSDT));
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
    const struct acpi_header *fadt = find_fadt();
    uint16_t flags = 0;

    if (fadt != NULL)
        memcpy(&flags, (const char *)fadt + FADT_BOOT_ARCH, sizeof(flags));
    return flags & NO_CMOS;
}

/* Each function returns if it did not work; then the next is tried. */
void arch_poweroff(void)
{
    arch_stop_cpus();
    acpi_poweroff();
    efi_reset(true);
    log_error("This machine cannot be switched off by software: halted.");
    arch_halt();
}

void arch_reboot(void)
{
    static const struct { uint16_t limit; uint64_t base; } __attribute__((packed)) no_idt;

    arch_stop_cpus();
    outb(0x64, 0xfe);
    for (volatile unsigned i = 0; i < 1000000; i++)
        ;
    efi_reset(false);
    __asm__ volatile("lidt %0\n\tint3" : : "m"(no_idt));
    arch_halt();
}
