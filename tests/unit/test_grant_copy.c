/* Copies between frames and grants, grants of a part of a page and transitive ones, and changes of
 * the table's version. */
#include "cmocka_main.h"
#include "xen/core/alloc.h"
#include "xen/pv/grant.h"
#include "grant_fixture.h"

static void copies_between_frames_and_grants(void **state)
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
    c.flags = 0;                                /* another domain's frame, without a grant */
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

static long set_version(uint32_t version)
{
    struct gnttab_set_version v = { .version = version };

    return gnttab(GNTTABOP_set_version, &v, sizeof(v));
}

static void put_entry(grant_ref_t ref, union grant_entry_v2 e)
{
    guest_put(TABLE_VA + ref * sizeof(e), &e, sizeof(e));
}

static union grant_entry_v2 whole(domid_t domid, uint16_t flags, mfn_t mfn)
{
    return (union grant_entry_v2){ .full_page = { .hdr = { GTF_permit_access | flags, domid },
                                                  .frame = mfn } };
}

static union grant_entry_v2 transitive(domid_t domid, domid_t via, grant_ref_t gref)
{
    return (union grant_entry_v2){
        .transitive = { .hdr = { GTF_transitive, domid }, .trans_domid = via, .gref = gref } };
}

static int copy_grant(grant_ref_t ref, unsigned offset, bool write)
{
    struct gnttab_copy_ptr grant = { .u.ref = ref, .domid = 1, .offset = (uint16_t)offset };
    struct gnttab_copy_ptr own = { .u.gmfn = mfn_of_va(MAP_VA), .domid = DOMID_SELF };
    struct gnttab_copy c = { .source = write ? own : grant, .dest = write ? grant : own, .len = 9,
                             .flags = write ? GNTCOPY_dest_gref : GNTCOPY_source_gref };

    assert_int_equal(gnttab(GNTTABOP_copy, &c, sizeof(c)), 0);
    return c.status;
}

static void expect_data(uint64_t va, const char *text)
{
    char data[9];

    guest_get(data, va, sizeof(data));
    assert_string_equal(data, text);
}

static uint16_t status_of(const struct domain *d, grant_ref_t ref)
{
    return *grant_status_of(d->grant, ref);
}

/* b copies by a transitive grant of a's that leads to one of c's. */
static void copies_by_transitive_grants(void **state)
{
    struct domain *c = guest_make(3, 1);
    mfn_t theirs;

    (void)state;
    table_up(c, "c's data");
    theirs = mfn_of_va(PAGE_VA);
    entry(8, GTF_permit_access | GTF_readonly, 1, theirs);
    entry(9, GTF_permit_access, 1, theirs);
    entry(10, GTF_permit_access, 2, theirs);            /* to b itself, not to a */
    host_become(a->vcpu[0]);
    assert_int_equal(set_version(2), 0);
    for (grant_ref_t ref = 8; ref < 11; ref++)
        put_entry(ref, transitive(2, 3, ref));
    put_entry(11, transitive(2, 1, 12));                /* to itself */
    put_entry(12, whole(2, 0, page));
    put_entry(13, transitive(2, 0, 8));                 /* to no domain */
    put_entry(14, transitive(2, 3, 1u << 30));
    put_entry(15, transitive(2, 2, 8));                 /* back to b */
    table_up(b, "b's data");
    entry(8, GTF_permit_access, 1, mfn_of_va(PAGE_VA));
    assert_int_equal(copy_grant(8, 0, false), GNTST_okay);
    expect_data(MAP_VA, "c's data");
    assert_int_equal(copy_grant(8, 0, true), GNTST_general_error);
    assert_int_equal(copy_grant(10, 0, false), GNTST_general_error);
    assert_int_equal(copy_grant(11, 0, false), GNTST_general_error);
    assert_int_equal(copy_grant(13, 0, false), GNTST_general_error);
    assert_int_equal(copy_grant(14, 0, false), GNTST_bad_gntref);
    assert_int_equal(map(8, GNTMAP_host_map, MAP_VA, 1).status, GNTST_general_error);
    assert_int_equal(copy_grant(15, 0, false), GNTST_okay);
    expect_data(MAP_VA, "b's data");
    assert_int_equal(copy_grant(9, 0, true), GNTST_okay);
    for (grant_ref_t ref = 8; ref < 16; ref++)
        assert_int_equal(status_of(a, ref), 0);
    host_become(c->vcpu[0]);
    expect_data(PAGE_VA, "b's data");
    assert_int_equal(entry_flags(8), GTF_permit_access | GTF_readonly);
    assert_int_equal(entry_flags(9), GTF_permit_access);
    guest_end(c);   /* the third domain has ended, so the grant leads nowhere */
    host_become(b->vcpu[0]);
    assert_int_equal(copy_grant(9, 0, false), GNTST_general_error);
    assert_int_equal(status_of(a, 9), 0);
}

/* The other domain's grant covers a part of the page; or is transitive; or serves as both source
 * and destination. */
static void transitive_grant_limits_the_bytes(void **state)
{
    struct domain *c = guest_make(3, 1);
    struct gnttab_copy same = { .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref, .len = 8 };
    union grant_entry_v2 part = {
        .sub_page = { .hdr = { GTF_permit_access | GTF_sub_page, 1 }, .page_off = 16,
                      .length = 32 },
    };

    (void)state;
    table_up(c, "c's data");
    part.sub_page.frame = mfn_of_va(PAGE_VA);
    assert_int_equal(set_version(2), 0);
    put_entry(8, part);
    put_entry(9, transitive(1, 2, 8));
    host_become(a->vcpu[0]);
    assert_int_equal(set_version(2), 0);
    put_entry(8, transitive(2, 3, 8));
    put_entry(9, transitive(2, 3, 9));
    host_become(b->vcpu[0]);
    guest_put(MAP_VA, "b's data", 9);
    assert_int_equal(copy_grant(8, 16, true), GNTST_okay);
    assert_int_equal(copy_grant(8, 40, false), GNTST_general_error);
    assert_int_equal(copy_grant(8, 15, false), GNTST_general_error);
    assert_int_equal(copy_grant(9, 16, false), GNTST_general_error);    /* one step, not two */
    same.source = same.dest = (struct gnttab_copy_ptr){ .u.ref = 8, .domid = 1, .offset = 16 };
    same.dest.offset = 40;
    assert_int_equal(gnttab(GNTTABOP_copy, &same, sizeof(same)), 0);
    assert_int_equal(same.status, GNTST_okay);
    same.dest.offset = 41;
    assert_int_equal(gnttab(GNTTABOP_copy, &same, sizeof(same)), 0);
    assert_int_equal(same.status, GNTST_general_error);
    host_become(c->vcpu[0]);
    expect_data(PAGE_VA + 16, "b's data");
    for (grant_ref_t ref = 8; ref < 10; ref++)
        assert_int_equal(status_of(a, ref) | status_of(c, ref), 0);
}

/* A mapped entry that changes its kind keeps its former meaning. */
static void mapped_grant_keeps_its_kind_when_its_entry_changes(void **state)
{
    union grant_entry_v2 part = {
        .sub_page = { .hdr = { GTF_permit_access | GTF_sub_page, 2 }, .page_off = 16,
                      .length = 32, .frame = page },
    };
    struct gnttab_map_grant_ref m;

    (void)state;
    assert_int_equal(set_version(2), 0);
    put_entry(8, whole(2, 0, page));
    host_become(b->vcpu[0]);
    m = map(8, GNTMAP_host_map | GNTMAP_readonly, MAP_VA + PAGE_SIZE, 1);
    assert_int_equal(m.status, GNTST_okay);
    host_become(a->vcpu[0]);
    assert_int_equal(set_version(1), -EBUSY);
    put_entry(8, part);
    host_become(b->vcpu[0]);
    assert_int_equal(copy_grant(8, 0, false), GNTST_okay);
    expect_data(MAP_VA, "a's data");
    host_become(a->vcpu[0]);
    put_entry(8, transitive(2, 2, 8));
    table_up(b, "b's data");
    entry(8, GTF_permit_access, 1, mfn_of_va(PAGE_VA));
    /* leads to another page than it meant */
    assert_int_equal(copy_grant(8, 0, false), GNTST_general_error);
    assert_int_equal(entry_flags(8), GTF_permit_access);
    assert_int_equal(unmap(MAP_VA + PAGE_SIZE, m.handle), GNTST_okay);
    assert_int_equal(status_of(a, 8), 0);
}

static void version_change_without_memory_changes_nothing(void **state)
{
    uint64_t before, frame;
    struct gnttab_get_status_frames s = { .dom = DOMID_SELF, .nr_frames = 2 };

    (void)state;
    host_leave_free(0);
    assert_int_equal(set_version(2), -ENOMEM);
    assert_int_equal(a->grant->version, 1);
    host_free_taken();
    before = nr_free_frames();
    assert_int_equal(set_version(2), 0);
    assert_int_equal(nr_free_frames(), before - 1);
    assert_int_equal(set_version(1), 0);
    assert_int_equal(nr_free_frames(), before);
    assert_int_equal(set_version(2), 0);
    assert_int_equal(setup_table(9), GNTST_okay);       /* 2304 entries: two status pages */
    set_xen_guest_handle_raw(s.frame_list, (uint64_t *)(SCRATCH + 512));
    assert_int_equal(gnttab(GNTTABOP_get_status_frames, &s, sizeof(s)), 0);
    assert_int_equal(s.status, GNTST_okay);
    guest_get(&frame, SCRATCH + 520, 8);                /* the second one, mapped: in use */
    assert_int_equal(
        hcall(__HYPERVISOR_update_va_mapping, MAP_VA, frame << PAGE_SHIFT | PTE_P | PTE_RW,
              UVMF_INVLPG), 0);
    assert_int_equal(set_version(1), -EBUSY);
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, MAP_VA, 0, UVMF_INVLPG), 0);
    assert_int_equal(set_version(1), 0);
    assert_int_equal(a->grant->nr_entries, 9 * 512);
    assert_int_equal(set_version(2), 0);                /* the domain ends like this */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guests(copies_between_frames_and_grants),
        with_guests(copies_by_transitive_grants),
        with_guests(transitive_grant_limits_the_bytes),
        with_guests(mapped_grant_keeps_its_kind_when_its_entry_changes),
        with_guests(version_change_without_memory_changes_nothing),
    };

    return cmocka_run_group_tests_name("grant copy", tests, NULL, NULL);
}
