/* Frames, the linear mapping of all of them, and the page tables behind it: the free list and the
 * kernel's root are here, the invariants in mm.h. Every change of a mapping goes through this
 * file; stores and hypercalls that must fail are made by the suites themselves. */
#include <string.h>
#include "console.h"
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "trap.h"

static uint64_t *p2m;
static const volatile uint64_t *m2p = (const volatile uint64_t *)HOLE_START;
static uint64_t max_mfn = ~0ul;
uint64_t pte_nx;
static pfn_t nr_pages, bump, bump_end;      /* [bump, bump_end): never handed out, and mapped */
static pfn_t root;
static uint64_t *free_list;                 /* the first word of a free frame links to the next */
static size_t nr_listed;
static uint64_t scratch_next = SCRATCH_BASE;

pfn_t mem_pages(void)
{
    return nr_pages;
}

mfn_t pfn_to_mfn(pfn_t pfn)
{
    return pfn < nr_pages ? p2m[pfn] : INVALID_MFN;
}

mfn_t mfn_to_pfn(mfn_t mfn)
{
    pfn_t pfn = mfn <= max_mfn ? m2p[mfn] : INVALID_MFN;

    /* The M2P entry of another domain's frame may hold any value. A frame is this domain's if M2P
     * and p2m agree. */
    return pfn < nr_pages && p2m[pfn] == mfn ? pfn : INVALID_MFN;
}

void p2m_set(pfn_t pfn, mfn_t mfn)
{
    p2m[pfn] = mfn;
}

/* --- Frames ----------------------------------------------------------------------------------- */

pfn_t frame_alloc(void)
{
    bool masked = events_save_off();
    uint64_t *page = free_list;

    if (page) {
        free_list = (uint64_t *)*page;
        nr_listed--;
    } else if (bump < bump_end) {
        page = p2v(bump++);
    } else {
        panic("out of memory: %lu pages in all", nr_pages);
    }
    events_restore(masked);
    memset(page, 0, PAGE_SIZE);
    return v2p(page);
}

void frame_free(pfn_t pfn)
{
    bool masked = events_save_off();

    *(uint64_t **)p2v(pfn) = free_list;
    free_list = p2v(pfn);
    nr_listed++;
    events_restore(masked);
}

size_t frames_in_a_row(void)
{
    return bump_end - bump;
}

pfn_t frames_reserve(size_t n)
{
    bool masked = events_save_off();
    pfn_t first = bump;

    if (n > frames_in_a_row())
        panic("out of memory: %zu pages in a row, there are %zu", n, frames_in_a_row());
    bump += n;
    events_restore(masked);
    return first;
}

size_t frames_free(void)
{
    return nr_listed + (bump_end - bump);
}

int frame_set_ro(pfn_t pfn)
{
    return xen_update_va_mapping((uint64_t)p2v(pfn), make_pte(pfn_to_mfn(pfn), PTE_RO),
                                 UVMF_INVLPG | UVMF_LOCAL);
}

int frame_set_rw(pfn_t pfn)
{
    return xen_update_va_mapping((uint64_t)p2v(pfn), make_pte(pfn_to_mfn(pfn), PTE_KERNEL),
                                 UVMF_INVLPG | UVMF_LOCAL);
}

/* --- Tables ----------------------------------------------------------------------------------- */

int mmu_set_cmd(uint64_t maddr, uint64_t val, unsigned cmd)
{
    struct mmu_update req = { .ptr = maddr | cmd, .val = val };

    return xen_mmu_update(&req, 1, NULL, DOMID_SELF);
}

int mmu_set(uint64_t maddr, uint64_t val)
{
    return mmu_set_cmd(maddr, val, MMU_NORMAL_PT_UPDATE);
}

int mmuext(unsigned cmd, uint64_t arg1, uint64_t arg2)
{
    struct mmuext_op op = { .cmd = cmd, .arg1.mfn = arg1 };

    op.arg2.nr_ents = arg2;
    if (cmd == MMUEXT_COPY_PAGE)
        op.arg2.src_mfn = arg2;
    return xen_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

int mmu_pin(unsigned level, pfn_t pfn)
{
    return mmuext(MMUEXT_PIN_L1_TABLE + level - 1, pfn_to_mfn(pfn), 0);
}

int mmu_unpin(pfn_t pfn)
{
    return mmuext(MMUEXT_UNPIN_TABLE, pfn_to_mfn(pfn), 0);
}

int flush_local(void)
{
    return mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
}

pfn_t table_alloc(void)
{
    pfn_t pfn = frame_alloc();
    int rc = frame_set_ro(pfn);

    if (rc)
        panic("making table %#lx read-only: %d", pfn, rc);
    return pfn;
}

void table_free(pfn_t pfn)
{
    int rc = frame_set_rw(pfn);

    if (rc)
        panic("freeing table %#lx: %d, it is still in use", pfn, rc);
    frame_free(pfn);
}

const volatile uint64_t *pte_slot(const volatile void *va, unsigned level)
{
    const volatile uint64_t *table = p2v(root);

    for (unsigned l = 4; l > level; l--) {
        uint64_t entry = table[PT_INDEX(va, l)];
        pfn_t pfn = mfn_to_pfn(pte_mfn(entry));

        if (!(entry & PTE_P) || (entry & PTE_PSE) || pfn == INVALID_MFN)
            return NULL;
        table = p2v(pfn);
    }
    return &table[PT_INDEX(va, level)];
}

uint64_t pte_read(const volatile void *va, unsigned level)
{
    const volatile uint64_t *slot = pte_slot(va, level);

    return slot ? *slot : 0;
}

uint64_t pte_maddr(const volatile void *va, unsigned level)
{
    const volatile uint64_t *slot = pte_slot(va, level);

    return slot ? v2maddr((const void *)slot) : 0;
}

/* Sets the entry of va at `level` to a table, which the hypervisor then validates. */
static void hook_table(const volatile void *va, unsigned level, pfn_t table)
{
    int rc = mmu_set(pte_maddr(va, level), make_pte(pfn_to_mfn(table), PTE_TABLE));

    if (rc)
        panic("table for %p at level %u: %d", (const void *)va, level, rc);
}

void ensure_tables(const volatile void *va, unsigned level)
{
    for (unsigned l = 4; l > level; l--)
        if (!(pte_read(va, l) & PTE_P))
            hook_table(va, l, table_alloc());
}

int map_page(const volatile void *va, uint64_t pte)
{
    ensure_tables(va, 1);
    return xen_update_va_mapping((uint64_t)va, pte, UVMF_INVLPG | UVMF_LOCAL);
}

int unmap_page(const volatile void *va)
{
    return xen_update_va_mapping((uint64_t)va, 0, UVMF_INVLPG | UVMF_LOCAL);
}

void *va_alloc(size_t n)
{
    uint64_t va = scratch_next;

    scratch_next += n << PAGE_SHIFT;
    for (size_t i = 0; i < n; i++)
        ensure_tables((void *)(va + (i << PAGE_SHIFT)), 1);
    return (void *)va;
}

pfn_t kernel_root(void)
{
    return root;
}

int set_kernel_root(pfn_t l4)
{
    int rc = mmuext(MMUEXT_NEW_BASEPTR, pfn_to_mfn(l4), 0);

    if (!rc)
        root = l4;
    return rc;
}

pfn_t root_clone(void)
{
    pfn_t pfn = frame_alloc();
    uint64_t *to = p2v(pfn);
    const volatile uint64_t *from = p2v(root);
    int rc;

    for (unsigned i = 0; i < 512; i++)
        if (i < PT_INDEX(HOLE_START, 4) || i >= PT_INDEX(HOLE_END, 4))
            to[i] = from[i];
    rc = frame_set_ro(pfn);
    if (!rc)
        rc = mmu_pin(4, pfn);
    if (rc)
        panic("cloning the root: %d", rc);
    return pfn;
}

/* --- Start ------------------------------------------------------------------------------------ */

/* True if the CPU has NX, as the hypervisor says, or the CPU itself where there is none. */
static bool has_nx(void)
{
    uint32_t a = 0x80000001, b, c = 0, d;

    if (is_bare())
        __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    else
        __asm__ volatile("ud2\n\t.ascii \"xen\"\n\tcpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return d >> 20 & 1;
}

void mm_init_early(void)
{
    struct xen_machphys_mapping map;

    pte_nx = has_nx() ? PTE_NX_BIT : 0;
    p2m = (uint64_t *)start_info->mfn_list;
    nr_pages = start_info->nr_pages < VIRT_MAX_PAGES ? start_info->nr_pages : VIRT_MAX_PAGES;
    root = v2p((void *)start_info->pt_base);
    if (xen_memory_op(XENMEM_machphys_mapping, &map) == 0) {
        m2p = (const volatile uint64_t *)map.v_start;
        max_mfn = map.max_mfn;
    }
    /* Gives up the frame of this page, which is the one exception to M1. */
    xen_update_va_mapping((uint64_t)&shared_info_page, start_info->shared_info | PTE_KERNEL,
                          UVMF_INVLPG | UVMF_LOCAL);
}

static pfn_t later(pfn_t a, pfn_t b)
{
    return b != INVALID_MFN && b > a ? b : a;
}

/* Behind everything that the builder mapped. public/xen.h gives the order of these parts; here no
 * order is assumed. */
static pfn_t first_free(void)
{
    pfn_t pfn = v2p(image_end);

    if (start_info->mod_start && !(start_info->flags & SIF_MOD_START_PFN))
        pfn = later(pfn, v2p((void *)(start_info->mod_start + start_info->mod_len - 1)) + 1);
    pfn = later(pfn, v2p(p2m + start_info->nr_pages - 1) + 1);
    pfn = later(pfn, v2p(start_info) + 1);
    pfn = later(pfn, v2p((void *)start_info->pt_base) + start_info->nr_pt_frames);
    pfn = later(pfn, v2p((void *)(boot_regs.rsp - 1)) + 1);
    if (!is_dom0()) {
        pfn = later(pfn, mfn_to_pfn(start_info->console.domU.mfn) + 1);
        pfn = later(pfn, mfn_to_pfn(start_info->store_mfn) + 1);
    }
    return pfn;
}

/* Fills an L1 table with the mappings of the 2 MiB from pfn on, before it is typed as a table. */
static void map_block(pfn_t pfn)
{
    pfn_t table;
    uint64_t *l1;

    ensure_tables(p2v(pfn), 2);
    table = frame_alloc();
    l1 = p2v(table);
    for (unsigned i = 0; i < 512 && pfn + i < nr_pages; i++)
        l1[i] = make_pte(pfn_to_mfn(pfn + i), PTE_KERNEL);
    frame_set_ro(table);
    hook_table(p2v(pfn), 2, table);
}

/* The builder mapped the beginning; the free frames of that are the tables for the rest. */
void mm_init(void)
{
    pfn_t pfn = first_free();

    bump = pfn;
    bump_end = pfn;
    while (pfn < nr_pages) {
        if (!(pte_read(p2v(pfn), 2) & PTE_P)) {
            map_block(pfn);
            pfn += 512 - pfn % 512;
        } else if (pte_read(p2v(pfn), 1) & PTE_P) {
            pfn++;
        } else {
            map_page(p2v(pfn), make_pte(pfn_to_mfn(pfn), PTE_KERNEL));
            pfn++;
        }
        bump_end = pfn < nr_pages ? pfn : nr_pages;
    }
    if (start_info->nr_pages > nr_pages)
        kprintf("guest-pv: %lu pages beyond what is mapped stay unused\n",
                start_info->nr_pages - nr_pages);
}
