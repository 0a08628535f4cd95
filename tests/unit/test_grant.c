/* Grants between two domains: what may be mapped and copied, what may not, and that closing leaves
 * nothing behind, whichever of the two ends first. */
#include "cmocka_main.h"
#include <string.h>
#include "support.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/sched.h"
#include "xen/core/walk.h"
#include "xen/pv/grant.h"
#include "xen/pv/hypercalls.h"

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

static int setup_table(unsigned nr_frames)
{
    struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = nr_frames };

    set_xen_guest_handle_raw(s.frame_list, (xen_pfn_t *)(SCRATCH + 512));
    assert_int_equal(gnttab(GNTTABOP_setup_table, &s, sizeof(s)), 0);
    return s.status;
}

/* d's table at TABLE_VA, and "x's data" in its page. */
static void table_up(struct domain *d, const char *data)
{
    uint64_t frame;

    host_become(d->vcpu[0]);
    assert_int_equal(setup_table(1), GNTST_okay);
    guest_get(&frame, SCRATCH + 512, 8);
    assert_int_equal(
        hcall(__HYPERVISOR_update_va_mapping, TABLE_VA, frame << PAGE_SHIFT | PTE_P | PTE_RW,
              UVMF_INVLPG),
        0);
    guest_put(PAGE_VA, data, 9);
}

static int two_guests(void **state)
{
    machine_up(state);
    a = guest_make(1, 1);
    b = guest_make(2, 1);
    assert_true(a != NULL && b != NULL);
    table_up(a, "a's data");
    page = mfn_of_va(PAGE_VA);
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

static int unmap_device(uint64_t bus_addr, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref u = { .dev_bus_addr = bus_addr, .handle = handle };

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
static void maps_by_entry_and_replaces(void **state)
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

static void refuses_bad_maps_and_unmaps(void **state)
{
    const struct {
        grant_ref_t ref;
        uint32_t flags;
        uint64_t va;
        domid_t dom;
        int status;
    } rows[] = {
        { 8, GNTMAP_host_map, MAP_VA, 77, GNTST_bad_domain },
        /* always there, and grants nothing */
        { 8, GNTMAP_host_map, MAP_VA, 0, GNTST_general_error },
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
    assert_int_equal(hcall(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, HOLE_START, 1),
                     -EFAULT);
}

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
            host_become(boot_cpu.idle);
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
        assert_int_equal(mfn_to_frame(page)->type, TYPE_WRITABLE | TYPE_VALIDATED | 3);
        if (order == 1)
            guest_end(b);
        if (order == 1)
            continue;
        if (order == 2) {
            guest_end(a);
            audit();
            /* nobody else's yet */
            assert_ptr_equal(frame_owner(mfn_to_frame(page)), a);
            host_become(b->vcpu[0]);
        }
        if (order == 3)
            continue;                                                   /* all end at once */
        assert_int_equal(unmap_device(bus, m.handle), GNTST_okay);
        assert_int_equal(unmap_device(bus, both.handle), GNTST_okay);
        assert_int_equal(unmap_device(bus, both.handle), GNTST_bad_handle);
        assert_int_equal(mfn_to_frame(page)->count & FRAME_COUNT_MASK, order == 2 ? 1 : 3);
        assert_int_equal(unmap_device(bus, ro.handle), GNTST_okay);
        host_become(boot_cpu.idle);
        (void)host_run(1000000000);
        if (order == 2)
            assert_null(frame_owner(mfn_to_frame(page)));
    }
}

/* --- Version 2 -------------------------------------------------------------------------------- */

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
    put_entry(13, transitive(2, 0, 8));                 /* to nobody */
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
static void changed_while_mapped(void **state)
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
    assert_int_equal(set_version(2), 0);                /* and it ends so */
}

static void without_memory_nothing_is_mapped(void **state)
{
    struct gnttab_map_grant_ref m;

    (void)state;
    entry(8, GTF_permit_access, 2, page);
    host_become(b->vcpu[0]);
    host_leave_free(0);
    for (unsigned i = 0; i < 3000; i++) {
        struct gnttab_map_grant_ref one =
            {.host_addr = MAP_VA, .flags = GNTMAP_host_map, .ref = 8, .dom = 1};

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

#define with_guests(test) cmocka_unit_test_setup_teardown(test, two_guests, machine_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guests(maps_and_unmaps),
        with_guests(maps_by_entry_and_replaces),
        with_guests(refuses_bad_maps_and_unmaps),
        with_guests(copies_between_frames_and_grants),
        with_guests(either_domain_may_end_first),
        with_guests(device_mapping_holds_its_frame),
        with_guests(copies_by_transitive_grants),
        with_guests(transitive_grant_limits_the_bytes),
        with_guests(changed_while_mapped),
        with_guests(version_change_without_memory_changes_nothing),
        with_guests(without_memory_nothing_is_mapped),
    };

    return cmocka_run_group_tests_name("grant", tests, NULL, NULL);
}
