/* The question whether a file is a kernel at all, asked while the answer can still go back to the
 * firmware. What is in it the hypervisor judges: with the very same code. */
#include "xen/boot/image.h"

const char *kernel_reason(const void *data, uint64_t size);
const char *kernel_reason(const void *data, uint64_t size)
{
    static struct kernel_image image;

    return image_parse(&image, data, size);
}
