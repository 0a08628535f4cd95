/* Suite "grants2": version 2 of the grant table, by grants of a domain to itself: changing the
 * version, the status pages, parts of pages, and what a transitive grant may not be. Every test
 * leaves version 1 behind, for the other suites. Version 1 is in grants.c. */
#include <string.h>
#include "gnttab_v2.h"
#include "grants.h"
#include "hypercall.h"
#include "start.h"
#include "suite.h"

#define REF 70                                  /* an ordinary entry, and the next one */

static volatile grant_status_t *status;         /* where the status page is mapped */

#define EXPECT_VERSION(wish, result, now) do { \
        uint32_t in_force; \
        EXPECT_EQ(v2_set_version(wish, &in_force), result); \
        EXPECT_EQ(in_force, now); \
    } while (0)

static void begin(void)
{
    xen_pfn_t frame;

    grant_begin();
    EXPECT_VERSION(2, 0, 2);
    ASSERT_EQ(v2_status_frames(DOMID_SELF, 1, &frame), GNTST_okay);
    status = va_alloc(1);
    ASSERT_EQ(map_page((void *)status, make_pte(frame, PTE_KERNEL | PTE_NX)), 0);
}

static void end(void)
{
    EXPECT_EQ(status[REF], 0);
    EXPECT_EQ(pte_read(own.window, 1) & PTE_P, 0);
    ASSERT_EQ(map_page((void *)status, 0), 0);
    EXPECT_VERSION(1, 0, 1);
    frame_free(own.pfn);
}

static void offer_part(grant_ref_t ref, unsigned off, unsigned length, unsigned flags)
{
    v2_offer_part(ref, own.self, pfn_to_mfn(own.pfn), off, length, flags);
}

/* Copies len bytes between a grant, at an offset, and a page that is not granted. */
static int copy(grant_ref_t ref, unsigned offset, unsigned len, bool write)
{
    static uint64_t buffer[512] __attribute__((aligned(PAGE_SIZE)));
    struct gnttab_copy_ptr grant = { .u.ref = ref, .domid = own.self, .offset = offset };
    struct gnttab_copy_ptr local = { .u.gmfn = v2mfn(buffer), .domid = DOMID_SELF,
                                     .offset = write ? 0 : offset };
    struct gnttab_copy op = { .source = write ? local : grant, .dest = write ? grant : local,
                              .flags = write ? GNTCOPY_dest_gref : GNTCOPY_source_gref,
                              .len = len, .status = 1 };
    long rc;

    memset(buffer, 0x5a, sizeof(buffer));
    rc = xen_grant_table_op(GNTTABOP_copy, &op, 1);
    if (rc == 0 && op.status == GNTST_okay && !write)
        EXPECT_EQ(memcmp((char *)buffer + offset, (const char *)own.page + offset, len), 0);
    return rc ? rc : op.status;
}

/* --- The version ------------------------------------------------------------------------------ */

/* A change of the version keeps the reserved entries and clears the others. */
static void entries_kept(void)
{
    grant_entry_v1_t reserved[GNTTAB_NR_RESERVED_ENTRIES];

    grant_begin();
    memcpy(reserved, (void *)gnttab(), sizeof(reserved));
    grant_offer(5, 0x7123, 0x1234, GTF_readonly);
    grant_offer(6, 0x7124, 0x5678, 0);
    grant_offer(REF, own.self, pfn_to_mfn(own.pfn), 0);
    EXPECT_VERSION(2, 0, 2);
    EXPECT_VERSION(2, 0, 2);
    EXPECT_EQ(v2_entry(5)->hdr.flags, GTF_permit_access | GTF_readonly);
    EXPECT_EQ(v2_entry(5)->hdr.domid, 0x7123);
    EXPECT_EQ(v2_entry(5)->full_page.frame, 0x1234);
    EXPECT_EQ(v2_entry(REF)->hdr.flags, 0);
    EXPECT_EQ(v2_entry(REF)->full_page.frame, 0);
    v2_offer_transitive(6, 0x7124, 0x7125, 9);     /* version 1 cannot express it */
    EXPECT_VERSION(1, -XEN_ERANGE, 2);
    v2_offer(6, 0x7124, 1ul << 32, 0);
    EXPECT_VERSION(1, -XEN_ERANGE, 2);
    v2_entry(6)->hdr.flags = GTF_accept_transfer;  /* dropped by the change */
    EXPECT_EQ(v2_entry(5)->hdr.domid, 0x7123);
    v2_offer(7, 0x7126, 0x9abc, 0);
    v2_offer(REF, own.self, pfn_to_mfn(own.pfn), 0);
    EXPECT_VERSION(1, 0, 1);
    EXPECT_EQ(gnttab()[5].flags, GTF_permit_access | GTF_readonly);
    EXPECT_EQ(gnttab()[5].domid, 0x7123);
    EXPECT_EQ(gnttab()[5].frame, 0x1234);
    EXPECT_EQ(gnttab()[6].flags, 0);
    EXPECT_EQ(gnttab()[6].domid, 0);
    EXPECT_EQ(gnttab()[7].flags, GTF_permit_access);
    EXPECT_EQ(gnttab()[7].frame, 0x9abc);
    for (grant_ref_t ref = GNTTAB_NR_RESERVED_ENTRIES; ref < gnttab_entries(); ref++)
        if (!EXPECT_EQ(gnttab()[ref].flags | gnttab()[ref].domid | gnttab()[ref].frame, 0))
            break;
    memcpy((void *)gnttab(), reserved, sizeof(reserved));
    frame_free(own.pfn);
}

static void busy_grants(void)
{
    grant_handle_t handle;

    grant_begin();
    grant_offer(REF, own.self, pfn_to_mfn(own.pfn), 0);
    ASSERT_EQ(grant_map((uint64_t)own.window, GNTMAP_host_map, own.self, REF, &handle), GNTST_okay);
    EXPECT_VERSION(2, -XEN_EBUSY, 1);
    EXPECT_VERSION(1, 0, 1);
    EXPECT_VERSION(3, -XEN_EINVAL, 1);
    EXPECT_EQ(gnttab()[REF].flags, GTF_permit_access | GTF_reading | GTF_writing);
    ASSERT_EQ(grant_unmap((uint64_t)own.window, handle), GNTST_okay);
    EXPECT(grant_revoke(REF));
    frame_free(own.pfn);
}

/* A reserved entry may be in use when the version changes. Its status bits move to where the new
 * version has them. */
static void busy_reserved_grant(void)
{
    grant_handle_t handle;
    pfn_t granted;
    uint64_t at;

    grant_begin();
    at = (uint64_t)own.window;
    granted = own.pfn;
    grant_offer(7, own.self, pfn_to_mfn(own.pfn), 0);
    ASSERT_EQ(grant_map(at, GNTMAP_host_map, own.self, 7, &handle), GNTST_okay);
    begin();
    EXPECT_EQ(v2_entry(7)->hdr.flags, GTF_permit_access);
    EXPECT_EQ(status[7], GTF_reading | GTF_writing);
    ASSERT_EQ(map_page((void *)status, 0), 0);
    EXPECT_VERSION(1, 0, 1);
    EXPECT_EQ(gnttab()[7].flags, GTF_permit_access | GTF_reading | GTF_writing);
    ASSERT_EQ(grant_unmap(at, handle), GNTST_okay);
    EXPECT(grant_revoke(7));
    frame_free(granted);
    frame_free(own.pfn);
}

static void status_pages(void)
{
    struct gnttab_query_size size = { .dom = DOMID_SELF };
    struct gnttab_get_status_frames op = { .dom = DOMID_SELF, .nr_frames = 1 };
    xen_pfn_t frames[16];
    unsigned nr;

    grant_begin();
    EXPECT_EQ(v2_status_frames(DOMID_SELF, 0, frames), GNTST_okay);
    EXPECT_EQ(v2_status_frames(DOMID_SELF, 1, frames), GNTST_general_error);
    frame_free(own.pfn);
    begin();
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_query_size, &size, 1), 0);
    nr = (size.nr_frames + 7) / 8;              /* 256 entries a page, 2048 statuses */
    EXPECT_EQ(v2_status_frames(DOMID_SELF, nr, frames), GNTST_okay);
    EXPECT_EQ(frames[0], pte_mfn(pte_read(status, 1)));
    EXPECT_EQ(v2_status_frames(DOMID_SELF, nr + 1, frames), GNTST_general_error);
    EXPECT_EQ(v2_status_frames(NO_SUCH_DOMAIN, 1, frames), GNTST_bad_domain);
    set_xen_guest_handle(op.frame_list, (uint64_t *)frames);
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_get_status_frames, &op, 2), -XEN_EINVAL);
    set_xen_guest_handle(op.frame_list, (uint64_t *)HOLE_START);
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_get_status_frames, &op, 1), -XEN_EFAULT);
    EXPECT_VERSION(1, -XEN_EBUSY, 2);           /* a status page is mapped */
    EXPECT_EQ(status[0] | status[2047], 0);
    end();
}

/* --- Mapping ---------------------------------------------------------------------------------- */

static void map_whole_pages(void)
{
    grant_handle_t handle, other;

    begin();
    own.page[3] = 0x1234;
    v2_offer(REF, own.self, pfn_to_mfn(own.pfn), 0);
    ASSERT_EQ(grant_map((uint64_t)own.window, GNTMAP_host_map | GNTMAP_readonly, own.self, REF,
                        &handle), GNTST_okay);
    EXPECT_EQ(own.window[3], 0x1234);
    EXPECT_EQ(status[REF], GTF_reading);
    EXPECT_EQ(v2_entry(REF)->hdr.flags, GTF_permit_access);
    EXPECT_VERSION(1, -XEN_EBUSY, 2);
    ASSERT_EQ(grant_map((uint64_t)va_alloc(1), GNTMAP_device_map, own.self, REF, &other),
              GNTST_okay);
    EXPECT_EQ(status[REF], GTF_reading | GTF_writing);
    EXPECT_EQ(grant_unmap((uint64_t)own.window, handle), GNTST_okay);
    EXPECT_EQ(status[REF], GTF_reading | GTF_writing);
    {
        struct gnttab_unmap_grant_ref op = { .dev_bus_addr = pfn_to_mfn(own.pfn) << PAGE_SHIFT,
                                             .handle = other };

        EXPECT_EQ(xen_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1), 0);
        EXPECT_EQ(op.status, GNTST_okay);
    }
    end();
}

static void map_refused(void)
{
    struct gnttab_query_size size = { .dom = DOMID_SELF };
    grant_handle_t handle;
    uint64_t at;

    begin();
    at = (uint64_t)own.window;
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_query_size, &size, 1), 0);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, own.self, size.nr_frames * 256 - 1, &handle),
              GNTST_general_error);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, own.self, size.nr_frames * 256, &handle),
              GNTST_bad_gntref);
    v2_offer(REF, own.self + 1, pfn_to_mfn(own.pfn), 0);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, own.self, REF, &handle), GNTST_general_error);
    v2_offer(REF, own.self, pfn_to_mfn(own.pfn), GTF_readonly);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, own.self, REF, &handle), GNTST_general_error);
    v2_offer(REF, own.self, 1ul << 40, 0);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, own.self, REF, &handle), GNTST_bad_page);
    v2_offer(REF, own.self, pfn_to_mfn(own.pfn) | 1ul << 32, 0);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, own.self, REF, &handle), GNTST_bad_page);
    EXPECT_EQ(status[REF], 0);
    offer_part(REF, 0, PAGE_SIZE - 1, 0);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, own.self, REF, &handle), GNTST_general_error);
    v2_offer_transitive(REF, own.self, own.self, REF + 1);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, own.self, REF, &handle), GNTST_general_error);
    end();
}

/* --- Copying ---------------------------------------------------------------------------------- */

static void copy_parts(void)
{
    begin();
    for (unsigned i = 0; i < 512; i++)
        own.page[i] = i * 0x9e3779b97f4a7c15;
    offer_part(REF, 100, 200, 0);
    EXPECT_EQ(copy(REF, 100, 200, false), GNTST_okay);
    EXPECT_EQ(copy(REF, 150, 1, false), GNTST_okay);
    EXPECT_EQ(copy(REF, 99, 1, false), GNTST_general_error);
    EXPECT_EQ(copy(REF, 100, 201, false), GNTST_general_error);
    EXPECT_EQ(copy(REF, 300, 1, false), GNTST_general_error);
    EXPECT_EQ(copy(REF, 4000, 97, false), GNTST_bad_copy_arg);  /* beyond the page: checked first */
    EXPECT_EQ(copy(REF, 296, 4, true), GNTST_okay);
    EXPECT_EQ(((volatile uint32_t *)own.page)[74], 0x5a5a5a5a);
    EXPECT_EQ(copy(REF, 296, 5, true), GNTST_general_error);
    EXPECT_EQ(copy(REF, 300, 0, true), GNTST_okay);
    EXPECT_EQ(copy(REF, 301, 0, true), GNTST_general_error);
    offer_part(REF, 100, 200, GTF_readonly);
    EXPECT_EQ(copy(REF, 100, 1, true), GNTST_general_error);
    offer_part(REF, 4000, 4000, 0);              /* may reach beyond its page */
    EXPECT_EQ(copy(REF, 4000, 96, false), GNTST_okay);
    EXPECT_EQ(copy(REF, 4000, 97, false), GNTST_bad_copy_arg);
    offer_part(REF, 0, 0, 0);
    EXPECT_EQ(copy(REF, 0, 1, false), GNTST_general_error);
    v2_offer(REF, own.self, pfn_to_mfn(own.pfn), GTF_readonly);
    EXPECT_EQ(copy(REF, 0, PAGE_SIZE, false), GNTST_okay);
    v2_entry(REF)->hdr.flags = 0;
    EXPECT_EQ(copy(REF, 0, 1, false), GNTST_general_error);
    end();
}

/* One grant as source and destination of a copy: both are limited to its part of the page. */
static void copy_within_a_part(void)
{
    struct gnttab_copy op = { .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref, .len = 8,
                              .status = 1 };

    begin();
    own.page[20] = 0x2020;
    offer_part(REF, 160, 80, 0);
    op.source = op.dest = (struct gnttab_copy_ptr){ .u.ref = REF, .domid = own.self,
                                                    .offset = 160 };
    op.dest.offset = 232;
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_copy, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_okay);
    EXPECT_EQ(own.page[29], 0x2020);
    op.dest.offset = 240;
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_copy, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_general_error);
    EXPECT_EQ(own.page[30], 0);
    end();
}

static void transitive_refused(void)
{
    begin();
    v2_offer(REF + 1, own.self, pfn_to_mfn(own.pfn), 0);
    v2_offer_transitive(REF, own.self, own.self, REF + 1);    /* by way of this domain */
    EXPECT_EQ(copy(REF, 0, 8, false), GNTST_general_error);
    v2_offer_transitive(REF, own.self, NO_SUCH_DOMAIN, REF + 1);
    EXPECT_EQ(copy(REF, 0, 8, false), GNTST_general_error);
    v2_offer_transitive(REF, own.self + 1, own.self, REF + 1);
    EXPECT_EQ(copy(REF, 0, 8, false), GNTST_general_error);
    EXPECT_EQ(status[REF + 1], 0);
    end();
}

static void swapping(void)
{
    struct gnttab_swap_grant_ref op = { .ref_a = REF, .ref_b = REF + 1, .status = 1 };
    grant_handle_t handle;

    begin();
    v2_offer(REF, own.self, pfn_to_mfn(own.pfn), 0);
    v2_entry(REF + 1)->hdr.flags = 0;
    status[REF + 1] = 0x100;                    /* any value moves along */
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_swap_grant_ref, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_okay);
    EXPECT_EQ(v2_entry(REF)->hdr.flags, 0);
    EXPECT_EQ(v2_entry(REF + 1)->full_page.frame, pfn_to_mfn(own.pfn));
    EXPECT_EQ(status[REF], 0x100);
    EXPECT_EQ(status[REF + 1], 0);
    status[REF] = 0;
    ASSERT_EQ(grant_map((uint64_t)own.window, GNTMAP_host_map, own.self, REF + 1, &handle),
              GNTST_okay);
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_swap_grant_ref, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_eagain);
    op.ref_a = REF + 1;                         /* with itself: nothing to do */
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_swap_grant_ref, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_okay);
    ASSERT_EQ(grant_unmap((uint64_t)own.window, handle), GNTST_okay);
    end();
}

SUITE(grants2, 55, 0, TEST(entries_kept), TEST(busy_grants), TEST(busy_reserved_grant),
      TEST(status_pages), TEST(map_whole_pages), TEST(map_refused), TEST(copy_parts),
      TEST(copy_within_a_part), TEST(transitive_refused), TEST(swapping));
