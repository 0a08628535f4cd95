/* Reads the capabilities by which a virtio device says where its registers are (virtio 1.1, 4.1.4):
 * plain C. The device may lie: each part must lie in its BAR, with room for all that is read of it;
 * what lies beyond is another device's. The first capability of each type counts. Called by
 * pci.c. */
#include <stddef.h>
#include "virtio_parts.h"

#define CAPABILITIES 0x34u
#define FIRST_CAPABILITY 0x40u
#define SPACE 0x100u
#define MAX_CAPABILITIES ((SPACE - FIRST_CAPABILITY) / 4)
#define CAP_VENDOR 9u
#define CAP_BYTES 16u

/* bytes: at least, of a part that can be used; read: as much of it is read, whatever its length. */
static const struct {
    uint32_t bytes, read, alignment;
    unsigned cap_bytes;
} needs[VIRTIO_PARTS] = {
    [VIRTIO_COMMON] = { 56, 56, 4, CAP_BYTES },
    [VIRTIO_NOTIFY] = { 2, 2, 2, CAP_BYTES + 4 },
    [VIRTIO_ISR] = { 1, 1, 1, CAP_BYTES },
    [VIRTIO_CONFIG] = { 8, 64, 4, CAP_BYTES },
};

static const char *set_part(uint32_t (*read)(uint16_t function, unsigned reg), uint16_t function,
                            unsigned cap, unsigned type, const struct bar bar[PCI_BARS],
                            struct virtio_parts *parts)
{
    unsigned index = read(function, cap + 4) & 0xff;
    uint32_t offset = read(function, cap + 8), bytes = read(function, cap + 12);
    uint64_t used = bytes > needs[type].read ? bytes : needs[type].read;

    if (index >= PCI_BARS)
        return NULL;                    /* reserved: such a capability does not count */
    if (bytes < needs[type].bytes || offset % needs[type].alignment != 0)
        return "a part of its registers is too short, or not aligned";
    if (bar[index].bytes == 0 || used > bar[index].bytes || offset > bar[index].bytes - used)
        return "its registers are not in its BAR";
    parts->part[type] = (struct bar){ bar[index].address + offset, used };
    if (type == VIRTIO_NOTIFY)
        parts->notify_multiplier = read(function, cap + CAP_BYTES);
    return NULL;
}

const char *virtio_find_parts(uint32_t (*read)(uint16_t function, unsigned reg), uint16_t function,
                              const struct bar bar[PCI_BARS], struct virtio_parts *parts)
{
    unsigned cap = read(function, CAPABILITIES) & 0xfc;
    const char *problem;

    *parts = (struct virtio_parts){ 0 };
    for (unsigned i = 0; cap >= FIRST_CAPABILITY; i++) {
        uint32_t head = read(function, cap);
        unsigned type = head >> 24;

        if (i == MAX_CAPABILITIES)
            return "its list of capabilities does not end";
        if ((head & 0xff) == CAP_VENDOR && type >= VIRTIO_COMMON && type < VIRTIO_PARTS &&
            parts->part[type].bytes == 0) {
            if (cap + needs[type].cap_bytes > SPACE)
                return "a capability ends beyond its configuration space";
            problem = set_part(read, function, cap, type, bar, parts);
            if (problem != NULL)
                return problem;
        }
        cap = head >> 8 & 0xfc;
    }
    for (unsigned type = VIRTIO_COMMON; type < VIRTIO_PARTS; type++)
        if (parts->part[type].bytes == 0)
            return "it is no modern virtio device";
    return NULL;
}
