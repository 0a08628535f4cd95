/* Words of the kinds that hypercalls have as arguments, which random numbers hardly ever hit:
 * frames, tables, entries, addresses, domains. Whole requests are in shapes.c. */
#include "arch/arch.h"
#include "tests/fuzz/choice.h"
#include "tests/fuzz/scan.h"
#include "tests/fuzz/words.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/walk.h"

struct vcpu *some_vcpu(void)
{
    struct domain *d;
    unsigned n = (unsigned)below(4);

    for_each_domain(d)
        if (n-- == 0)
            return d->vcpu[below(d->nr_vcpus)];
    return current;
}

static mfn_t frame_of(const struct domain *d, pfn_t pfn)
{
    mfn_t mfn = next_owned(LOW_BASE + below(max_mfn - LOW_BASE), d);

    while (mfn < max_mfn && pfn-- != 0)
        mfn = next_owned(mfn + 1, d);
    if (mfn < max_mfn)
        return mfn;
    return d->shared_mfn;
}

mfn_t some_mfn(void)
{
    struct vcpu *v = current;

    switch (below(12)) {
    case 0:
        return v->root_kernel >> PAGE_SHIFT;
    case 1:
        return v->domain->shared_mfn;
    case 2:
        return frame_of(some_vcpu()->domain, 0);
    case 3:
        return below(max_mfn + 16);
    case 4:
        return any();
    case 5:
        return PTE_MFN(slot_maddr(PLAY));
    case 6:
        return some_vcpu()->root_kernel >> PAGE_SHIFT;
    case 7:
    case 8:
        return PTE_MFN(entry_at(PLAY + below(16) * PAGE_SIZE));
    default:
        return frame_of(v->domain, below(20));
    }
}

/* Without mm_lock, which another CPU may hold: choices are made while no other goes on. */
uint64_t entry_at(uint64_t va)
{
    const uint64_t *slot = walk_to_l1(current->root_kernel, va);

    return slot != NULL ? *slot : 0;
}

static bool is_table(const struct frame *f)
{
    return (f->word & TYPE_VALIDATED) && frame_type(f) >= TYPE_L2 && frame_type(f) <= TYPE_L4;
}

/* The first from mfn on; max_mfn if there is none. */
static mfn_t next_table(mfn_t mfn, uint64_t type)
{
    for (;; mfn++) {
        const struct frame *f;

        mfn = next_owned(mfn, current->domain);
        if (mfn == max_mfn)
            return max_mfn;
        f = mfn_to_frame(mfn);
        if (is_table(f) && (type == 0 || frame_type(f) == type))
            return mfn;
    }
}

mfn_t some_table(uint64_t type)
{
    mfn_t mfn = next_table(LOW_BASE + below(max_mfn - LOW_BASE), type);

    if (mfn == max_mfn)
        mfn = next_table(LOW_BASE, type);
    return mfn != max_mfn ? mfn : current->root_kernel >> PAGE_SHIFT;
}

uint64_t linear_va(void)
{
    uint64_t va = 0xffff;

    for (unsigned level = 4; level > 0; level--)
        va = va << 9 | (level == 4 || one_in(2) ? LINEAR_SLOT + below(4)
                        : one_in(2) ? HOLE_FIRST_SLOT + below(16) : one_in(2) ? 511 : below(512));
    return va << PAGE_SHIFT | below(512) * 8;
}

uint64_t some_pte(void)
{
    uint64_t pte = some_mfn() << PAGE_SHIFT;

    if (!one_in(16))
        pte &= PTE_ADDR_MASK;
    pte |= one_in(8) ? 0 : PTE_P;
    pte |= one_in(2) ? PTE_RW : 0;
    pte |= any() & (PTE_US | PTE_A | PTE_D | PTE_GUEST_KERNEL | PTE_NX);
    pte |= one_in(8) ? PTE_G : 0;
    if (one_in(10))
        pte |= 1ull << below(64);
    return pte;
}

uint64_t some_va(void)
{
    static const uint64_t odd[] = {
        0,
        8,
        HOLE_START - 8,
        HOLE_START,
        HOLE_START + 0x1000,
        HOLE_END - 8,
        HOLE_END,
        1ull << 47,
        (1ull << 47) - 8,
        ~0ull,
        ~7ull,
        GUEST_BASE - 8,
        GUEST_BASE,
        GUEST_BASE + (4 << 20) - 16,
        0x8000000000,
        0xffff820000010000,
    };

    switch (below(9)) {
    case 0:
        return odd[below(ARRAY_SIZE(odd))];
    case 8:
        return linear_va();
    case 1:
        return PLAY + below(16) * PAGE_SIZE - (one_in(2) ? below(64) : 0);
    case 2:
        return TABLES_VA + below(0x4000);
    case 3:
        return GUEST_BASE + below(4 << 20);
    default:
        return LISTS + below(0x400) * 8;
    }
}

domid_t some_domid(void)
{
    static const domid_t ids[] = { 0, 1, 2, 3, 4, DOMID_IO, DOMID_XEN, DOMID_INVALID, DOMID_IDLE };

    return one_in(2) ? DOMID_SELF : ids[below(ARRAY_SIZE(ids))];
}

uint64_t some_word(void)
{
    switch (below(10)) {
    case 0:
        return some_mfn();
    case 1:
        return some_mfn() << PAGE_SHIFT | below(512) * 8 | below(4);
    case 2:
        return some_pte();
    case 3:
        return some_va();
    case 4:
        return some_domid();
    case 5:
        return any();
    case 6:
        return 1ull << below(64);
    case 7:
        return below(64) | below(64) << 32;
    default:
        return below(32);
    }
}

void poke(uint64_t va, const void *src, size_t len)
{
    (void)host_guest_write(va, src, len);
}

void poke_words(uint64_t va, unsigned n)
{
    while (n-- > 0) {
        uint64_t w = some_word();

        poke(va + 8 * n, &w, 8);
    }
}
