/* Grants that are mapped: by address and by entry, for devices, refused, and ended by either
 * domain. Not here: copies and tables of version 2 (test_grant_copy.c). */
#include "cmocka_main.h"
#include "xen/core/sched.h"
#include "grant_fixture.h"
#include "second_cpu.h"

static int unmap_device(uint64_t bus_addr, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref u = { .dev_bus_addr = bus_addr, .handle = handle };

    assert_int_equal(gnttab(GNTTABOP_unmap_grant_ref, &u, sizeof(u)), 0);
    return u.status;
}

static void grant_is_mapped_and_unmapped(void **state)
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

/* The other CPU that may have the translation is flushed before the pin is dropped, and mm_lock is
 * not held meanwhile. */
static void unmap_flushes_other_cpus_without_lock(void **state)
{
    struct domain *c = guest_make(3, 2);
    struct gnttab_map_grant_ref m;
    int status;

    (void)state;
    host_become(a->vcpu[0]);
    entry(8, GTF_permit_access, 3, page);
    host_become(c->vcpu[0]);
    m = map(8, GNTMAP_host_map, MAP_VA, 1);
    assert_int_equal(m.status, GNTST_okay);
    second_cpu_up(c->vcpu[1]);
    status = unmap(MAP_VA, m.handle);
    second_cpu_down();
    assert_int_equal(status, GNTST_okay);
    assert_int_equal(second_asked, 1);
    assert_int_equal(second_asked_locked, 0);
}

/* The mapping was overwritten, the granter gave the frame back, and the mapper got it and mapped it
 * at the same place: the handle does not unmap it. */
static void handle_does_not_unmap_an_own_frame(void **state)
{
    struct gnttab_map_grant_ref m;
    struct gnttab_unmap_grant_ref u = { .host_addr = MAP_VA };
    struct frame *f = mfn_to_frame(page);

    (void)state;
    entry(8, GTF_permit_access, 2, page);
    host_become(b->vcpu[0]);
    m = map(8, GNTMAP_host_map, MAP_VA, 1);
    u.handle = m.handle;
    assert_int_equal(m.status, GNTST_okay);
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, MAP_VA, 0, UVMF_INVLPG), 0);
    f->owner = b->mfn;
    assert_int_equal(do_update_va_mapping(MAP_VA, page << PAGE_SHIFT | PTE_P | PTE_RW, UVMF_INVLPG),
                     0);
    guest_put(SCRATCH, &u, sizeof(u));
    assert_int_equal(do_grant_table_op(GNTTABOP_unmap_grant_ref, SCRATCH, 1), 0);
    guest_get(&u, SCRATCH, sizeof(u));
    assert_int_equal(do_update_va_mapping(MAP_VA, 0, UVMF_INVLPG), 0);
    f->owner = a->mfn;
    assert_int_equal(u.status, GNTST_general_error);
    audit();
}

/* GNTMAP_contains_pte, and unmap_and_replace, which moves another mapping into the place. */
static void grant_is_mapped_by_entry_and_replaced(void **state)
{
    struct gnttab_map_grant_ref m;
    struct gnttab_unmap_and_replace r = { .host_addr = MAP_VA, .new_addr = MAP_VA + PAGE_SIZE };
    mfn_t moved;
    uint64_t at;

    (void)state;
    entry(8, GTF_permit_access, 2, page);
    host_become(b->vcpu[0]);
    at = slot_maddr(MAP_VA);
    assert_int_equal(map(8, GNTMAP_host_map | GNTMAP_contains_pte, at + 4, 1).status,
                     GNTST_general_error);
    m = map(8, GNTMAP_host_map | GNTMAP_contains_pte | GNTMAP_readonly, at, 1);
    assert_int_equal(m.status, GNTST_okay);
    assert_int_equal(PTE_MFN(pte_at(MAP_VA)), page);
    assert_false(pte_at(MAP_VA) & PTE_RW);
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, MAP_VA,
                           page << PAGE_SHIFT | PTE_P | PTE_RW, 0),
                     -EBUSY);
    /* not this grant's entry */
    assert_int_equal(unmap(slot_maddr(PAGE_VA), m.handle), GNTST_general_error);
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

static void bad_maps_and_unmaps_are_refused(void **state)
{
    const struct {
        grant_ref_t ref;
        uint32_t flags;
        uint64_t va;
        domid_t dom;
        int status;
    } rows[] = {
        { 8, GNTMAP_host_map, MAP_VA, 77, GNTST_bad_domain },
        /* exists, and grants nothing */
        { 8, GNTMAP_host_map, MAP_VA, 0, GNTST_general_error },
        { 100000, GNTMAP_host_map, MAP_VA, 1, GNTST_bad_gntref },
        {9,      GNTMAP_host_map, MAP_VA,     1,  GNTST_general_error}, /* not permitted */
        {10,     GNTMAP_host_map, MAP_VA,     1,  GNTST_general_error}, /* for another domain */
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
    assert_int_equal(hcall(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, HOLE_START, 1),
                     -EFAULT);
}

/* Each order in which domains end, with every kind of mapping: writable and read-only frames, and
 * the granter's shared pages. */
static void either_domain_may_end_first(void **state)
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
            host_become(cpus[0]->idle);
            (void)host_run(1000000000);
            audit();
        }
    }
}

/* A mapping for devices holds the frame by itself: its owner cannot make a table of it, and it
 * outlives its owner. */
static void device_mapping_holds_its_frame(void **state)
{
    for (unsigned order = 0; order < 4; order++) {
        struct gnttab_map_grant_ref m, ro, both;
        uint64_t bus = page << PAGE_SHIFT;

        if (order != 0) {
            machine_down(state);
            two_guests(state);
            bus = page << PAGE_SHIFT;
        }
        entry(8, GTF_permit_access, 2, page);
        host_become(b->vcpu[0]);
        m = map(8, GNTMAP_device_map, 0, 1);
        ro = map(8, GNTMAP_device_map | GNTMAP_readonly, 0, 1);
        both = map(8, GNTMAP_device_map | GNTMAP_host_map, MAP_VA, 1);
        assert_int_equal(m.status | ro.status | both.status, GNTST_okay);
        assert_int_equal(m.dev_bus_addr, bus);
        assert_int_equal(unmap_device(bus + 8, m.handle), GNTST_bad_dev_addr);
        /* the device's half stays */
        assert_int_equal(unmap(MAP_VA, both.handle), GNTST_okay);
        assert_int_equal(frame_type(mfn_to_frame(page)), TYPE_WRITABLE);
        assert_int_equal(frame_type_refs(page), 3);
        if (order == 1)
            guest_end(b);
        if (order == 1)
            continue;
        if (order == 2) {
            guest_end(a);
            audit();
            /* not given to another domain yet */
            assert_ptr_equal(frame_owner(mfn_to_frame(page)), a);
            host_become(b->vcpu[0]);
        }
        if (order == 3)
            continue;                                                   /* all end at once */
        assert_int_equal(unmap_device(bus, m.handle), GNTST_okay);
        assert_int_equal(unmap_device(bus, both.handle), GNTST_okay);
        assert_int_equal(unmap_device(bus, both.handle), GNTST_bad_handle);
        assert_int_equal(frame_refs(page), order == 2 ? 1 : 3);
        assert_int_equal(unmap_device(bus, ro.handle), GNTST_okay);
        host_become(cpus[0]->idle);
        (void)host_run(1000000000);
        if (order == 2)
            assert_null(frame_owner(mfn_to_frame(page)));
    }
}

static void without_memory_nothing_is_mapped(void **state)
{
    struct gnttab_map_grant_ref m;

    (void)state;
    entry(8, GTF_permit_access, 2, page);
    host_become(b->vcpu[0]);
    host_leave_free(0);
    for (unsigned i = 0; i < 3000; i++) {
        struct gnttab_map_grant_ref one = {
            .host_addr = MAP_VA, .flags = GNTMAP_host_map, .ref = 8, .dom = 1,
        };

        guest_put(SCRATCH, &one, sizeof(one));
        assert_int_equal(
            hypercall_table[__HYPERVISOR_grant_table_op](GNTTABOP_map_grant_ref, SCRATCH, 1, 0, 0,
                                                         0), 0);
        guest_get(&m, SCRATCH, sizeof(m));
        if (m.status != GNTST_okay)
            break;
    }
    assert_true(m.status < 0);
    audit();
    host_free_taken();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guests(grant_is_mapped_and_unmapped),
        with_guests(unmap_flushes_other_cpus_without_lock),
        with_guests(handle_does_not_unmap_an_own_frame),
        with_guests(grant_is_mapped_by_entry_and_replaced),
        with_guests(bad_maps_and_unmaps_are_refused),
        with_guests(either_domain_may_end_first),
        with_guests(device_mapping_holds_its_frame),
        with_guests(without_memory_nothing_is_mapped),
    };

    return cmocka_run_group_tests_name("grant", tests, NULL, NULL);
}
