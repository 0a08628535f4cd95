/* Two domains with grant tables: a grants a page to b, which is current. Included by
 * test_grant.c and test_grant_copy.c. */
#ifndef GRANT_FIXTURE_H
#define GRANT_FIXTURE_H

#include <string.h>
#include "support.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/walk.h"
#include "xen/pv/hypercalls.h"

#define TABLE_VA FREE_PFN_VA
#define PAGE_VA (FREE_PFN_VA + PAGE_SIZE)
#define MAP_VA (FREE_PFN_VA + 2 * PAGE_SIZE)

static struct domain *a, *b;
static mfn_t page;              /* of a, mapped at PAGE_VA */

static inline long gnttab(unsigned cmd, void *arg, size_t len)
{
    return hcall_struct(__HYPERVISOR_grant_table_op, cmd, arg, len);
}

static inline void entry(grant_ref_t ref, uint16_t flags, domid_t domid, mfn_t mfn)
{
    struct grant_entry_v1 e = { .flags = flags, .domid = domid, .frame = (uint32_t)mfn };

    guest_put(TABLE_VA + ref * sizeof(e), &e, sizeof(e));
}

static inline uint16_t entry_flags(grant_ref_t ref)
{
    struct grant_entry_v1 e;

    guest_get(&e, TABLE_VA + ref * sizeof(e), sizeof(e));
    return e.flags;
}

static inline int setup_table(unsigned nr_frames)
{
    struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = nr_frames };

    set_xen_guest_handle_raw(s.frame_list, (xen_pfn_t *)(SCRATCH + 512));
    assert_int_equal(gnttab(GNTTABOP_setup_table, &s, sizeof(s)), 0);
    return s.status;
}

/* d's table at TABLE_VA, and "x's data" in its page. */
static inline void table_up(struct domain *d, const char *data)
{
    uint64_t frame;

    host_become(d->vcpu[0]);
    assert_int_equal(setup_table(1), GNTST_okay);
    guest_get(&frame, SCRATCH + 512, 8);
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, TABLE_VA,
                           frame << PAGE_SHIFT | PTE_P | PTE_RW, UVMF_INVLPG), 0);
    guest_put(PAGE_VA, data, 9);
}

static inline int two_guests(void **state)
{
    machine_up(state);
    a = guest_make(1, 1);
    b = guest_make(2, 1);
    assert_true(a != NULL && b != NULL);
    table_up(a, "a's data");
    page = mfn_of_va(PAGE_VA);
    return 0;
}

static inline struct gnttab_map_grant_ref map(grant_ref_t ref, uint32_t flags, uint64_t va,
                                              domid_t dom)
{
    struct gnttab_map_grant_ref m = { .host_addr = va, .flags = flags, .ref = ref, .dom = dom };

    assert_int_equal(gnttab(GNTTABOP_map_grant_ref, &m, sizeof(m)), 0);
    return m;
}

static inline int unmap(uint64_t va, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref u = { .host_addr = va, .handle = handle };

    assert_int_equal(gnttab(GNTTABOP_unmap_grant_ref, &u, sizeof(u)), 0);
    return u.status;
}
#define with_guests(test) cmocka_unit_test_setup_teardown(test, two_guests, machine_down)

#endif
