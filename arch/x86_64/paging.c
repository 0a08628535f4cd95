/* The hypervisor's address space: the map of all RAM, and the entries in slots 256..271 of every
 * guest's L4. The frame table and the M2P are frame_memory.c's; guests' own entries are checked by
 * xen/pv/pagetype.c. Called at boot by start.c, and by xen/ through arch/arch.h (arch_fill_l4,
 * copies from and to guests). Flushes are tlb.c's.
 *
 * At boot, memory is allocated from the upper end of the RAM ranges below 4 GiB, which boot.S has
 * mapped, around the modules. The rest goes to the free lists; it is not written. */
#include "common/string.h"
#include "arch/x86_64/boot.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/efi_runtime.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/frame_memory.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/vcpu.h"
#include "xen/boot/boot_info.h"
#include "xen/core/alloc.h"
#include "xen/core/bug.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/sched.h"
#include "xen/core/walk.h"
#include "arch/x86_64/efi_runtime.h"

#define BOOT_MAPPED (4ull << 30)
#define LARGE_PAGE (2ull << 20)

extern uint64_t boot_l3[512];
uint64_t idle_root;

/* The highest module that overlaps [start, end), or NULL. */
static const struct boot_module *module_in(uint64_t start, uint64_t end)
{
    const struct boot_module *found = NULL;

    for (unsigned i = 0; i < boot_info.nr_modules; i++) {
        const struct boot_module *m = &boot_info.modules[i];

        if (m->start < end && ALIGN_UP(m->start + m->size, PAGE_SIZE) > start &&
            (!found || m->start > found->start))
            found = m;
    }
    return found;
}

static void split_range(unsigned i, uint64_t start, uint64_t end)
{
    struct ram_range *r = &boot_info.ranges[i];

    if (end < r->end && boot_info.nr_ranges < ARRAY_SIZE(boot_info.ranges)) {
        memmove(r + 1, r, (boot_info.nr_ranges - i) * sizeof(*r));
        boot_info.nr_ranges++;
        r[1].start = end;
    } else {
        boot_info.dropped += r->end - end;  /* 0 if the range was not cut */
    }
    r->end = start;
}

void *early_alloc(uint64_t bytes, uint64_t align)
{
    bytes = ALIGN_UP(bytes, PAGE_SIZE);
    for (unsigned i = boot_info.nr_ranges; i-- > 0;) {
        const struct ram_range *r = &boot_info.ranges[i];
        uint64_t end = MIN(r->end, BOOT_MAPPED);

        while (end > r->start && end - r->start >= bytes) {
            uint64_t start = ALIGN_DOWN(end - bytes, align);
            const struct boot_module *m;

            if (start < r->start)
                break;
            m = module_in(start, start + bytes);
            if (m != NULL) {
                end = ALIGN_DOWN(m->start, PAGE_SIZE);
                continue;
            }
            split_range(i, start, start + bytes);
            return mfn_to_virt(start >> PAGE_SHIFT);
        }
    }
    panic("Not enough memory for the hypervisor itself: %lu KiB wanted below 4 GiB", bytes >> 10);
}

/* boot.S has mapped the first 4 GiB; RAM above is mapped here, by 2 MiB pages. */
static void map_all_ram(uint64_t end)
{
    for (uint64_t pa = BOOT_MAPPED; pa < end; pa += 1ull << 30) {
        uint64_t *l2 = early_alloc(PAGE_SIZE, PAGE_SIZE);

        for (unsigned i = 0; i < 512; i++)
            l2[i] = (pa + i * LARGE_PAGE) | PTE_P | PTE_RW | PTE_PS;
        boot_l3[pa >> 30] = virt_to_mfn(l2) << PAGE_SHIFT | PTE_P | PTE_RW;
    }
    root_l4[DIRECTMAP_SLOT] |= cpu_features.nx ? PTE_NX : 0;
    root_l4[0] = 0;
    write_cr3(read_cr3());
}

/* Frees a range without the modules in it; their memory is freed when the domains have been
 * built. */
static void free_range(uint64_t start, uint64_t end)
{
    const struct boot_module *m = module_in(start, end);

    while (m != NULL) {
        uint64_t module_end = ALIGN_UP(m->start + m->size, PAGE_SIZE);

        if (module_end < end)
            frames_add_untouched(module_end >> PAGE_SHIFT, end >> PAGE_SHIFT);
        end = MAX(start, ALIGN_DOWN(m->start, PAGE_SIZE));
        m = end > start ? module_in(start, end) : NULL;
    }
    if (start < end)
        frames_add_untouched(start >> PAGE_SHIFT, end >> PAGE_SHIFT);
}

void paging_init(void)
{
    uint64_t end = boot_info.nr_ranges ? boot_info.ranges[boot_info.nr_ranges - 1].end : 0;

    idle_root = image_phys(root_l4);
    for (unsigned i = 0; i < boot_info.nr_modules; i++)
        end = MAX(end, ALIGN_UP(boot_info.modules[i].start + boot_info.modules[i].size, PAGE_SIZE));
    end = MIN(end, BOOT_ADDRESS_END);
    map_all_ram(end);
    frame_memory_init(end >> PAGE_SHIFT);
    for (unsigned i = 0; i < boot_info.nr_ranges; i++)
        free_range(boot_info.ranges[i].start, boot_info.ranges[i].end);
    efi_runtime_init();
}

void arch_fill_l4(uint64_t *l4, struct domain *d)
{
    struct arch_domain *a = d->arch;

    for (unsigned i = HOLE_FIRST_SLOT; i <= HOLE_LAST_SLOT; i++)
        l4[i] = root_l4[i];
    l4[PERDOMAIN_SLOT] = (virt_to_mfn(a->l3) << PAGE_SHIFT) | PTE_P | PTE_RW | PTE_A | PTE_D;
}

void arch_show_m2p(uint64_t *l4, bool show)
{
    l4[HOLE_FIRST_SLOT] = show ? root_l4[HOLE_FIRST_SLOT] : 0;
}

size_t copy_guest(void *dst, const void *src, size_t len);

size_t arch_copy_from_guest(void *dst, uint64_t va, size_t len)
{
    return unlikely(linear_tables) ? linear_copy(dst, va, len) :
           copy_guest(dst, (const void *)va, len);
}

size_t arch_copy_from_guest_unhidden(void *dst, uint64_t va, size_t len)
{
    return copy_guest(dst, (const void *)va, len);
}

size_t arch_copy_to_guest(uint64_t va, const void *src, size_t len)
{
    return copy_guest((void *)va, src, len);
}

uint64_t arch_static_maddr(const void *p)
{
    return image_phys(p);
}
