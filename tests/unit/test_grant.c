/* Grants between two domains: what may be mapped and copied, what may not, and that closing leaves nothing
 * behind, whichever of the two ends first. */
#include "cmocka_main.h"
#include <string.h>
#include "support.h"
#include "xen/sched.h"

#define TABLE_VA FREE_PFN_VA
#define PAGE_VA (FREE_PFN_VA + PAGE_SIZE)
#define MAP_VA (FREE_PFN_VA + 2 * PAGE_SIZE)

static struct domain *a, *b;
static mfn_t page;              /* of a, mapped at PAGE_VA */

static long gnttab(unsigned cmd, void *arg, size_t len)
{
    return hcall_struct(__HYPERVISOR_grant_table_op, cmd, arg, len);
}

static void entry(grant_ref_t ref, uint16_t flags, domid_t domid, mfn_t mfn)
{
    struct grant_entry_v1 e = { .flags = flags, .domid = domid, .frame = (uint32_t)mfn };

    guest_put(TABLE_VA + ref * sizeof(e), &e, sizeof(e));
}

static uint16_t entry_flags(grant_ref_t ref)
{
    struct grant_entry_v1 e;

    guest_get(&e, TABLE_VA + ref * sizeof(e), sizeof(e));
    return e.flags;
}

static int two_guests(void **state)
{
    struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 1 };
    uint64_t frame;

    machine_up(state);
    a = guest_make(1, 1);
    b = guest_make(2, 1);
    assert_true(a != NULL && b != NULL);
    host_become(a->vcpu[0]);
    set_xen_guest_handle_raw(s.frame_list, (xen_pfn_t *)(SCRATCH + 512));
    assert_int_equal(gnttab(GNTTABOP_setup_table, &s, sizeof(s)), 0);
    assert_int_equal(s.status, GNTST_okay);
    guest_get(&frame, SCRATCH + 512, 8);
    page = mfn_of_va(PAGE_VA);
    assert_int_equal(
        hcall(__HYPERVISOR_update_va_mapping, TABLE_VA, frame << PAGE_SHIFT | PTE_P | PTE_RW, UVMF_INVLPG),
        0);
    guest_put(PAGE_VA, "a's data", 9);
    return 0;
}

static struct gnttab_map_grant_ref map(grant_ref_t ref, uint32_t flags, uint64_t va, domid_t dom)
{
    struct gnttab_map_grant_ref m = { .host_addr = va, .flags = flags, .ref = ref, .dom = dom };

    assert_int_equal(gnttab(GNTTABOP_map_grant_ref, &m, sizeof(m)), 0);
    return m;
}

static int unmap(uint64_t va, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref u = { .host_addr = va, .handle = handle };

    assert_int_equal(gnttab(GNTTABOP_unmap_grant_ref, &u, sizeof(u)), 0);
    return u.status;
}

static void maps_and_unmaps(void **state)
{
    struct gnttab_map_grant_ref m, ro;
    char text[9];

    (void)state;
    entry(8, GTF_permit_access, 2, page);
    host_become(b->vcpu[0]);
    m = map(8, GNTMAP_host_map, MAP_VA, 1);
    assert_int_equal(m.status, GNTST_okay);
    guest_get(text, MAP_VA, 9);
    assert_string_equal(text, "a's data");
    guest_put(MAP_VA, "b's data", 9);
    ro = map(8, GNTMAP_host_map | GNTMAP_readonly, MAP_VA + PAGE_SIZE, 1);
    assert_int_equal(ro.status, GNTST_okay);
    assert_false(host_guest_write(MAP_VA + PAGE_SIZE, text, 1));
    host_become(a->vcpu[0]);
    guest_get(text, PAGE_VA, 9);
    assert_string_equal(text, "b's data");
    assert_int_equal(entry_flags(8) & (GTF_reading | GTF_writing), GTF_reading | GTF_writing);
    host_become(b->vcpu[0]);
    assert_int_equal(unmap(MAP_VA, m.handle), GNTST_okay);
    assert_false(host_guest_read(text, MAP_VA, 1));
    assert_int_equal(unmap(MAP_VA, m.handle), GNTST_bad_handle);
    assert_int_equal(unmap(MAP_VA, 0xffffff), GNTST_bad_handle);
    host_become(a->vcpu[0]);
    assert_int_equal(entry_flags(8) & GTF_writing, 0);
    assert_int_equal(entry_flags(8) & GTF_reading, GTF_reading);
    host_become(b->vcpu[0]);
    assert_int_equal(unmap(MAP_VA + PAGE_SIZE, ro.handle), GNTST_okay);
    host_become(a->vcpu[0]);
    assert_int_equal(entry_flags(8), GTF_permit_access);
}

/* GNTMAP_contains_pte, and unmap_and_replace, which moves another mapping into the place. */
static void by_entry_and_replaced(void **state)
{
    struct gnttab_map_grant_ref m;
    struct gnttab_unmap_and_replace r = { .host_addr = MAP_VA, .new_addr = MAP_VA + PAGE_SIZE };
    mfn_t moved;
    uint64_t at;

    (void)state;
    entry(8, GTF_permit_access, 2, page);
    host_become(b->vcpu[0]);
    at = slot_maddr(MAP_VA);
    assert_int_equal(map(8, GNTMAP_host_map | GNTMAP_contains_pte, at + 4, 1).status, GNTST_general_error);
    m = map(8, GNTMAP_host_map | GNTMAP_contains_pte | GNTMAP_readonly, at, 1);
    assert_int_equal(m.status, GNTST_okay);
    assert_int_equal(PTE_MFN(pte_at(MAP_VA)), page);
    assert_false(pte_at(MAP_VA) & PTE_RW);
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, MAP_VA, page << PAGE_SHIFT | PTE_P | PTE_RW, 0),
                     -EBUSY);
    assert_int_equal(unmap(slot_maddr(PAGE_VA), m.handle), GNTST_general_error); /* not this grant's entry */
    assert_int_equal(unmap(at, m.handle), GNTST_okay);
    assert_int_equal(pte_at(MAP_VA), 0);

    m = map(8, GNTMAP_host_map, MAP_VA, 1);
    moved = mfn_of_va(MAP_VA + PAGE_SIZE);
    r.handle = m.handle;
    assert_int_equal(gnttab(GNTTABOP_unmap_and_replace, &r, sizeof(r)), 0);
    assert_int_equal(r.status, GNTST_okay);
    assert_int_equal(mfn_of_va(MAP_VA), moved);
    assert_int_equal(pte_at(MAP_VA + PAGE_SIZE), 0);
    host_become(a->vcpu[0]);
    assert_int_equal(entry_flags(8), GTF_permit_access);
}

static void refusals(void **state)
{
    const struct { grant_ref_t ref; uint32_t flags; uint64_t va; domid_t dom; int status; } rows[] = {
        { 8, GNTMAP_host_map, MAP_VA, 77, GNTST_bad_domain },
        { 100000, GNTMAP_host_map, MAP_VA, 1, GNTST_bad_gntref },
        {9,      GNTMAP_host_map, MAP_VA,     1,  GNTST_general_error}, /* not permitted */
        {10,     GNTMAP_host_map, MAP_VA,     1,  GNTST_general_error}, /* for somebody else */
        {11,     GNTMAP_host_map, MAP_VA,     1,  GNTST_general_error}, /* read-only */
        {12,     GNTMAP_host_map, MAP_VA,     1,  GNTST_bad_page     }, /* not a frame of a */
        {13,     GNTMAP_host_map, MAP_VA,     1,  GNTST_general_error}, /* a page table, writable */
        { 8, GNTMAP_host_map, HOLE_START, 1, GNTST_general_error },
        {8,      GNTMAP_host_map, 0x1000,     1,  GNTST_general_error}, /* no table there */
        {8,      GNTMAP_readonly, MAP_VA,     1,  GNTST_bad_gntref   }, /* maps nothing */
    };

    (void)state;
    entry(8, GTF_permit_access, 2, page);
    entry(9, GTF_invalid, 2, page);
    entry(10, GTF_permit_access, 3, page);
    entry(11, GTF_permit_access | GTF_readonly, 2, page);
    entry(12, GTF_permit_access, 2, mfn_of_pfn(b, 3));
    entry(13, GTF_permit_access, 2, a->vcpu[0]->root_kernel >> PAGE_SHIFT);
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        struct gnttab_map_grant_ref m;
        uint64_t before = pte_at(MAP_VA);

        host_become(b->vcpu[0]);
        before = pte_at(MAP_VA);
        m = map(rows[i].ref, rows[i].flags, rows[i].va, rows[i].dom);
        if (m.status >= 0)
            fail_msg("row %u was granted", i);
        if (rows[i].status != m.status)
            fail_msg("row %u: status %d, expected %d", i, m.status, rows[i].status);
        assert_int_equal(pte_at(MAP_VA), before);
    }
    assert_int_equal(hcall(__HYPERVISOR_grant_table_op, 99, SCRATCH, 1), -ENOSYS);
    assert_int_equal(hcall(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, HOLE_START, 1), -EFAULT);
}

static void copies(void **state)
{
    struct gnttab_copy c = {
        .source.domid = 1, .dest.domid = DOMID_SELF, .flags = GNTCOPY_source_gref, .len = 9};
    char text[9];

    (void)state;
    entry(8, GTF_permit_access | GTF_readonly, 2, page);
    host_become(b->vcpu[0]);
    c.source.u.ref = 8;
    c.dest.u.gmfn = mfn_of_va(MAP_VA);
    c.dest.offset = 100;
    assert_int_equal(gnttab(GNTTABOP_copy, &c, sizeof(c)), 0);
    assert_int_equal(c.status, GNTST_okay);
    guest_get(text, MAP_VA + 100, 9);
    assert_string_equal(text, "a's data");
    c.dest.offset = 4095;
    assert_int_equal(gnttab(GNTTABOP_copy, &c, sizeof(c)), 0);
    assert_int_equal(c.status, GNTST_bad_copy_arg);
    c.dest.offset = 0;
    c.flags = GNTCOPY_dest_gref;                /* the other way: read-only */
    c.dest.domid = 1;
    c.dest.u.ref = 8;
    c.source.domid = DOMID_SELF;
    c.source.u.gmfn = mfn_of_va(MAP_VA);
    assert_int_equal(gnttab(GNTTABOP_copy, &c, sizeof(c)), 0);
    assert_true(c.status < 0);
    c.flags = 0;                                /* somebody else's frame without a grant */
    c.dest.domid = 1;
    c.dest.u.gmfn = page;
    assert_int_equal(gnttab(GNTTABOP_copy, &c, sizeof(c)), 0);
    assert_true(c.status < 0);
    c.dest.domid = DOMID_SELF;                  /* into one's own page table */
    c.dest.u.gmfn = b->vcpu[0]->root_kernel >> PAGE_SHIFT;
    assert_int_equal(gnttab(GNTTABOP_copy, &c, sizeof(c)), 0);
    assert_true(c.status < 0);
    host_become(a->vcpu[0]);
    assert_int_equal(entry_flags(8), GTF_permit_access | GTF_readonly);
}

/* Each order of endings, with everything mapped that can be: frames, a read-only one, and the granter's
 * shared pages. */
static void endings(void **state)
{
    for (unsigned order = 0; order < 6; order++) {
        struct gnttab_map_grant_ref m[3];

        if (order != 0) {
            machine_down(state);
            two_guests(state);
        }
        entry(8, GTF_permit_access, 2, page);
        entry(9, GTF_permit_access, 2, a->shared_mfn);
        entry(10, GTF_permit_access, 2, mfn_of_va(TABLE_VA));
        host_become(b->vcpu[0]);
        for (unsigned i = 0; i < 3; i++)
            m[i] = map(8 + i, GNTMAP_host_map, MAP_VA + i * PAGE_SIZE, 1);
        assert_int_equal(m[0].status, GNTST_okay);
        if (order == 0)
            continue;                           /* both end at once */
        if (order == 1) {
            guest_end(a);
            audit();
            guest_end(b);
        } else if (order == 2) {
            guest_end(b);
            audit();
        } else {
            char text[9];

            if (order == 4)
                assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, MAP_VA, 0, UVMF_INVLPG), 0);
            guest_end(a);
            host_become(b->vcpu[0]);
            if (order != 4) {
                guest_get(text, MAP_VA, 9);
                assert_string_equal(text, "a's data");
            }
            for (unsigned i = 0; i < 3; i++)
                if (m[i].status == GNTST_okay)
                    (void)unmap(MAP_VA + i * PAGE_SIZE, m[i].handle);
            host_become(boot_cpu.idle);
            (void)host_run(1000000000);
            audit();
        }
    }
}

static void runs_out_of_memory(void **state)
{
    struct gnttab_map_grant_ref m;

    (void)state;
    entry(8, GTF_permit_access, 2, page);
    host_become(b->vcpu[0]);
    host_take_all_but(0);
    for (unsigned i = 0; i < 3000; i++) {
        struct gnttab_map_grant_ref one = {.host_addr = MAP_VA, .flags = GNTMAP_host_map, .ref = 8, .dom = 1};

        guest_put(SCRATCH, &one, sizeof(one));
        assert_int_equal(
            hypercall_table[__HYPERVISOR_grant_table_op](GNTTABOP_map_grant_ref, SCRATCH, 1, 0, 0, 0), 0);
        guest_get(&m, SCRATCH, sizeof(m));
        if (m.status != GNTST_okay)
            break;
    }
    assert_true(m.status < 0);
    audit();
    host_give_back();
}

#define with_guests(test) cmocka_unit_test_setup_teardown(test, two_guests, machine_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guests(maps_and_unmaps), with_guests(by_entry_and_replaced),
        with_guests(refusals), with_guests(copies),
        with_guests(endings), with_guests(runs_out_of_memory),
    };

    return cmocka_run_group_tests_name("grant", tests, NULL, NULL);
}
