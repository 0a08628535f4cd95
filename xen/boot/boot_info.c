/* The information from the boot loader, and the loader's string without a file name in front.
 * Filled by arch/x86_64 (multiboot.c, efi/), read by boot/ and main.c. */
#include "common/string.h"
#include "xen/boot/boot_info.h"

struct boot_info boot_info;

const char *boot_string(const char *s)
{
    const char *grub = boot_info.loader;

    while (*s == ' ')
        s++;
    while (*grub != '\0' && strncmp(grub, "GRUB ", 5) != 0)
        grub++;
    if (boot_info.loader[0] == '\0' ||
        (*grub != '\0' && grub[5] != '0')) /* "GNU GRUB 0.97" was the first GRUB */
        return s;
    while (*s != '\0' && *s != ' ')
        s++;
    while (*s == ' ')
        s++;
    return s;
}
