/* What a loader tells, each in its own way: where memory ends, and the command line. The loader is
 * believed, as the machine is; only what is copied is limited. */
#include <stdint.h>
#include <public/arch-x86/hvm/start_info.h>
#include <string.h>
#include "bare.h"

#define HIGH_START 0x100000ull
#define E820_RAM 1

static void copy_cmdline(struct machine_info *out, uint64_t from)
{
    const char *text = direct(from);

    for (unsigned i = 0; from && i < sizeof(out->cmdline) - 1 && text[i]; i++)
        out->cmdline[i] = text[i];
}

/* The range that holds the image counts. */
static void add_ram(struct machine_info *out, uint64_t start, uint64_t size, uint32_t type)
{
    if (type == E820_RAM && start <= HIGH_START && start + size > HIGH_START)
        out->memory_end = start + size;
}

static void read_pvh(uint64_t info, struct machine_info *out)
{
    const struct hvm_start_info *si = direct(info);
    const struct hvm_memmap_table_entry *map = direct(si->memmap_paddr);

    for (uint32_t i = 0; si->version > 0 && i < si->memmap_entries; i++)
        add_ram(out, map[i].addr, map[i].size, map[i].type);
    copy_cmdline(out, si->cmdline_paddr);
}

/* Tags, each aligned to 8 bytes, behind a header of 8. */
enum { MB2_END = 0, MB2_CMDLINE = 1, MB2_MEMORY = 4 };

static void read_multiboot2(uint64_t info, struct machine_info *out)
{
    for (uint64_t at = info + 8;;) {
        const uint32_t *tag = direct(at);

        if (tag[0] == MB2_END || tag[1] < 8)
            return;
        if (tag[0] == MB2_CMDLINE)
            copy_cmdline(out, at + 8);
        if (tag[0] == MB2_MEMORY)               /* KiB below and above 1 MiB */
            out->memory_end = HIGH_START + ((uint64_t)tag[3] << 10);
        at += (tag[1] + 7ull) & ~7ull;
    }
}

/* Offsets in the zero page (Linux, zero-page.rst). */
enum { NR_E820 = 0x1e8, CMDLINE = 0x228, E820 = 0x2d0, E820_ENTRY = 20 };

static void read_zero_page(uint64_t info, struct machine_info *out)
{
    const uint8_t *page = direct(info);
    uint32_t cmdline;

    for (unsigned i = 0; i < page[NR_E820]; i++) {
        uint64_t range[2];
        uint32_t type;

        memcpy(range, page + E820 + i * E820_ENTRY, 16);
        memcpy(&type, page + E820 + i * E820_ENTRY + 16, 4);
        add_ram(out, range[0], range[1], type);
    }
    memcpy(&cmdline, page + CMDLINE, 4);
    copy_cmdline(out, cmdline);
}

void read_info(unsigned entered, uint64_t info, struct machine_info *out)
{
    static void (*const readers[])(uint64_t info, struct machine_info *out) = {
        [ENTERED_PVH] = read_pvh, [ENTERED_MULTIBOOT2] = read_multiboot2,
        [ENTERED_LINUX] = read_zero_page,
    };

    readers[entered](info, out);
}
