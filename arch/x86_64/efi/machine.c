/* Collects what the hypervisor needs from the firmware: its name, ACPI's root pointer, the frame
 * buffer, the date, and the address of the runtime services. What is missing stays 0. Called by
 * main.c. */
#include "arch/x86_64/efi/stub.h"
#include "common/printf.h"
#include "common/string.h"

static void copy_name(struct boot_info *info)
{
    char vendor[40];
    unsigned n = 0;

    for (; ST->FirmwareVendor != NULL && ST->FirmwareVendor[n] != 0 && n < sizeof(vendor) - 1; n++)
        vendor[n] = ST->FirmwareVendor[n] < 0x80 ? (char)ST->FirmwareVendor[n] : '?';
    vendor[n] = '\0';
    snprintf(info->loader, sizeof(info->loader), "EFI (%s %x)", vendor, ST->FirmwareRevision);
}

static void copy_rsdp(struct boot_info *info)
{
    static EFI_GUID guids[] = { ACPI_20_TABLE_GUID, ACPI_TABLE_GUID };
    static const unsigned bytes[] = { 36, 20 };

    for (unsigned k = 0; k < ARRAY_SIZE(guids); k++)
        for (UINTN i = 0; i < ST->NumberOfTableEntries; i++)
            if (info->rsdp[0] == 0 &&
                CompareGuid(&ST->ConfigurationTable[i].VendorGuid, &guids[k]) == 0)
                memcpy(info->rsdp, ST->ConfigurationTable[i].VendorTable, bytes[k]);
}

static void read_screen(struct boot_screen *screen)
{
    EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode;
    EFI_GRAPHICS_OUTPUT_PROTOCOL *gop;

    if (BS->LocateProtocol(&guid, NULL, (void **)&gop) != EFI_SUCCESS || gop->Mode == NULL ||
        gop->Mode->Info == NULL)
        return;
    mode = gop->Mode->Info;
    if (mode->PixelFormat == PixelRedGreenBlueReserved8BitPerColor) {
        screen->red = 0xff, screen->green = 0xff00, screen->blue = 0xff0000;
    } else if (mode->PixelFormat == PixelBlueGreenRedReserved8BitPerColor) {
        screen->red = 0xff0000, screen->green = 0xff00, screen->blue = 0xff;
    } else if (mode->PixelFormat == PixelBitMask) {
        screen->red = mode->PixelInformation.RedMask;
        screen->green = mode->PixelInformation.GreenMask;
        screen->blue = mode->PixelInformation.BlueMask;
    } else {
        return;                             /* pixels can be written by boot services only */
    }
    screen->base = gop->Mode->FrameBufferBase;
    screen->width = mode->HorizontalResolution;
    screen->height = mode->VerticalResolution;
    screen->pitch = 4 * mode->PixelsPerScanLine;
}

/* Seconds since 1970. If the firmware does not know the time zone, the clock is taken as UTC. In
 * this computation years begin in March, so that a leap day is the last day of its year. */
static uint64_t seconds(const EFI_TIME *t)
{
    uint64_t year = t->Month > 2 ? t->Year : t->Year - 1u, month = (t->Month + 9u) % 12;
    uint64_t days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + t->Day - 1;
    int64_t zone = t->TimeZone == EFI_UNSPECIFIED_TIMEZONE ? 0 : t->TimeZone * 60;

    days -= 719468;                         /* 1 March of the year 0 to 1 January 1970 */
    return (uint64_t)((int64_t)(((days * 24 + t->Hour) * 60 + t->Minute) * 60 + t->Second) + zone);
}

static void read_date(struct boot_info *info)
{
    EFI_TIME t;

    if (RT->GetTime(&t, NULL) == EFI_SUCCESS && t.Year >= 1970 && t.Month >= 1 && t.Month <= 12 &&
        t.Day >= 1)
        info->date = seconds(&t);
}

void machine_describe(struct boot_info *info)
{
    copy_name(info);
    copy_rsdp(info);
    read_screen(&info->screen);
    read_date(info);
    info->runtime.table = (uint64_t)RT;
}
