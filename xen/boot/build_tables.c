/* Allocates a new guest's frames, and writes its p2m list with the inverse in the M2P, its first
 * page tables, and its hypercall page. The tables have no type yet: build.c pins the L4, which
 * validates all of them as a hypercall would. The loops over all frames must be short, about five
 * instructions a frame, because a large guest has millions. Called by build.c. */
#include "arch/arch.h"
#include "common/string.h"
#include "xen/boot/build.h"
#include "xen/boot/build_tables.h"
#include "xen/boot/builder.h"
#include "xen/core/alloc.h"
#include "xen/core/frame.h"
#include "xen/core/sched.h"
#include "xen/core/walk.h"

#define L1_FLAGS (PTE_P | PTE_RW | PTE_A)
#define TABLE_FLAGS (L1_FLAGS | PTE_US | PTE_D)
#define LARGEST_ORDER 8u                /* 1 MiB: at most so much is zeroed at once */
#define WORK_PER_FRAME 1000u

typedef void (*record_fn)(struct build *b, pfn_t pfn, mfn_t mfn, uint64_t n);

static void record_frames(struct build *b, pfn_t pfn, mfn_t mfn, uint64_t n)
{
    while (n != 0) {
        uint64_t run = MIN(n, PER_PAGE - pfn % PER_PAGE);
        uint64_t *p2m = &b->p2m_page[pfn / PER_PAGE][pfn % PER_PAGE], *m2p = &m2p_table[mfn];

        for (uint64_t i = 0; i < run; i++) {
            p2m[i] = mfn + i;
            m2p[i] = pfn + i;
        }
        pfn += run;
        mfn += run;
        n -= run;
    }
}

static void record_p2m_pages(struct build *b, pfn_t pfn, mfn_t mfn, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        b->p2m_page[pfn - b->p2m_pfn + i] = mfn_to_virt(mfn + i);
}

/* Allocates n frames for the pages from pfn on, in the largest blocks there are. */
static bool allocate(struct build *b, pfn_t pfn, uint64_t n, record_fn record)
{
    unsigned order = LARGEST_ORDER;

    while (n != 0) {
        mfn_t mfn;

        while (1ull << order > n)
            order--;
        mfn = alloc_domain_frames(b->d, order, 0);
        if (mfn == INVALID_MFN) {
            if (order-- == 0)
                return false;
            continue;
        }
        record(b, pfn, mfn, 1ull << order);
        pfn += 1ull << order;
        n -= 1ull << order;
        preempt_after(WORK_PER_FRAME << order);
    }
    return true;
}

/* The frames of the p2m list are allocated first, as the others are written into it. */
int populate_loaded(struct build *b)
{
    pfn_t p2m_end = b->p2m_pfn + b->nr_p2m_pages;

    if (!allocate(b, b->p2m_pfn, b->nr_p2m_pages, record_p2m_pages) ||
        !allocate(b, 0, b->p2m_pfn, record_frames) ||
        !allocate(b, p2m_end, b->loaded_end - p2m_end, record_frames))
        return build_fail(b, -ENOMEM,
                          "out of memory: beside its files it needs %lu KiB to begin with, and %lu "
                          "KiB more are free",
                          b->loaded_end * (PAGE_SIZE / 1024),
                          nr_free_frames() * (PAGE_SIZE / 1024));
    for (uint64_t i = 0; i < b->nr_p2m_pages; i++)
        record_frames(b, b->p2m_pfn + i, virt_to_mfn(b->p2m_page[i]), 1);
    return 0;
}

int populate_rest(struct build *b)
{
    if (!allocate(b, b->loaded_end, b->nr_pages - b->loaded_end, record_frames))
        return build_fail(b, -ENOMEM, "out of memory: it wants %lu frames, %lu are free",
                          b->nr_pages, nr_free_frames());
    for (uint64_t i = b->nr_pages; i % PER_PAGE != 0; i++)
        b->p2m_page[i / PER_PAGE][i % PER_PAGE] = INVALID_MFN;
    return 0;
}

static uint64_t *page_at(const struct build *b, pfn_t pfn)
{
    return mfn_to_virt(build_mfn(b, pfn));
}

/* The pfn of the table of that level that maps va. */
static pfn_t table_pfn(const struct table_range *r, unsigned level, uint64_t va)
{
    unsigned shift = PAGE_SHIFT + 9 * level;
    pfn_t pfn = r->first_pfn;

    for (unsigned above = 3; above > level; above--)
        pfn += tables_of_level(r, above);
    return pfn + ((va >> shift) - (r->start >> shift));
}

static void link_tables(const struct build *b, const struct table_range *r)
{
    for (unsigned level = 3; level >= 1; level--) {
        unsigned shift = PAGE_SHIFT + 9 * level;

        for (uint64_t i = 0; i < tables_of_level(r, level); i++) {
            uint64_t va = ((r->start >> shift) + i) << shift;
            uint64_t *parent =
                page_at(b, level == 3 ? b->l4_pfn : table_pfn(r, level + 1, MAX(va, r->start)));
            pfn_t pfn = table_pfn(r, level, MAX(va, r->start));

            memset(page_at(b, pfn), 0, PAGE_SIZE);
            parent[table_index(va, level + 1)] = build_mfn(b, pfn) << PAGE_SHIFT | TABLE_FLAGS;
        }
    }
}

/* Maps the range to the pages from pfn on, writable. */
static void fill_l1(const struct build *b, const struct table_range *r, pfn_t pfn)
{
    uint64_t va = r->start;

    while (va != r->end) {
        uint64_t *l1 = page_at(b, table_pfn(r, 1, va));

        do {
            l1[table_index(va, 1)] = build_mfn(b, pfn++) << PAGE_SHIFT | L1_FLAGS;
            va += PAGE_SIZE;
        } while (va != r->end && table_index(va, 1) != 0);
    }
}

void build_tables(struct build *b)
{
    memset(page_at(b, b->l4_pfn), 0, PAGE_SIZE);
    link_tables(b, &b->boot);
    fill_l1(b, &b->boot, 0);
    for (pfn_t pfn = b->l4_pfn; pfn < b->l4_pfn + b->nr_boot_tables; pfn++) {
        uint64_t va = boot_va(b, pfn);

        page_at(b, table_pfn(&b->boot, 1, va))[table_index(va, 1)] &= ~PTE_RW;
    }
    if (b->p2m.end != 0) {
        link_tables(b, &b->p2m);
        fill_l1(b, &b->p2m, b->p2m_pfn);
    }
}
