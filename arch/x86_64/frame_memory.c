/* The memory of the frame table and of the M2P. Both are reserved at boot, but filled in piece by
 * piece, at the first access to each, by the fault of that access: so the time of the boot does not
 * grow with the RAM. Called by paging.c at boot, and by fault.c and xen/pv/traps.c for the faults.
 *
 * A piece is what one 2 MiB page holds: the entries of 256 MiB of RAM, or the M2P's of 1 GiB. Its
 * entry in the page table goes once from "not present" to the page, which no CPU's TLB must be
 * flushed for. The hypervisor may access any entry, with any locks held; guests read the M2P.
 * Frames that have never been allocated are kept by ranges (alloc.c), so that their entries are not
 * accessed.
 *
 * The L2 of the M2P serves two L3 tables: that of slot 256 allows reading, to guests; the image's
 * also writing, to the hypervisor. */
#include "common/string.h"
#include "arch/x86_64/boot.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/frame_memory.h"
#include "arch/x86_64/paging.h"
#include "xen/boot/boot_info.h"
#include "xen/core/alloc.h"
#include "xen/core/frame.h"
#include "xen/core/lock.h"
#include "xen/core/walk.h"

#define LARGE_PAGE (2ull << 20)
#define PTES_OF_1_GIB 512u
#define FRAME_TABLE_GIB (BOOT_ADDRESS_END / PAGE_SIZE * sizeof(struct frame) >> 30)
_Static_assert(FRAME_TABLE_GIB == (M2P_WRITABLE_START - FRAME_TABLE_START) >> 30, "memlayout.h");
_Static_assert(BOOT_ADDRESS_END / PAGE_SIZE * sizeof(uint64_t) == 1ull << 30, "one L2");

extern uint64_t image_l3[512];
extern char _image_start[], _image_end[];

static uint64_t m2p_l3[512] __attribute__((aligned(4096)));
static uint64_t m2p_l2[PTES_OF_1_GIB] __attribute__((aligned(4096)));
static uint64_t frame_l2[FRAME_TABLE_GIB * PTES_OF_1_GIB] __attribute__((aligned(4096)));

static struct {
    uint64_t *memory;           /* the page's, in the map of all RAM */
    uint64_t bytes;
} frames, m2p;
/* Guards both L2. */
static struct spinlock lock = SPINLOCK(LOCK_FRAME_MEMORY, 0);
/* All RAM: boot_info.ranges before anything was allocated from it. */
static struct {
    struct ram_range range[BOOT_RANGES];
    unsigned nr;
} ram;

static void fill(uint64_t *at, uint64_t value, uint64_t bytes)
{
    uint64_t words = bytes / sizeof(value);

    __asm__ volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(value) : "memory");
}

/* Marks those of these frames, from first to end, that are neither RAM nor the hypervisor's
 * image. */
static void mark_holes(struct frame *f, mfn_t first, mfn_t end)
{
    mfn_t image = image_phys(_image_start) >> PAGE_SHIFT,
          image_end = image_phys(_image_end) >> PAGE_SHIFT, mfn = first;

    for (unsigned i = 0; i <= ram.nr; i++) {
        mfn_t hole_end = i < ram.nr ? MIN(ram.range[i].start >> PAGE_SHIFT, end) : end;

        for (; mfn < hole_end; mfn++)
            if (mfn < image || mfn >= image_end)
                f[mfn - first].word = FRAME_NO_RAM;
        if (i < ram.nr)
            mfn = MAX(ram.range[i].end >> PAGE_SHIFT, first);
    }
}

static void fill_frames(uint64_t *page, uint64_t offset)
{
    uint64_t bytes = MIN(frames.bytes - offset, LARGE_PAGE);
    mfn_t first = offset / sizeof(struct frame);

    fill(page, 0, bytes);
    mark_holes((struct frame *)(void *)page, first, first + bytes / sizeof(struct frame));
}

static void fill_m2p(uint64_t *page, uint64_t offset)
{
    (void)offset;
    fill(page, INVALID_M2P_ENTRY, LARGE_PAGE);
}

/* The memory is written by its address in the map of all RAM, and after that the entry, so that no
 * CPU sees what was in the memory before. */
static void map_page(uint64_t *entry, uint64_t *page, uint64_t offset, uint64_t flags,
                     void (*fill_in)(uint64_t *page, uint64_t offset))
{
    spin_lock(&lock);
    if (!(*entry & PTE_P)) {
        fill_in(page, offset);
        store_release(entry, (virt_to_mfn(page) << PAGE_SHIFT) | flags | PTE_P | PTE_RW | PTE_PS |
                                 PTE_A | PTE_D | (cpu_features.nx ? PTE_NX : 0));
    }
    spin_unlock(&lock);
}

static void map_frames(uint64_t offset)
{
    offset = ALIGN_DOWN(offset, LARGE_PAGE);
    map_page(&frame_l2[offset / LARGE_PAGE], frames.memory + offset / sizeof(uint64_t), offset, 0,
             fill_frames);
}

static void map_m2p(uint64_t offset)
{
    offset = ALIGN_DOWN(offset, LARGE_PAGE);
    map_page(&m2p_l2[offset / LARGE_PAGE], m2p.memory + offset / sizeof(uint64_t), offset, PTE_US,
             fill_m2p);
}

bool frame_memory_fault(uint64_t va)
{
    if (va - FRAME_TABLE_START < frames.bytes)
        map_frames(va - FRAME_TABLE_START);
    else if (va - M2P_WRITABLE_START < m2p.bytes)
        map_m2p(va - M2P_WRITABLE_START);
    else
        return false;
    return true;
}

/* Another CPU may have mapped it since the fault, but the access cannot succeed if the L4 has no
 * M2P at all. */
bool arch_map_m2p(uint64_t va)
{
    const uint64_t *l4 = maddr_to_virt(read_cr3() & PTE_ADDR_MASK);

    if (va - M2P_START >= m2p.bytes || !(l4[HOLE_FIRST_SLOT] & PTE_P))
        return false;
    map_m2p(va - M2P_START);
    return true;
}

mfn_t arch_m2p_mfn(void)
{
    return virt_to_mfn(m2p.memory);
}

void frame_memory_init(uint64_t nr_frames)
{
    memcpy(ram.range, boot_info.ranges, sizeof(ram.range));
    ram.nr = boot_info.nr_ranges;
    m2p.bytes = ALIGN_UP(nr_frames * sizeof(uint64_t), LARGE_PAGE);
    m2p.memory = early_alloc(m2p.bytes, LARGE_PAGE);
    m2p_l3[0] = image_phys(m2p_l2) | PTE_P | PTE_US | PTE_A;
    root_l4[HOLE_FIRST_SLOT] = image_phys(m2p_l3) | PTE_P | PTE_US | PTE_RW | PTE_A;
    image_l3[table_index(M2P_WRITABLE_START, 3)] = image_phys(m2p_l2) | PTE_P | PTE_RW;
    frames.bytes = nr_frames * sizeof(struct frame);
    frames.memory = early_alloc(frames.bytes, LARGE_PAGE);
    for (unsigned i = 0; i < FRAME_TABLE_GIB; i++)
        image_l3[table_index(FRAME_TABLE_START, 3) + i] =
            (image_phys(frame_l2) + i * PAGE_SIZE) | PTE_P | PTE_RW;
    frames_init((void *)FRAME_TABLE_START, nr_frames, (uint64_t *)M2P_WRITABLE_START);
}
