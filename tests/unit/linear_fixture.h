/* A guest with pinned tables of each level, and linear entries in them. Included by
 * test_linear.c and test_linear_view.c. */
#ifndef LINEAR_FIXTURE_H
#define LINEAR_FIXTURE_H

#include <string.h>
#include "support.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/walk.h"

#define RW (PTE_P | PTE_RW | PTE_US | PTE_A)
#define RO (PTE_P | PTE_US | PTE_A)

static struct domain *d;
static struct vcpu *v;

static inline int one_guest(void **state)
{
    low_machine_up(state);
    linear_tables = false;
    d = guest_make_sized(1, 1, GUEST_FRAMES, 256);
    assert_non_null(d);
    v = d->vcpu[0];
    host_become(v);
    return 0;
}

static inline long pin(unsigned level, mfn_t mfn)
{
    return hcall_mmuext(MMUEXT_PIN_L1_TABLE + level - 1, mfn, 0);
}

static inline long unpin(mfn_t mfn)
{
    return hcall_mmuext(MMUEXT_UNPIN_TABLE, mfn, 0);
}

static inline mfn_t pinned_table(unsigned level)
{
    mfn_t mfn = unmapped_frame();

    assert_int_equal(pin(level, mfn), 0);
    return mfn;
}

static inline long set(mfn_t table, unsigned slot, uint64_t entry)
{
    return hcall_mmu_update((table << PAGE_SHIFT) + 8 * slot, entry);
}

static inline uint64_t to(mfn_t mfn, uint64_t flags)
{
    return mfn << PAGE_SHIFT | flags;
}

static inline uint64_t entry_of(mfn_t table, unsigned slot)
{
    return ((const uint64_t *)mfn_to_virt(table))[slot];
}
#define with_guest(test) cmocka_unit_test_setup_teardown(test, one_guest, machine_down)

#endif
