/* Plans a new guest's initial memory: which pseudo-physical page holds what, and at which address
 * it is mapped. Nothing is allocated or written here. Order and padding are those of the ABI
 * (<public/xen.h>, above struct start_info); builder.h draws them. Numbers from the kernel's file
 * are not trusted: each sum is checked before it is used. Called by build.c. */
#include "xen/boot/build.h"
#include "xen/boot/build_plan.h"
#include "xen/boot/builder.h"
#include "xen/boot/image.h"

#define PADDING_PAGES (512u * 1024 / 4096)      /* free pages that are mapped behind the stack */
#define BOOT_ALIGN (4ull << 20)                 /* of the end of the boot region */
#define MAX_PAGES (1ull << 34)                  /* 64 TiB: no sum here can wrap */

static uint64_t pages(uint64_t bytes)
{
    return (bytes >> PAGE_SHIFT) + ((bytes & ~PAGE_MASK) != 0);
}

static uint64_t tables_below_l4(const struct table_range *r)
{
    return tables_of_level(r, 3) + tables_of_level(r, 2) + tables_of_level(r, 1);
}

static uint64_t kib(uint64_t nr_pages)
{
    return nr_pages * (PAGE_SIZE / 1024);
}

/* The page tables are in the region that they map: their number depends on the region's end, and
 * the end on their number. Both only grow, so the number is increased until it is enough. */
static int plan_boot_end(struct build *b)
{
    uint64_t base = b->image.virt_base, end;

    b->boot.start = base;
    b->boot.first_pfn = b->l4_pfn + 1;
    for (b->nr_boot_tables = 4;; b->nr_boot_tables = 1 + tables_below_l4(&b->boot)) {
        b->stack_pfn = b->l4_pfn + b->nr_boot_tables;
        end = base + ((b->stack_pfn + 1 + PADDING_PAGES) << PAGE_SHIFT);
        end = ALIGN_UP(end, BOOT_ALIGN);
        if (end <= base || !guest_range_ok(base, end - base) || !is_canonical(end - 1))
            return build_fail(b, -EINVAL,
                              "its boot mapping at %lx leaves the range a guest may use", base);
        b->boot.end = end;
        if (1 + tables_below_l4(&b->boot) == b->nr_boot_tables)
            break;
    }
    b->boot_end = (end - base) >> PAGE_SHIFT;
    return 0;
}

/* The p2m list is mapped at INIT_P2M only if that is page aligned and below virt_base, as Xen's
 * domain builder does it. Else, or if the page tables of the list and of the boot region would
 * share an L3, the list is in the boot region. In both cases start_info has its address. */
static bool has_own_p2m(const struct build *b)
{
    const struct kernel_image *k = &b->image;
    uint64_t last = k->init_p2m + (b->nr_p2m_pages << PAGE_SHIFT) - 1;

    return IMAGE_GAVE(k, XEN_ELFNOTE_INIT_P2M) && (k->init_p2m & ~PAGE_MASK) == 0 &&
           k->init_p2m < k->virt_base && last >> 39 < k->virt_base >> 39;
}

static int plan_p2m_range(struct build *b)
{
    uint64_t start = b->image.init_p2m, len = b->nr_p2m_pages << PAGE_SHIFT;

    b->p2m.start = start;
    b->p2m.end = start + len;
    if (!guest_range_ok(start, len) || !is_canonical(start) || !is_canonical(start + len - 1))
        return build_fail(b, -EINVAL,
                          "the address %lx of its INIT_P2M note is none a guest may use", start);
    b->p2m.first_pfn = b->p2m_pfn + b->nr_p2m_pages;
    b->nr_p2m_frames = b->nr_p2m_pages + tables_below_l4(&b->p2m);
    return 0;
}

int plan_memory(struct build *b)
{
    const struct kernel_image *k = &b->image;
    bool own_p2m, mapped = k->mod_start_pfn == 0;
    uint64_t ramdisk_pages = pages(b->ramdisk_size),
             image_pages = pages(k->virt_end - k->virt_base);
    pfn_t next, end;
    int rc;

    if (b->nr_pages > MAX_PAGES || image_pages > b->nr_pages || ramdisk_pages > b->nr_pages)
        return build_fail(b, -ENOMEM, "too large: image %lu KiB, ramdisk %lu KiB, memory %lu KiB",
                          kib(image_pages), kib(ramdisk_pages), kib(b->nr_pages));
    b->nr_p2m_pages = pages(b->nr_pages * sizeof(uint64_t));
    own_p2m = has_own_p2m(b);
    next = b->kernel_end = image_pages;
    if (mapped) {
        b->ramdisk_pfn = next;
        next += ramdisk_pages;
    }
    if (!own_p2m) {
        b->p2m_pfn = next;
        next += b->nr_p2m_pages;
    }
    b->start_info_pfn = next++;
    b->store_pfn = next++;
    b->console_pfn = next++;
    b->l4_pfn = next;
    rc = plan_boot_end(b);
    if (rc != 0)
        return rc;
    end = b->boot_end;
    if (!mapped) {
        b->ramdisk_pfn = end;
        end += ramdisk_pages;
    }
    if (own_p2m) {
        b->p2m_pfn = end;
        rc = plan_p2m_range(b);
        if (rc != 0)
            return rc;
        end += b->nr_p2m_frames;
    }
    if (end > b->nr_pages)
        return build_fail(b, -ENOMEM,
                          "kernel, ramdisk and tables need %lu KiB of memory, it has %lu KiB",
                          kib(end), kib(b->nr_pages));
    b->loaded_end = end;
    return 0;
}
