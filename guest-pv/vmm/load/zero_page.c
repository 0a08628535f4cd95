/* What a kernel is told in memory: the zero page (struct boot_params of Linux, zero-page.rst), the
 * command line behind a pointer in it, and the seed of its random numbers as the one setup_data.
 * Called by load.c. */
#include <string.h>
#include "guest-pv/vmm/load/layout.h"

/* Offsets in the zero page. */
enum {
    NR_E820 = 0x1e8,
    BOOT_FLAG = 0x1fe,
    HEADER = 0x202, VERSION = 0x206, LOADER = 0x210, LOADFLAGS = 0x211,
    RAMDISK_IMAGE = 0x218, RAMDISK_SIZE = 0x21c,
    CMDLINE_POINTER = 0x228, KERNEL_ALIGNMENT = 0x230, SETUP_DATA = 0x250,
    E820_TABLE = 0x2d0,
};
#define PROTOCOL 0x20fu                 /* 2.15 */
#define LOADER_UNKNOWN 0xffu            /* without a number assigned to it */
#define LOADED_HIGH 1u
#define ALIGNMENT 0x200000u
#define SETUP_RNG_SEED 9u
#define E820_RAM 1u

struct setup_data {
    uint64_t next;
    uint32_t type, len;
    uint8_t data[32];
};

struct e820_entry {
    uint64_t start, size;
    uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct e820_entry) == 20, "as the BIOS has it");

static void put(struct cpu *c, unsigned offset, uint64_t value, unsigned bytes)
{
    memcpy(c->ram.bytes + ZERO_PAGE_AT + offset, &value, bytes);
}

static void write_memory_map(struct cpu *c)
{
    const struct e820_entry map[] = {
        { 0, LOW_END, E820_RAM },
        { HIGH_START, c->ram.nr_frames * GUEST_PAGE - HIGH_START, E820_RAM },
    };

    memcpy(c->ram.bytes + ZERO_PAGE_AT + E820_TABLE, map, sizeof(map));
    put(c, NR_E820, ARRAY_SIZE(map), 1);
}

static void write_seed(struct cpu *c, const struct load_request *r)
{
    struct setup_data seed = { .type = SETUP_RNG_SEED, .len = sizeof(seed.data) };

    memcpy(seed.data, r->seed, sizeof(seed.data));
    memcpy(c->ram.bytes + SEED_AT, &seed, sizeof(seed));
    put(c, SETUP_DATA, SEED_AT, 8);
}

void write_zero_page(struct cpu *c, const struct load_request *r, uint64_t ramdisk_at)
{
    memset(c->ram.bytes + ZERO_PAGE_AT, 0, GUEST_PAGE);
    put(c, BOOT_FLAG, 0xaa55, 2);
    memcpy(c->ram.bytes + ZERO_PAGE_AT + HEADER, "HdrS", 4);
    put(c, VERSION, PROTOCOL, 2);
    put(c, LOADER, LOADER_UNKNOWN, 1);
    put(c, LOADFLAGS, LOADED_HIGH, 1);
    put(c, RAMDISK_IMAGE, ramdisk_at, 4);
    put(c, RAMDISK_SIZE, r->ramdisk_bytes, 4);
    put(c, CMDLINE_POINTER, CMDLINE_AT, 4);
    put(c, KERNEL_ALIGNMENT, ALIGNMENT, 4);
    write_memory_map(c);
    write_seed(c, r);
    memcpy(c->ram.bytes + CMDLINE_AT, r->cmdline, strlen(r->cmdline) + 1);
}
