/* Where an address of a guest leads in its page tables, read as they are now. The tables are validated, so each
 * present entry names a frame of RAM; nothing here takes a reference or writes. Called by everybody who reads guest
 * memory (linear_hides) or looks for the entry behind an address. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/walk.h"

bool linear_tables;

uint64_t *walk_typed(uint64_t root_maddr, uint64_t va)
{
    mfn_t mfn = root_maddr >> PAGE_SHIFT;

    for (unsigned level = 4; level > 1; level--) {
        uint64_t entry = ((const uint64_t *)mfn_to_virt(mfn))[table_index(va, level)];

        mfn = PTE_MFN(entry);
        if (!(entry & PTE_P) || mfn_to_frame(mfn)->type >> TYPE_SHIFT != level - 1)
            return NULL;
    }
    return (uint64_t *)mfn_to_virt(mfn) + table_index(va, 1);
}

uint64_t read_guest_pte(const struct vcpu *v, uint64_t va)
{
    uint64_t root = v->kernel_mode ? v->root_kernel : v->root_user;
    uint64_t *slot = root ? walk_to_l1(root, va) : NULL;

    return slot ? READ_ONCE(*slot) : 0;
}

/* The CPU would come to page va by one of the hypervisor's entries. Follows it down for as long as it is in L4 tables. */
static bool page_hides(uint64_t root_maddr, uint64_t va)
{
    const struct frame *f = mfn_to_frame(root_maddr >> PAGE_SHIFT);
    uint64_t entry;

    for (unsigned level = 4; level > 0; level--) {
        unsigned i = table_index(va, level);

        if (i >= HOLE_FIRST_SLOT && i <= HOLE_LAST_SLOT)
            return true;
        entry = ((const uint64_t *)mfn_to_virt(frame_to_mfn(f)))[i];
        if (!(entry & PTE_P))
            return false;
        f = mfn_to_frame(PTE_MFN(entry));
        if (f->type >> TYPE_SHIFT != TYPE_L4 >> TYPE_SHIFT)
            return false;
    }
    return false;
}

/* Some of these bytes of the current address space are the hypervisor's, though not in the hole. */
bool linear_hides(uint64_t va, uint64_t len)
{
    const struct vcpu *v = current;
    uint64_t root = v->kernel_mode ? v->root_kernel : v->root_user;

    if (root == 0)
        return false;
    for (uint64_t page = va & PAGE_MASK; page - (va & PAGE_MASK) < len + (va & ~PAGE_MASK); page += PAGE_SIZE)
        if (page_hides(root, page))
            return true;
    return false;
}
