/* Checks whether a file is a kernel that can be started, while xen.efi can still return to the
 * firmware. The same code (xen/boot/image.c) is used by the hypervisor later. Called by main.c. */
#include "xen/boot/image.h"

const char *kernel_reason(const void *data, uint64_t size);
const char *kernel_reason(const void *data, uint64_t size)
{
    static struct kernel_image image;

    return image_parse(&image, data, size);
}
