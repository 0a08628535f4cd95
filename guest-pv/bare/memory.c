/* The hypercalls about page tables: an entry is simply stored. Nothing is checked, since on a bare
 * machine nothing is. Called by calls.c. */
#include <public/errno.h>
#include "bare.h"

#define PTE_PRESENT 1ull
#define ADDRESS 0x000ffffffffff000ull
#define TABLE_FLAGS 0x63ull

static uint64_t read_cr3(void)
{
    uint64_t cr3;

    __asm__ volatile("movq %%cr3, %0" : "=r"(cr3));
    return cr3;
}
static void write_cr3(uint64_t cr3)
{
    __asm__ volatile("movq %0, %%cr3" : : "r"(cr3) : "memory");
}

void share_direct_map(uint64_t root_maddr)
{
    uint64_t *root = direct(root_maddr);

    root[DIRECT_SLOT] = ((uint64_t)boot_l3 - VIRT_BASE) | TABLE_FLAGS;
}

/* The whole TLB goes: entries that are taken away must not stay. */
long bare_mmu_update(uint64_t list, uint64_t count, uint64_t done)
{
    const struct mmu_update *u = (const struct mmu_update *)list;

    for (uint64_t i = 0; i < count; i++) {
        if ((u[i].ptr & 3) == MMU_MACHPHYS_UPDATE)
            continue;
        *(volatile uint64_t *)direct(u[i].ptr & ~7ull) = u[i].val;
    }
    write_cr3(read_cr3());
    if (done)
        *(unsigned *)done = (unsigned)count;
    return 0;
}

long bare_update_va_mapping(uint64_t va, uint64_t entry)
{
    uint64_t table = read_cr3() & ADDRESS;
    uint64_t *slot = NULL;

    for (unsigned shift = 39;; shift -= 9) {
        slot = (uint64_t *)direct(table) + (va >> shift & 511);
        if (shift == 12)
            break;
        if (!(*slot & PTE_PRESENT))
            return -XEN_EINVAL;
        table = *slot & ADDRESS;
    }
    *(volatile uint64_t *)slot = entry;
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
    return 0;
}

/* N2: the user root is never loaded. Pins have no effect, but a root gets the entries that a
 * hypervisor would put into it. */
static long mmuext(const struct mmuext_op *op)
{
    switch (op->cmd) {
    case MMUEXT_PIN_L4_TABLE:
        share_direct_map(op->arg1.mfn << PAGE_SHIFT);
        return 0;
    case MMUEXT_PIN_L1_TABLE:
    case MMUEXT_PIN_L2_TABLE:
    case MMUEXT_PIN_L3_TABLE:
    case MMUEXT_UNPIN_TABLE:
    case MMUEXT_NEW_USER_BASEPTR:
        return 0;
    case MMUEXT_NEW_BASEPTR:
        write_cr3(op->arg1.mfn << PAGE_SHIFT);
        return 0;
    case MMUEXT_TLB_FLUSH_LOCAL:
    case MMUEXT_TLB_FLUSH_ALL:
        write_cr3(read_cr3());
        return 0;
    case MMUEXT_INVLPG_LOCAL:
    case MMUEXT_INVLPG_ALL:
        __asm__ volatile("invlpg (%0)" : : "r"(op->arg1.linear_addr) : "memory");
        return 0;
    default:
        return -XEN_ENOSYS;
    }
}

long bare_mmuext_op(uint64_t list, uint64_t count, uint64_t done)
{
    const struct mmuext_op *ops = (const struct mmuext_op *)list;
    long rc = 0;
    uint64_t i;

    for (i = 0; i < count && rc == 0; i++)
        rc = mmuext(&ops[i]);
    if (done)
        *(unsigned *)done = (unsigned)i;
    return rc;
}
