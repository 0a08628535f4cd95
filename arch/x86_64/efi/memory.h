/* The firmware's memory map, and which of it is RAM. */
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
#define LOW_MEMORY_END (1ull << 20)     /* not used: the firmware may still use it */

/* Adds the ranges of the runtime services; none at all if they do not all fit. */
void memory_parse_runtime(struct boot_runtime *r, const struct efi_map *map);
/* Remembers the highest two pages of RAM below 640 KiB: [start, end) is a range of RAM. */
void memory_note_low(struct boot_info *info, uint64_t start, uint64_t end);
/* Fills info's runtime ranges, low pages, RAM ranges and dropped. [image_start, image_end) is the
 * hypervisor's image. */
void memory_parse(struct boot_info *info, const struct efi_map *map, uint64_t image_start,
                 uint64_t image_end);
/* The lowest address of that many free bytes in the map, aligned, at or above 2 MiB and `from`,
 * below 4 GiB; 0: none. */
uint64_t memory_place(const struct efi_map *map, uint64_t bytes, uint64_t align, uint64_t from);

#endif
