/* Shared by build.c, build_plan.c and build_tables.c: the plan of a guest's initial memory, and the
 * state of building it. Other files use build.h.
 *
 * Pseudo-physical memory, page 0 first; the boot region is mapped from virt_base on, so that the
 * address of each of its pages is virt_base + pfn * 4096:
 *
 *   [gap][kernel][ramdisk, if mapped][p2m, without INIT_P2M][start_info][store][console][page
 *   tables][stack][padding] [ramdisk, unmapped][p2m, mapped at INIT_P2M][its page tables]
 *   then the rest of the memory */
#ifndef XEN_BUILDER_H
#define XEN_BUILDER_H

#include "xen/boot/image.h"
#include "xen/boot/module_words.h"
#include "xen/core/domain.h"

#define PER_PAGE 512u                   /* p2m entries, or page-table entries, in a page */

/* Page tables for [start, end): all that the range needs below L4, one level after the other from
 * pfn first_pfn on, L3 first. Table i of level n maps the i-th slice of 2^(12 + 9n) bytes that the
 * range touches. */
struct table_range {
    uint64_t start, end;
    pfn_t first_pfn;
};

struct build {
    struct domain *d;
    const struct domain_config *config;
    struct kernel_image image;
    const void *ramdisk;
    uint64_t ramdisk_size;

    /* The plan: build_plan.c. Page numbers are pseudo-physical. */
    uint64_t nr_pages;
    pfn_t loaded_end;                   /* all that is drawn above is below; build_load fills it */
    pfn_t kernel_end, ramdisk_pfn, p2m_pfn, start_info_pfn, store_pfn, console_pfn, l4_pfn,
        stack_pfn;
    pfn_t boot_end;                     /* mapped from virt_base: [0, boot_end) */
    uint64_t nr_p2m_pages;
    uint64_t nr_boot_tables;            /* the L4 included */
    uint64_t nr_p2m_frames;             /* with INIT_P2M: list and its tables; else 0 */
    struct table_range boot, p2m;       /* p2m.end 0: the list is in the boot region */

    /* The state: p2m_page[i] is the i-th page of the guest's p2m list, in the hypervisor's
     * mapping. */
    uint64_t **p2m_page;
    unsigned p2m_page_order;            /* of the array */
};

static inline uint64_t boot_va(const struct build *b, pfn_t pfn)
{
    return b->image.virt_base + (pfn << PAGE_SHIFT);
}

static inline mfn_t build_mfn(const struct build *b, pfn_t pfn)
{
    return b->p2m_page[pfn / PER_PAGE][pfn % PER_PAGE];
}

/* How many tables of a level (1..3) the range needs. */
static inline uint64_t tables_of_level(const struct table_range *r, unsigned level)
{
    unsigned shift = PAGE_SHIFT + 9 * level;

    return ((r->end - 1) >> shift) - (r->start >> shift) + 1;
}

#endif
