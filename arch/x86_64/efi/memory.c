/* Reads the firmware's memory map. RAM is what is free and what boot services, boot loaders and
 * applications use; ranges of runtime services are recorded, so that they can be mapped for them;
 * the rest is not used. Called by xen.efi, and by multiboot.c when the loader passes such a map. It
 * calls no firmware, so that the host tests can use it. */
#include "common/string.h"
#include "arch/x86_64/efi/memory.h"

#define LOW_PAGES_FIRST 0x8000ull
#define LOW_PAGES_END 0xa0000ull

enum {
    LOADER_CODE = 1,
    LOADER_DATA,
    BOOT_CODE,
    BOOT_DATA,
    RUNTIME_CODE,
    RUNTIME_DATA,
    CONVENTIONAL,
    IO_MEMORY = 11
};

#define ATTRIBUTE_WRITE_BACK (1ull << 3)
#define ATTRIBUTE_SPECIFIC_PURPOSE (1ull << 18)
#define ATTRIBUTE_RUNTIME (1ull << 63)

static bool is_ram(const struct efi_descriptor *d)
{
    static const bool ram[] = {[LOADER_CODE] = true,
                               [LOADER_DATA] = true,
                               [BOOT_CODE] = true,
                               [BOOT_DATA] = true,
                               [CONVENTIONAL] = true};

    return d->type < ARRAY_SIZE(ram) && ram[d->type] && (d->attributes & ATTRIBUTE_WRITE_BACK) &&
           !(d->attributes & (ATTRIBUTE_RUNTIME | ATTRIBUTE_SPECIFIC_PURPOSE));
}

static const struct efi_descriptor *descriptor(const struct efi_map *map, uint64_t i)
{
    return (const void *)((const char *)map->data + i * map->descriptor_bytes);
}

static uint64_t nr_descriptors(const struct efi_map *map)
{
    return map->bytes / map->descriptor_bytes;
}

static uint64_t end_of(const struct efi_descriptor *d)
{
    return d->start + d->nr_pages * EFI_PAGE;
}

/* Makes room at index i of the sorted table. If the table is full, the smallest range is dropped.
 * False: that is the new one. */
static bool make_room(struct boot_info *info, unsigned *i, uint64_t bytes)
{
    struct ram_range *r = info->ranges;
    unsigned smallest = 0;

    if (info->nr_ranges == ARRAY_SIZE(info->ranges)) {
        for (unsigned k = 1; k < info->nr_ranges; k++)
            if (r[k].end - r[k].start < r[smallest].end - r[smallest].start)
                smallest = k;
        info->dropped += MIN(bytes, r[smallest].end - r[smallest].start);
        if (bytes <= r[smallest].end - r[smallest].start)
            return false;
        info->nr_ranges--;
        memmove(&r[smallest], &r[smallest + 1], (info->nr_ranges - smallest) * sizeof(*r));
        *i -= smallest < *i;
    }
    memmove(&r[*i + 1], &r[*i], (info->nr_ranges - *i) * sizeof(*r));
    info->nr_ranges++;
    return true;
}

static void add_range(struct boot_info *info, uint64_t start, uint64_t end)
{
    struct ram_range *r = info->ranges;
    unsigned i = info->nr_ranges;

    start = MAX(start, LOW_MEMORY_END);
    if (start >= end)
        return;
    while (i > 0 && r[i - 1].start > start)
        i--;
    if (i > 0 && r[i - 1].end == start && i < info->nr_ranges && r[i].start == end) {
        r[i - 1].end = r[i].end;
        info->nr_ranges--;
        memmove(&r[i], &r[i + 1], (info->nr_ranges - i) * sizeof(*r));
    } else if (i > 0 && r[i - 1].end == start) {
        r[i - 1].end = end;
    } else if (i < info->nr_ranges && r[i].start == end) {
        r[i].start = start;
    } else if (make_room(info, &i, end - start)) {
        r[i] = (struct ram_range){ start, end };
    }
}

static void add_runtime(struct boot_runtime *r, const struct efi_descriptor *d)
{
    r->range[r->nr_ranges].start = d->start;
    r->range[r->nr_ranges].end = end_of(d);
    r->range[r->nr_ranges].uncached = !(d->attributes & ATTRIBUTE_WRITE_BACK);
    r->nr_ranges++;
}

void memory_parse_runtime(struct boot_runtime *r, const struct efi_map *map)
{
    r->nr_ranges = 0;
    for (uint64_t i = 0; i < nr_descriptors(map); i++) {
        if (!(descriptor(map, i)->attributes & ATTRIBUTE_RUNTIME))
            continue;
        if (r->nr_ranges == ARRAY_SIZE(r->range)) {
            r->nr_ranges = 0;               /* a part of the firmware is of no use */
            return;
        }
        add_runtime(r, descriptor(map, i));
    }
}

/* The first pages are the firmware's: interrupt vectors and data of a BIOS. */
void memory_note_low(struct boot_info *info, uint64_t start, uint64_t end)
{
    start = ALIGN_UP(MAX(start, LOW_PAGES_FIRST), EFI_PAGE);
    end = ALIGN_DOWN(MIN(end, LOW_PAGES_END), EFI_PAGE);
    if (end > start && end - start >= 2 * EFI_PAGE && end - 2 * EFI_PAGE > info->low_pages)
        info->low_pages = end - 2 * EFI_PAGE;
}

void memory_parse(struct boot_info *info, const struct efi_map *map, uint64_t image_start,
                 uint64_t image_end)
{
    info->nr_ranges = 0;
    info->dropped = 0;
    info->low_pages = 0;
    memory_parse_runtime(&info->runtime, map);
    for (uint64_t i = 0; i < nr_descriptors(map); i++) {
        const struct efi_descriptor *d = descriptor(map, i);

        if (!is_ram(d))
            continue;
        memory_note_low(info, d->start, end_of(d));
        add_range(info, d->start, MIN(end_of(d), MAX(image_start, d->start)));
        add_range(info, MAX(d->start, MIN(image_end, end_of(d))), end_of(d));
    }
}

uint64_t memory_place(const struct efi_map *map, uint64_t bytes, uint64_t align, uint64_t from)
{
    uint64_t best = 0;

    for (uint64_t i = 0; i < nr_descriptors(map); i++) {
        const struct efi_descriptor *d = descriptor(map, i);
        uint64_t start = ALIGN_UP(MAX(MAX(d->start, from), 2ull << 20), align);

        if (d->type != CONVENTIONAL || !is_ram(d) || start + bytes > MIN(end_of(d), 4ull << 30))
            continue;
        if (best == 0 || start < best)
            best = start;
    }
    return best;
}
