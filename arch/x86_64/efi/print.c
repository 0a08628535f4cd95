/* Messages of xen.efi: each line is written to the firmware's console and to COM1. If the
 * firmware's console uses that port already, the line is not written twice. */
#include "arch/x86_64/efi/stub.h"
#include "common/printf.h"
#include "common/string.h"

#define BASE_BAUD 115200u
#define SPIN_LIMIT 100000u              /* so that a missing port does not stop xen.efi */
#define LINE_MAX 320
#define PNP0501 0x050141d0u             /* a 16550 by ACPI's name, compressed */

static uint16_t port = 0x3f8;
static uint32_t baud = BASE_BAUD;
static const uint16_t usual_ports[] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };
static bool firmware_has[ARRAY_SIZE(usual_ports)], silent, no_firmware;

static uint8_t inb(uint16_t from)
{
    uint8_t v;

    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(from));
    return v;
}

static void outb(uint16_t to, uint8_t v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(to));
}

static bool serial_is_ours(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(usual_ports); i++)
        if (port == usual_ports[i] && firmware_has[i] && !no_firmware)
            return false;
    return !silent;
}

static void serial_setup(void)
{
    uint32_t divisor = baud != 0 ? BASE_BAUD / baud : 0;

    if (!serial_is_ours())
        return;
    outb((uint16_t)(port + 1), 0);
    if (divisor != 0) {
        outb((uint16_t)(port + 3), 0x80);
        outb(port, (uint8_t)divisor);
        outb((uint16_t)(port + 1), (uint8_t)(divisor >> 8));
    }
    outb((uint16_t)(port + 3), 3);      /* 8n1 */
    outb((uint16_t)(port + 2), 7);      /* FIFOs on and empty */
    outb((uint16_t)(port + 4), 3);
}

static void serial_put(char c)
{
    for (unsigned i = 0; i < SPIN_LIMIT && !(inb((uint16_t)(port + 5)) & 0x20); i++)
        ;
    outb(port, (uint8_t)c);
}

/* Reads the variable ConOut: the device paths of all consoles, one after another. The ACPI UID of a
 * serial port is taken as its place in the list of the usual ports, as firmware numbers them. */
static void find_serial_consoles(void)
{
    static uint8_t path[1024];
    EFI_GUID global = EFI_GLOBAL_VARIABLE;
    UINTN size = sizeof(path);

    if (RT->GetVariable(L"ConOut", &global, NULL, &size, path) != EFI_SUCCESS)
        return;
    for (UINTN at = 0; at + 4 <= size;) {
        UINTN len = path[at + 2] | (UINTN)path[at + 3] << 8;
        uint32_t id[2];

        if (len < 4 || at + len > size)
            break;
        memcpy(id, path + at + 4, len >= 12 ? sizeof(id) : 0);
        if (path[at] == ACPI_DEVICE_PATH && path[at + 1] == ACPI_DP && len >= 12 &&
            id[0] == PNP0501 && id[1] < ARRAY_SIZE(firmware_has))
            firmware_has[id[1]] = true;
        at += len;
    }
}

void print_init(void)
{
    find_serial_consoles();
    serial_setup();
}

/* The last com1= counts: <baud>[/<clock>][,DPS[,<port>]]. With console=none the port is not
 * used. */
void print_use_serial(const char *options)
{
    for (const char *p = options; *p != '\0'; p++) {
        bool word = p == options || p[-1] == ' ';
        const char *end;

        if (word && strncmp(p, "--", 2) == 0 && (p[2] == ' ' || p[2] == '\0'))
            break;
        if (word && strncmp(p, "console=", 8) == 0)
            silent = strncmp(p + 8, "none", 4) == 0;
        if (!word || strncmp(p, "com1=", 5) != 0)
            continue;
        baud = (uint32_t)parse_number(p + 5, &end);
        if (baud > BASE_BAUD || (baud != 0 && BASE_BAUD % baud != 0))
            baud = BASE_BAUD;
        for (unsigned commas = 0; *p != '\0' && *p != ' ' && commas < 2; p++)
            commas += *p == ',';
        if (p[-1] == ',' && parse_number(p, &end) != 0 && parse_number(p, &end) <= 0xfff8)
            port = (uint16_t)parse_number(p, &end);
        p--;
    }
    serial_setup();
}

void print_without_firmware(void)
{
    no_firmware = true;
}

static void put(const char *text)
{
    CHAR16 wide[2 * LINE_MAX];
    size_t n = 0;

    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\n')
            wide[n++] = '\r';
        wide[n++] = (uint8_t)*p;
        if (serial_is_ours() && *p == '\n')
            serial_put('\r');
        if (serial_is_ours())
            serial_put(*p);
    }
    wide[n] = 0;
    if (ST->ConOut != NULL && !no_firmware)
        ST->ConOut->OutputString(ST->ConOut, wide);
}

void print(const char *fmt, ...)
{
    char line[LINE_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    put(line);
}

EFI_STATUS fail(EFI_STATUS status, const char *fmt, ...)
{
    char line[LINE_MAX] = "Paragon: ";
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line + strlen(line), sizeof(line) - strlen(line) - 1, fmt, ap);
    va_end(ap);
    line[strlen(line) + 1] = '\0';
    line[strlen(line)] = '\n';
    put(line);
    return status;
}
