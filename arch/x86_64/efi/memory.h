/* EFI's memory map, and what of it is RAM for us. Knows nothing of EFI's calls. */
#ifndef EFI_MEMORY_H
#define EFI_MEMORY_H

#include "xen/boot/boot_info.h"
#include "common/compiler.h"

/* UEFI 2.10, 7.2.3; descriptors may be longer than this. */
struct efi_descriptor {
    uint32_t type;
    uint32_t reserved;
    uint64_t start, virtual_start, nr_pages, attributes;
};

struct efi_map {
    const void *data;
    uint64_t bytes, descriptor_bytes;
};

#define EFI_PAGE 4096ull
#define LOW_MEMORY_END (1ull << 20)     /* belongs to firmware habits */

/* The ranges of firmware that stays; none at all if they do not all fit. */
void memory_take_runtime(struct boot_runtime *r, const struct efi_map *map);
/* That, ranges and dropped. [image_start, image_end) is ourselves. */
void memory_take(struct boot_info *info, const struct efi_map *map, uint64_t image_start,
                 uint64_t image_end);
/* The first place of that many bytes, free in the map and aligned, at or above 2 MiB and below 4
 * GiB, not before from; 0: none. */
uint64_t memory_place(const struct efi_map *map, uint64_t bytes, uint64_t align, uint64_t from);

#endif
