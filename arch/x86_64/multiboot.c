/* Multiboot 1 and 2: reads the boot loader's information and fills boot_info. Called by start.c.
 * All that the loader wrote is copied or checked against limits here; no other file reads its
 * structures. EFI's part is efi/. */
#include "xen/core/types.h"
#include "common/string.h"
#include "arch/x86_64/boot.h"
#include "arch/x86_64/boot_magic.h"
#include "arch/x86_64/multiboot.h"
#include "xen/boot/boot_info.h"
#include "arch/x86_64/efi/memory.h"

extern char _image_start[], _image_end[];

struct mb1_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4],
        mmap_length, mmap_addr, drives[2], config_table, boot_loader_name;
};

struct mb1_module {
    uint32_t start, end, string, reserved;
};

struct mb1_mmap {
    uint32_t size;
    uint64_t addr, len;
    uint32_t type;
} __attribute__((packed));

struct mb2_tag {
    uint32_t type, size;
};

struct mb2_module {
    struct mb2_tag tag;
    uint32_t start, end;
    char string[];
};

struct mb2_mmap {
    struct mb2_tag tag;
    uint32_t entry_size, entry_version;
    char entries[];
};

struct mb2_efi_table {
    struct mb2_tag tag;
    uint64_t address;
};

struct mb2_efi_mmap {
    struct mb2_tag tag;
    uint32_t descriptor_size, descriptor_version;
    char descriptors[];
};

/* UEFI 2.10, 4.3: where it points to the runtime services */
#define EFI_SYSTEM_TABLE_RUNTIME 88

struct mmap_entry {
    uint64_t addr, len;
    uint32_t type, zero;
};

static const void *phys(uint64_t pa)
{
    return (const void *)(DIRECTMAP_START + pa);
}

#define STRING_LIMIT 0x10000u           /* of a string whose length the loader does not say */

/* Returns the number of bytes for which there was no room. */
static size_t copy_bounded(char *to, size_t size, const char *from, size_t limit)
{
    size_t n = 0, len;

    while (n + 1 < size && n < limit && from[n] != '\0') {
        to[n] = from[n];
        n++;
    }
    to[n] = '\0';
    for (len = n; len < limit && from[len] != '\0'; len++)
        ;
    return len - n;
}

/* A half option could be another valid one, so the text is cut before the last blank. */
static void copy_options(const char *from, size_t limit)
{
    char *end = boot_info.cmdline + sizeof(boot_info.cmdline) - 1;

    boot_info.cmdline_cut = copy_bounded(boot_info.cmdline, sizeof(boot_info.cmdline), from, limit);
    for (; boot_info.cmdline_cut != 0 && end > boot_info.cmdline && end[-1] != ' '; end--)
        boot_info.cmdline_cut++;
    if (boot_info.cmdline_cut != 0)
        *end = '\0';
}

static void add_ram(uint64_t start, uint64_t end)
{
    struct ram_range *r = &boot_info.ranges[boot_info.nr_ranges];

    start = ALIGN_UP(start, PAGE_SIZE);
    end = ALIGN_DOWN(end, PAGE_SIZE);
    if (start >= end)
        return;
    if (boot_info.nr_ranges == ARRAY_SIZE(boot_info.ranges)) {
        boot_info.dropped += end - start;
        return;
    }
    while (r > boot_info.ranges && r[-1].start > start) {
        r[0] = r[-1];
        r--;
    }
    *r = (struct ram_range){ start, end };
    boot_info.nr_ranges++;
}

/* Where the BIOS's own data begins, which not every BIOS takes out of its memory map. */
static uint64_t ebda(void)
{
    uint64_t start = (uint64_t)*(const uint16_t *)phys(0x40e) << 4;

    return start >= 0x80000 && start < 0xa0000 ? start : 0xa0000;
}

/* Uses RAM above 1 MiB and outside the image. Firmware may still use the first megabyte. */
static void add_usable(uint64_t start, uint64_t end)
{
    uint64_t image_start = ALIGN_DOWN(image_phys(_image_start), PAGE_SIZE),
             image_end = image_phys(_image_end);

    memory_note_low(&boot_info, start, MIN(end, ebda()));
    start = MAX(start, 1ull << 20);
    if (start >= end)
        return;
    if (end <= image_start || start >= image_end) {
        add_ram(start, end);
        return;
    }
    add_ram(start, MIN(end, image_start));
    add_ram(MAX(start, image_end), end);
}

static void add_module(uint64_t start, uint64_t end, const char *string, size_t limit)
{
    struct boot_module *m = &boot_info.modules[boot_info.nr_modules];

    if (boot_info.nr_modules == ARRAY_SIZE(boot_info.modules)) {
        if (boot_info.nr_modules_dropped++ == 0)
            copy_bounded(boot_info.first_dropped, sizeof(boot_info.first_dropped), string, limit);
        return;
    }
    boot_info.nr_modules++;
    m->start = start;
    m->size = end - MIN(start, end);
    m->cut = copy_bounded(m->string, sizeof(m->string), string, limit);
}

static void parse_mb1(const struct mb1_info *mbi)
{
    if (mbi->flags & 1u << 9)
        copy_bounded(boot_info.loader, sizeof(boot_info.loader), phys(mbi->boot_loader_name), 64);
    if (mbi->flags & 1u << 2)
        copy_options(phys(mbi->cmdline), STRING_LIMIT);
    if (mbi->flags & 1u << 3) {
        const struct mb1_module *m = phys(mbi->mods_addr);

        for (uint32_t i = 0; i < mbi->mods_count; i++)
            add_module(m[i].start, m[i].end, m[i].string ? phys(m[i].string) : "", STRING_LIMIT);
    }
    if (mbi->flags & 1u << 6)
        for (uint32_t at = 0; at < mbi->mmap_length;) {
            const struct mb1_mmap *e = phys(mbi->mmap_addr + at);

            if (e->type == 1)
                add_usable(e->addr, e->addr + e->len);
            at += e->size + 4;
        }
}

static void parse_mb2_mmap(const struct mb2_mmap *t)
{
    if (t->entry_size < sizeof(struct mmap_entry))
        return;
    for (uint32_t at = sizeof(*t); at + t->entry_size <= t->tag.size; at += t->entry_size) {
        const struct mmap_entry *e = (const void *)((const char *)t + at);

        if (e->type == 1)
            add_usable(e->addr, e->addr + e->len);
    }
}

static void parse_efi_table(const struct mb2_efi_table *t)
{
    if (t->address < (4ull << 30) - PAGE_SIZE)
        memcpy(&boot_info.runtime.table, (const char *)phys(t->address) + EFI_SYSTEM_TABLE_RUNTIME,
               sizeof(uint64_t));
}

static void parse_efi_mmap(const struct mb2_efi_mmap *t)
{
    struct efi_map map = { t->descriptors, t->tag.size - sizeof(*t), t->descriptor_size };

    if (t->tag.size >= sizeof(*t) && t->descriptor_size >= sizeof(struct efi_descriptor))
        memory_parse_runtime(&boot_info.runtime, &map);
}

static void parse_mb2(const uint32_t *mbi)
{
    uint32_t total = mbi[0];

    for (uint32_t at = 8; at + sizeof(struct mb2_tag) <= total;) {
        const struct mb2_tag *t = (const void *)((const char *)mbi + at);
        const struct mb2_module *m = (const void *)t;
        const char *string = (const char *)(t + 1);

        if (t->type == 0 || t->size < sizeof(*t))
            break;
        switch (t->type) {
        case 1:
            copy_options(string, t->size - sizeof(*t));
            break;
        case 2:
            copy_bounded(boot_info.loader, sizeof(boot_info.loader), string, t->size - sizeof(*t));
            break;
        case 3:
            add_module(m->start, m->end, m->string, t->size - sizeof(*m));
            break;
        case 6:
            parse_mb2_mmap((const void *)t);
            break;
        case 12:
            parse_efi_table((const void *)t);
            break;
        case 17:
            parse_efi_mmap((const void *)t);
            break;
        case 14:
        case 15:
            memcpy(boot_info.rsdp, string, MIN(t->size - sizeof(*t), sizeof(boot_info.rsdp)));
            break;
        }
        at += ALIGN_UP(t->size, 8u);
    }
}

bool multiboot_parse(uint32_t magic, uint64_t mbi)
{
    if (magic == MB1_LOADER_MAGIC)
        parse_mb1(phys(mbi));
    else if (magic == MB2_LOADER_MAGIC)
        parse_mb2(phys(mbi));
    else
        return false;
    return true;
}
