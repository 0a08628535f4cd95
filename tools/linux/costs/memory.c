/* Faults and mappings: what a kernel does with page tables. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>
#include "costs.h"

#define FAULTS 256u             /* samples of one fault */
#define PAGES 64u               /* of the rows that change many entries */

static uint8_t *area;
static uint8_t *next;           /* the page for the next sample */

/* --- Faults ----------------------------------------------------------------------------------- */

static int file;

/* A file whose pages are in memory. */
static void make_file(void)
{
    static const uint8_t page[PAGE];

    file = (int)must(open("/file", O_RDWR | O_CREAT | O_TRUNC, 0600), "open of /file");
    for (unsigned i = 0; i < FAULTS; i++)
        must(write(file, page, PAGE), "write");
}

static void close_file(void)
{
    close(file);
    must(unlink("/file"), "unlink");
}

static void map_file(void)
{
    area = mmap(NULL, FAULTS * PAGE, PROT_READ, MAP_SHARED, file, 0);
    must(area == MAP_FAILED ? -1 : 0, "mmap of a file");
}

static void unmap_file(void)
{
    unmap(area, FAULTS);
}

/* The kernel maps the neighbours, too, at each fault. */
static void sample_file_faults(void)
{
    for (unsigned i = 0; i < FAULTS; i++)
        *(volatile uint8_t *)(area + i * PAGE);
}

static void map_fresh(void)
{
    next = area = map(FAULTS);
}

/* A child has the same pages as long as it lives. */
static int to_child[2];
static long child;

static void share_with_child(void)
{
    char byte;

    map_fresh();
    touch(area, FAULTS);
    must(pipe(to_child), "pipe");
    child = must(fork(), "fork");
    if (child == 0) {
        close(to_child[1]);
        _exit((int)read(to_child[0], &byte, 1));
    }
}

static void end_child(void)
{
    close(to_child[0]);
    close(to_child[1]);
    wait_for(child);
    unmap(area, FAULTS);
}

static void unmap_all(void)
{
    unmap(area, FAULTS);
}

static void sample_write(void)
{
    *(volatile uint8_t *)next = 1;
}

static void next_page(void)
{
    next += PAGE;
}

/* --- Mappings --------------------------------------------------------------------------------- */

/* Far from everything else, so that a table of each level is made, and freed again. */
static void sample_fresh_tables(void)
{
    uint8_t *at = mmap((void *)0x100000000000, PAGE, PROT_READ | PROT_WRITE,
                       MAP_ANONYMOUS | MAP_PRIVATE | MAP_FIXED, -1, 0);

    must(at == MAP_FAILED ? -1 : 0, "mmap at a fixed address");
    touch(at, 1);
    unmap(at, 1);
}

static void map_touched(void)
{
    area = map(PAGES);
    touch(area, PAGES);
}

static void unmap_touched(void)
{
    unmap(area, PAGES);
}

static void sample_mprotect(void)
{
    must(mprotect(area, PAGES * PAGE, PROT_READ), "mprotect");
    must(mprotect(area, PAGES * PAGE, PROT_READ | PROT_WRITE), "mprotect");
}

/* 1 TiB apart, there and back. */
static void sample_mremap(void)
{
    uint8_t *const there = area - (1ul << 40);

    for (unsigned i = 0; i < 2; i++) {
        void *at = mremap(i ? there : area, PAGES * PAGE, PAGES * PAGE,
                          MREMAP_MAYMOVE | MREMAP_FIXED, i ? area : there);

        must(at == MAP_FAILED ? -1 : 0, "mremap");
    }
}

static void sample_map(void)
{
    unmap(map(PAGES), PAGES);
}

static void sample_map_touch(void)
{
    uint8_t *at = map(PAGES);

    touch(at, PAGES);
    unmap(at, PAGES);
}

static void sample_brk(void)
{
    uint8_t *at = sbrk(PAGES * PAGE);

    must(at == (void *)-1 ? -1 : 0, "sbrk");
    touch(at, PAGES);
    sbrk(-(intptr_t)(PAGES * PAGE));
}

const struct row memory_rows[] = {
    { .name = "page fault, file", .samples = 21, .per = FAULTS, .sample = sample_file_faults,
      .begin = make_file, .before = map_file, .after = unmap_file, .end = close_file },
    { .name = "page fault, anonymous", .samples = FAULTS, .per = 1, .sample = sample_write,
      .begin = map_fresh, .after = next_page, .end = unmap_all },
    { .name = "page fault, copy-on-write", .samples = FAULTS, .per = 1, .sample = sample_write,
      .begin = share_with_child, .after = next_page, .end = end_child },
    { .name = "fresh page tables, touch, unmap", .samples = 101, .per = 1,
      .sample = sample_fresh_tables },
    { .name = "mprotect of 64 pages, twice", .samples = 51, .per = 1, .sample = sample_mprotect,
      .begin = map_touched, .end = unmap_touched },
    { .name = "mremap of 64 pages, twice", .samples = 31, .per = 1, .sample = sample_mremap,
      .begin = map_touched, .end = unmap_touched },
    { .name = "mmap, munmap of 64 pages", .samples = 101, .per = 1, .sample = sample_map },
    { .name = "mmap, touch, munmap of 64 pages", .samples = 31, .per = 1,
      .sample = sample_map_touch },
    { .name = "brk up, touch, down of 64 pages", .samples = 31, .per = 1, .sample = sample_brk },
};
ROWS(memory_rows);
