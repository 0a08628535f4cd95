/* Owns the question whether a file is a kernel at all, asked while the answer can still go back to the firmware. What is
 * in it the hypervisor judges: with the very same code. */
#include "common/string.h"
#include "xen/image.h"

const char *kernel_reason(const void *data, uint64_t size);
const char *kernel_reason(const void *data, uint64_t size)
{
    static struct kernel_image image;
    const char *bytes = data;

    if (size > 0x206 && memcmp(bytes + 0x202, "HdrS", 4) == 0)
        return "a bzImage: unpack it with tools/unpack-kernel";
    return image_parse(&image, data, size);
}
