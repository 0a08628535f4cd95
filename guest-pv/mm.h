/* Memory: pseudo-physical frames, the page tables, and every way to change them by hypercall.
 *
 *   M1  every frame (pfn < mem_pages()) is mapped exactly once in the kernel half, at p2v(pfn):
 *       read-write if it is ordinary, read-only if it is a page table; the code that makes a table
 *       makes that mapping read-only before
 *   M2  tables are written by hypercall only, so p2v() of any table can be read at any time
 *
 * A frame is freed in the state in which it was allocated: ordinary, mapped read-write, without a
 * type. */
#ifndef GUEST_MM_H
#define GUEST_MM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "layout.h"

typedef uint64_t pfn_t;
typedef uint64_t mfn_t;
#define INVALID_MFN (~0ul)

#define PTE_P   0x001ul
#define PTE_RW  0x002ul
#define PTE_US  0x004ul
#define PTE_PWT 0x008ul
#define PTE_PCD 0x010ul
#define PTE_A   0x020ul
#define PTE_D   0x040ul
#define PTE_PSE 0x080ul
#define PTE_G   0x100ul
#define PTE_GUEST_KERNEL (1ul << 52)    /* the hypervisor's mark where the guest wrote no US */
#define PTE_NX_BIT (1ul << 63)  /* refused where the CPU has no NX */
#define PTE_NX  pte_nx
#define PTE_ADDR_MASK 0x000ffffffffff000ul
#define PTE_KERNEL (PTE_P | PTE_RW | PTE_A | PTE_D)
#define PTE_RO     (PTE_P | PTE_A)
#define PTE_USER   (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define PTE_TABLE  (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)

extern uint64_t pte_nx;         /* PTE_NX_BIT, or 0 on a CPU without it */

/* Index of va in a table of this level (1..4). */
#define PT_INDEX(va, level) (((uint64_t)(va) >> (12 + 9 * ((level) - 1))) & 511)

/* --- Numbers ---------------------------------------------------------------------------------- */
pfn_t mem_pages(void);                      /* the frames in use: start_info's, unless too many */
mfn_t pfn_to_mfn(pfn_t pfn);
pfn_t mfn_to_pfn(mfn_t mfn);                /* by the M2P; INVALID_MFN if the frame is not ours */
void p2m_set(pfn_t pfn, mfn_t mfn);         /* after memory_op changed what is behind a pfn */
static inline void *p2v(pfn_t pfn)
{
    return (void *)(VIRT_BASE + (pfn << PAGE_SHIFT));
}
static inline pfn_t v2p(const void *va)     /* for addresses that p2v() gives, the image included */
{
    return ((uint64_t)va - VIRT_BASE) >> PAGE_SHIFT;
}
static inline mfn_t v2mfn(const void *va)
{
    return pfn_to_mfn(v2p(va));
}
static inline uint64_t v2maddr(const void *va)
{
    return (v2mfn(va) << PAGE_SHIFT) | ((uint64_t)va & (PAGE_SIZE - 1));
}
static inline uint64_t make_pte(mfn_t mfn, uint64_t flags)
{
    return (mfn << PAGE_SHIFT) | flags;
}
static inline mfn_t pte_mfn(uint64_t pte)
{
    return (pte & PTE_ADDR_MASK) >> PAGE_SHIFT;
}

/* --- Frames ----------------------------------------------------------------------------------- */
pfn_t frame_alloc(void);                    /* zeroed; panics when there is none */
void frame_free(pfn_t pfn);
pfn_t frames_reserve(size_t n);             /* n in a row, not zeroed; panics without so many */
size_t frames_in_a_row(void);               /* how many these can be */
size_t frames_free(void);                   /* how many are left */
int frame_set_ro(pfn_t pfn);                /* change the p2v() mapping; the hypercall's result */
int frame_set_rw(pfn_t pfn);

/* --- Mappings in the current kernel root ------------------------------------------------------ */
/* Sets the L1 entry of any va to pte, making missing tables. Returns the hypercall's result. */
int map_page(const volatile void *va, uint64_t pte);
int unmap_page(const volatile void *va);
/* n pages of address space with tables made and nothing mapped. Never given back: there are 512
 * GiB. */
void *va_alloc(size_t nr_pages);
/* Makes va's tables down to `level` exist (1: its L1 table). */
void ensure_tables(const volatile void *va, unsigned level);

/* --- Reading and writing entries -------------------------------------------------------------- */
/* The entry of va at a level (1..4), or NULL when a level above is not present. Read only. */
const volatile uint64_t *pte_slot(const volatile void *va, unsigned level);
uint64_t pte_read(const volatile void *va, unsigned level);     /* 0 when there is none */
/* The entry's machine address, for mmu_update; or 0. */
uint64_t pte_maddr(const volatile void *va, unsigned level);
int mmu_set(uint64_t maddr, uint64_t val);  /* mmu_update NORMAL of one entry on DOMID_SELF */
int mmu_set_cmd(uint64_t maddr, uint64_t val, unsigned cmd);    /* cmd MMU_* */

/* --- Tables ----------------------------------------------------------------------------------- */
pfn_t table_alloc(void);  /* a zeroed frame, read-only, typeless: an empty table of any level */
void table_free(pfn_t pfn);     /* unpinned and unreferenced; panics if it still has a type */
/* One mmuext_op; arg1 = mfn or linear address. */
int mmuext(unsigned cmd, uint64_t arg1, uint64_t arg2);
int mmu_pin(unsigned level, pfn_t pfn);     /* MMUEXT_PIN_L1..L4_TABLE */
int mmu_unpin(pfn_t pfn);
pfn_t kernel_root(void);                    /* the L4 we run on */
int set_kernel_root(pfn_t l4);              /* NEW_BASEPTR; it must map what the old one did */
pfn_t root_clone(void);                     /* a new, pinned L4 with the kernel root's entries */
int flush_local(void);

void mm_init_early(void);                   /* shared_info and M2P: needs no allocator */
void mm_init(void);
#endif
