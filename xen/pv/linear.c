/* Linear page tables: an entry of an L2, L3 or L4 that names a table of the same level, usually
 * its own. The CPU then uses this table as one of the level below, and all tables appear as
 * pages at fixed addresses; some kernels read their entries there. Such an entry is read-only,
 * and so is all that is mapped through it (frame.h, F10). Called by pagetype.c, and before reads
 * of guest memory (linear_copy).
 *
 * What that could break, and why it does not:
 *   - An entry to its own table holds no reference, or the table could never be released.
 *   - Tables that refer to each other in a circle could never be released, and dropping the first
 *     of a chain of tables would recurse as deep as the chain is long. So a table to which linear
 *     entries of others point may not get linear entries to others, and the reverse (XSA-240).
 *     Dropping a tree recurses at most twice as deep as without linear entries.
 *   - A software walk would find a table of another level than it expects: see walk_to_l1.
 *   - An L4 used as an L3 maps the hypervisor's entries at 16 places outside the hole. The guest's
 *     own accesses fault there, because those entries have no US bit, and writes because the linear
 *     entry has no RW. Reads by the hypervisor for the guest would not fault: linear_copy checks
 *     them. Between its check and the copy no other vCPU may change such an entry of an L4, nor
 *     may the CPU use one that is gone: so they are stored, and flushed where one goes, under
 *     d->linear_lock, which linear_copy takes. */
#include "arch/arch.h"
#include "xen/core/bug.h"
#include "xen/core/domain.h"
#include "xen/core/flush.h"
#include "xen/core/frame.h"
#include "xen/core/walk.h"
#include "xen/pv/linear.h"
#include "xen/pv/pagetype.h"

/* Before the domain's first linear entry is stored: from now on copies from guest memory are made
 * by linear_copy, and the fast path of iret (iret.S), which reads its frame without that check, is
 * not used any more. A CPU that is flushed is not in the middle of either. The second time, because
 * a CPU that was still may have overwritten iret_slow. */
static void note_linear_tables(struct domain *d)
{
    struct vcpu *v;
    unsigned i;

    if (likely(d->linear_tables))
        return;
    WRITE_ONCE(linear_tables, true);
    WRITE_ONCE(d->linear_tables, true);
    for (unsigned times = 0; times < 2; times++) {
        for_each_vcpu(d, v, i)
            WRITE_ONCE(v->iret_slow, 1);
        flush_others(d);
    }
}

static inline bool is_linear_l4e(uint64_t entry)
{
    return (entry & PTE_P) && frame_type(mfn_to_frame(PTE_MFN(entry))) == TYPE_L4;
}

void linear_store_begin(struct domain *d)
{
    spin_lock(&d->linear_lock);
}

void linear_store_end(struct domain *d, uint64_t old)
{
    if (is_linear_l4e(old))
        flush_domain(d);
    spin_unlock(&d->linear_lock);
}

static bool may_be_linear_target(const struct frame *f, uint64_t type)
{
    return is_valid_as(f, type) && !(f->linear & LINEAR_ENTRIES) &&
           (f->linear & LINEAR_USES) != LINEAR_USES;
}

/* F10, for an entry whose target is not a table of the level below. -EINVAL: it is not a linear
 * entry either. */
int get_linear_table(uint64_t entry, struct frame *table)
{
    struct frame *f;

    if (entry & PTE_RW)
        return -EINVAL;
    if (PTE_MFN(entry) != frame_to_mfn(table)) {
        if (table->linear & LINEAR_USES)
            return -EINVAL;
        f = get_frame(PTE_MFN(entry), frame_owner(table));
        if (f == NULL)
            return -EINVAL;
        if (!may_be_linear_target(f, frame_type(table))) {
            put_page(f);
            return -EINVAL;
        }
        locked_add(&f->word, TYPE_REF);
        f->linear += LINEAR_USE;
        table->linear += LINEAR_ENTRY;
    }
    note_linear_tables(frame_owner(table));
    return 0;
}

/* Drops what a linear entry held, after the entry or its table is gone. The counts are decreased
 * before the reference, which may be the child's last. */
void put_linear_table(struct frame *table, struct frame *child)
{
    if (child == table)
        return;
    ASSERT((child->linear & LINEAR_USES) && (table->linear & LINEAR_ENTRIES));
    child->linear -= LINEAR_USE;
    table->linear -= LINEAR_ENTRY;
    put_page_and_type(child);
}
