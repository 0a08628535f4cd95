/* Linear page tables: an entry of an L2, L3 or L4 that names a table of the same level, most
 * often its own. The CPU then takes a table for one of the level below, and all tables show as
 * pages at fixed addresses; some kernels find their entries there. Such an entry is read-only,
 * and so is whatever is reached through it (frame.h, F10).
 *
 * What that could break, and why it does not:
 *   - An entry to its own table holds no reference, or the table could never go.
 *   - Tables that refer to each other in a circle could not go either, and a chain of them would
 *     make the drop of the first one recurse as deep as the chain is long. So a table that is
 *     linearly mapped elsewhere gets no linear entries to others, and one that has some cannot
 *     be mapped (XSA-240). A tree is at most twice as deep as without.
 *   - Software that walks tables by level would meet others than it thinks: see walk_to_l1.
 *   - An L4 taken for an L3 shows the hypervisor's entries at 16 places outside the hole. The
 *     guest's own accesses stop at their missing US bit, and writes at the missing RW; our reads
 *     on its behalf would not stop: linear_hides. */
#include "arch/arch.h"
#include "xen/core/bug.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/walk.h"
#include "xen/pv/linear.h"
#include "xen/pv/pagetype.h"

/* From now on copies from guest memory look where they go. entry.S reads the frame of IRET by
 * itself: not any more. */
static void note_linear_tables(struct domain *d)
{
    struct vcpu *v;
    unsigned i;

    linear_tables = d->linear_tables = true;
    for_each_vcpu(d, v, i)
        v->iret_slow = 1;
}

static bool may_be_linear_target(const struct frame *f, uint64_t type)
{
    return is_valid_as(f, type) && !(f->type & LINEAR_ENTRIES) &&
           (f->type & LINEAR_USES) != LINEAR_USES && (f->type & TYPE_COUNT_MASK) != TYPE_COUNT_MASK;
}

/* F10, for an entry whose target is no table of the level below. -EINVAL: it is not linear
 * either. */
int get_linear_table(uint64_t entry, struct frame *table)
{
    struct frame *f;

    if (entry & PTE_RW)
        return -EINVAL;
    if (PTE_MFN(entry) != frame_to_mfn(table)) {
        if (table->type & LINEAR_USES)
            return -EINVAL;
        f = get_frame(PTE_MFN(entry), frame_owner(table));
        if (f == NULL)
            return -EINVAL;
        if (!may_be_linear_target(f, table->type & TYPE_MASK)) {
            put_page(f);
            return -EINVAL;
        }
        f->type += LINEAR_USE + 1;
        table->type += LINEAR_ENTRY;
    }
    note_linear_tables(frame_owner(table));
    return 0;
}

/* The entry is gone, or its table goes. An L4's is flushed at once: linear_hides looks at the
 * tables as they are, and the CPU must not know them as they were. The counts go before the
 * reference, which may be the child's last. */
void put_linear_table(struct frame *table, struct frame *child)
{
    if (table->type >> TYPE_SHIFT == TYPE_L4 >> TYPE_SHIFT)
        arch_flush_tlb();
    if (child == table)
        return;
    ASSERT((child->type & LINEAR_USES) && (table->type & LINEAR_ENTRIES));
    child->type -= LINEAR_USE;
    table->type -= LINEAR_ENTRY;
    put_page_and_type(child);
}
