/* Builds what a domain finds at its start (public/xen.h, "the domain start-of-day"), behind the
 * image: the p2m, start_info, the shared page, page tables that map all of it and half a MiB more,
 * a stack. bare_start() is called by enter.S and goes on at the kernel's ordinary entry. */
#include <string.h>
#include "bare.h"
#include "start.h"

#define PAGE 4096ull
#define SLACK (512ull << 10)
#define MEMORY_LIMIT (64ull << 20)      /* more is not needed, and each page has to be mapped */
#define TABLE_FLAGS 0x67ull
#define PAGE_FLAGS 0x63ull
#define L1_SPAN (PAGE * 512)

extern char image_end[];
extern char _start[];
_Noreturn void bare_start(unsigned entered, uint64_t info);
_Noreturn void bare_enter(uint64_t cr3, uint64_t start_info, uint64_t stack);

static uint64_t align_up(uint64_t x, uint64_t a)
{
    return (x + a - 1) & ~(a - 1);
}

static uint64_t put_p2m(uint64_t at, uint64_t nr_pages)
{
    uint64_t *p2m = direct(at);

    for (uint64_t i = 0; i < nr_pages; i++)
        p2m[i] = i;
    return at + align_up(nr_pages * 8, PAGE);
}

/* A root, one table of the third level, one of the second and as many of the first as map [0, end).
 * Tables are read-only, as the kernel expects them. Returns how many there are. */
static uint64_t put_tables(uint64_t at, uint64_t end)
{
    uint64_t *l4 = direct(at), *l3 = l4 + 512, *l2 = l3 + 512, *l1 = l2 + 512;
    uint64_t nr = 3 + end / L1_SPAN;

    memset(l4, 0, nr * PAGE);
    l4[511] = (at + PAGE) | TABLE_FLAGS;
    l3[510] = (at + 2 * PAGE) | TABLE_FLAGS;
    for (uint64_t i = 0; i < end / L1_SPAN; i++)
        l2[i] = (at + (3 + i) * PAGE) | TABLE_FLAGS;
    for (uint64_t page = 0; page < end; page += PAGE)
        l1[page / PAGE] = page | (page - at < nr * PAGE ? PAGE_FLAGS & ~2ull : PAGE_FLAGS);
    share_direct_map(at);
    return nr;
}

uint64_t build_domain(const struct machine_info *info, uint64_t *stack)
{
    uint64_t p2m = align_up((uint64_t)image_end - VIRT_BASE, PAGE);
    uint64_t memory = (info->memory_end < MEMORY_LIMIT ? info->memory_end : MEMORY_LIMIT) & -PAGE;
    uint64_t at = put_p2m(p2m, memory / PAGE), end = align_up(at + SLACK + 64 * PAGE, L1_SPAN);
    start_info_t *si = direct(at);

    memset(si, 0, 2 * PAGE);            /* and the shared page behind it */
    strcpy(si->magic, "bare-x86_64");
    memcpy(si->cmd_line, info->cmdline, sizeof(info->cmdline));
    si->nr_pages = memory / PAGE;
    si->shared_info = at + PAGE;
    si->mfn_list = VIRT_BASE + p2m;
    si->pt_base = VIRT_BASE + at + 2 * PAGE;
    si->nr_pt_frames = put_tables(at + 2 * PAGE, end);
    *stack = si->pt_base + (si->nr_pt_frames + 1) * PAGE;
    fill_shared_info(direct(si->shared_info));
    si->console.domU.mfn = si->store_mfn = at / PAGE;   /* there is neither */
    return VIRT_BASE + at;
}

_Noreturn void bare_start(unsigned entered, uint64_t info)
{
    static struct machine_info machine;
    uint64_t stack, info_address;

    entry_tsc = rdtsc();
    read_info(entered, info, &machine);
    machine_init();
    fill_hypercall_page();
    info_address = build_domain(&machine, &stack);
    bare_enter(((start_info_t *)info_address)->pt_base - VIRT_BASE, info_address, stack);
}
