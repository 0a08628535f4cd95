/* Walks a guest's page tables in software. The tables are validated, so each present entry points
 * to a frame of RAM. These functions write nothing and take no references; the result is valid only
 * until the tables can change, so the caller of walk_to_l1 holds mm_lock. Called by
 * update_va_mapping and other users of L1 entries, and by all reads of guest memory once there are
 * linear page tables (linear_copy). Writing entries is pv/'s. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/walk.h"

bool linear_tables;

uint64_t *walk_typed(uint64_t root_maddr, uint64_t va)
{
    mfn_t mfn = root_maddr >> PAGE_SHIFT;

    for (unsigned level = 4; level > 1; level--) {
        uint64_t entry = READ_ONCE(((const uint64_t *)mfn_to_virt(mfn))[table_index(va, level)]);

        mfn = PTE_MFN(entry);
        if (!(entry & PTE_P) || frame_type(mfn_to_frame(mfn)) >> TYPE_SHIFT != level - 1)
            return NULL;
    }
    return (uint64_t *)mfn_to_virt(mfn) + table_index(va, 1);
}

uint64_t read_guest_pte(const struct vcpu *v, uint64_t va)
{
    uint64_t root = root_of(v), pte = 0, *slot;

    spin_lock(&v->domain->mm_lock);
    slot = root ? walk_to_l1(root, va) : NULL;
    if (slot != NULL)
        pte = READ_ONCE(*slot);
    spin_unlock(&v->domain->mm_lock);
    return pte;
}

/* A walk to va uses one of the hypervisor's L4 entries. A linear entry leads from an L4 table to an
 * L4 table, which is then read as an L3, and so on: the walk is followed as long as the next table
 * is of type L4. */
static bool page_hides(uint64_t root_maddr, uint64_t va)
{
    const struct frame *f = mfn_to_frame(root_maddr >> PAGE_SHIFT);
    uint64_t entry;

    for (unsigned level = 4; level > 0; level--) {
        unsigned i = table_index(va, level);

        if (i >= HOLE_FIRST_SLOT && i <= HOLE_LAST_SLOT)
            return true;
        entry = READ_ONCE(((const uint64_t *)mfn_to_virt(frame_to_mfn(f)))[i]);
        if (!(entry & PTE_P) || !mfn_valid(PTE_MFN(entry)))
            return false;
        f = mfn_to_frame(PTE_MFN(entry));
        if (frame_type(f) != TYPE_L4)
            return false;
    }
    return false;
}

static bool range_hides(uint64_t root, uint64_t va, uint64_t len)
{
    for (uint64_t page = va & PAGE_MASK; page - (va & PAGE_MASK) < len + (va & ~PAGE_MASK);
         page += PAGE_SIZE)
        if (page_hides(root, page))
            return true;
    return false;
}

/* Contract: types.h. Under linear_lock the entries that page_hides() looks at are those that the
 * CPU uses for the copy (linear.c). */
uint64_t linear_copy(void *dst, uint64_t va, uint64_t len)
{
    const struct vcpu *v = current;
    struct domain *d = v->domain;
    uint64_t root = root_of(v), left = len;

    if (root == 0)
        return arch_copy_from_guest_unhidden(dst, va, len);
    spin_lock(&d->linear_lock);
    if (!range_hides(root, va, len))
        left = arch_copy_from_guest_unhidden(dst, va, len);
    spin_unlock(&d->linear_lock);
    return left;
}
