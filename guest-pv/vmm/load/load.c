/* Loads a kernel: judges its file, the ramdisk and the command line, and only then writes. The
 * parser of ELF files is common/elf.c. What the kernel finds in memory is written by zero_page.c,
 * the CPU's state by tables.c. Called by the vmm (main.c) before anything runs.
 *
 *   [0, 1 MiB)      boot structures (layout.h); then the kernel's segments at their physical
 *   [1 MiB, end)    addresses; the ramdisk as high as possible, from a page on, behind the kernel
 *   end: of RAM, or LOAD_END if that is lower */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "common/elf.h"
#include "guest-pv/vmm/load/layout.h"

#define RSI 6u                          /* its number in instructions */
#define MAX_SEGMENTS 32u
#define BZIMAGE_MAGIC_AT 0x202u
#define KIB(bytes) ((unsigned long)((bytes) >> 10))

struct image {
    struct elf_file elf;
    struct elf_segment segment[MAX_SEGMENTS];   /* those that are not empty */
    unsigned nr_segments;
};

static const char *refuse(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static const char *refuse(const char *fmt, ...)
{
    static char reason[160];
    va_list args;

    va_start(args, fmt);
    vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    return reason;
}

static uint64_t load_end(const struct cpu *c)
{
    return MIN(c->ram.nr_frames * GUEST_PAGE, LOAD_END);
}

/* Files that are kernels, but packed. */
static const char *check_packing(const uint8_t *file, uint64_t bytes)
{
    if (bytes >= BZIMAGE_MAGIC_AT + 4 && memcmp(file + BZIMAGE_MAGIC_AT, "HdrS", 4) == 0)
        return "the kernel is a bzImage: tools/unpack-kernel makes an ELF file of it";
    if (bytes >= 2 && memcmp(file, "\x1f\x8b", 2) == 0)
        return "the kernel is packed by gzip: tools/unpack-kernel unpacks it";
    return NULL;
}

static bool overlaps(const struct image *k, const struct elf_segment *s)
{
    for (unsigned i = 0; i < k->nr_segments; i++)
        if (s->paddr < k->segment[i].paddr + k->segment[i].memsz &&
            k->segment[i].paddr < s->paddr + s->memsz)
            return true;
    return false;
}

static const char *add_segment(struct cpu *c, struct image *k, const struct elf_segment *s)
{
    uint64_t end = s->paddr + s->memsz;

    if (s->memsz == 0)
        return NULL;
    if (s->paddr < HIGH_START)
        return refuse("the kernel's segment at %lx is below 1 MiB, where the boot structures are",
                      (unsigned long)s->paddr);
    if (end > load_end(c))
        return refuse("the kernel is too large: its segment at %lx ends at %lu KiB, and it has "
                      "memory up to %lu KiB",
                      (unsigned long)s->paddr, KIB(end), KIB(load_end(c)));
    if (overlaps(k, s))
        return refuse("the kernel's segment at %lx overlaps another", (unsigned long)s->paddr);
    if (k->nr_segments == MAX_SEGMENTS)
        return refuse("the kernel has more than %u segments to load", MAX_SEGMENTS);
    k->segment[k->nr_segments++] = *s;
    return NULL;
}

/* Its first byte must be one of the file's. */
static const char *check_entry(const struct image *k)
{
    for (unsigned i = 0; i < k->nr_segments; i++)
        if (k->elf.entry - k->segment[i].paddr < k->segment[i].filesz)
            return NULL;
    return refuse("the kernel's entry %lx is in no segment that is loaded (it is a physical "
                  "address)",
                  (unsigned long)k->elf.entry);
}

static const char *check_kernel(struct cpu *c, const struct load_request *r, struct image *k)
{
    const char *reason = check_packing(r->kernel, r->kernel_bytes);

    if (reason != NULL)
        return reason;
    reason = elf_parse(&k->elf, r->kernel, r->kernel_bytes);
    if (reason != NULL)
        return refuse("the kernel cannot be loaded: %s", reason);
    k->nr_segments = 0;
    for (unsigned i = 0; i < k->elf.phnum; i++) {
        struct elf_segment s;

        reason = elf_segment(&k->elf, i, &s) ? add_segment(c, k, &s) : NULL;
        if (reason != NULL)
            return reason;
    }
    return check_entry(k);
}

static uint64_t kernel_end(const struct image *k)
{
    uint64_t end = HIGH_START;

    for (unsigned i = 0; i < k->nr_segments; i++)
        end = MAX(end, k->segment[i].paddr + k->segment[i].memsz);
    return end;
}

/* The kernel's end is at most load_end(), a page's address. */
static const char *place_ramdisk(struct cpu *c, const struct load_request *r,
                                 const struct image *k, uint64_t *at)
{
    uint64_t end = load_end(c), room = end - ALIGN_UP(kernel_end(k), (uint64_t)GUEST_PAGE);

    if (r->ramdisk_bytes > room)
        return refuse("the ramdisk does not fit: it has %lu KiB, and %lu KiB are free behind the "
                      "kernel",
                      KIB(r->ramdisk_bytes + 1023), KIB(room));
    *at = end - ALIGN_UP(r->ramdisk_bytes, (uint64_t)GUEST_PAGE);
    return NULL;
}

static void load_segments(struct cpu *c, const struct image *k)
{
    for (unsigned i = 0; i < k->nr_segments; i++) {
        const struct elf_segment *s = &k->segment[i];
        uint8_t *to = c->ram.bytes + s->paddr;

        memcpy(to, k->elf.data + s->offset, s->filesz);
        memset(to + s->filesz, 0, s->memsz - s->filesz);
    }
}

const char *load_kernel(struct cpu *c, const struct load_request *r)
{
    struct image k;
    uint64_t ramdisk_at = 0;
    const char *reason;

    if (strlen(r->cmdline) >= CMDLINE_MAX)
        return refuse("the kernel's command line is too long: %lu bytes, and %u are possible",
                      (unsigned long)strlen(r->cmdline), CMDLINE_MAX - 1);
    reason = check_kernel(c, r, &k);
    if (reason == NULL)
        reason = place_ramdisk(c, r, &k, &ramdisk_at);
    if (reason != NULL)
        return reason;
    load_segments(c, &k);
    if (r->ramdisk_bytes != 0)
        memcpy(c->ram.bytes + ramdisk_at, r->ramdisk, r->ramdisk_bytes);
    cpu_reset(c);
    write_zero_page(c, r, r->ramdisk_bytes != 0 ? ramdisk_at : 0);
    enter_long_mode(c);
    c->regs[REG_RIP] = k.elf.entry;
    c->regs[RSI] = ZERO_PAGE_AT;
    return NULL;
}
