/*
 * Suite "grants2": version 2 of the grant table, by grants of a domain to itself: changing the
 * version, the status pages, parts of pages, and what a transitive grant may not be. Every test
 * leaves version 1 behind, for the others.
 */
#include <string.h>
#include "gnttab.h"
#include "hypercall.h"
#include "start.h"
#include "suite.h"

#define REF 70                                  /* an ordinary entry, and the one behind it */

static domid_t self;
static pfn_t pfn;                               /* what is granted */
static volatile uint64_t *page, *window;        /* where it is ours, and where it gets mapped */
static volatile grant_status_t *status;         /* the status page, where version 2 has it mapped */

static volatile union grant_entry_v2 *entry(grant_ref_t ref)
{
    return (volatile union grant_entry_v2 *)gnttab() + ref;
}

/* The hypercall's result; *in_force is the version afterwards. */
static long set_version(uint32_t version, uint32_t *in_force)
{
    struct gnttab_set_version op = { .version = version };
    struct gnttab_get_version now = { .dom = DOMID_SELF };
    long rc = xen_grant_table_op(GNTTABOP_set_version, &op, 1);

    EXPECT_EQ(xen_grant_table_op(GNTTABOP_get_version, &now, 1), 0);
    EXPECT_EQ(op.version, now.version);
    *in_force = now.version;
    return rc;
}

#define EXPECT_VERSION(wish, result, now) do { \
        uint32_t in_force; \
        EXPECT_EQ(set_version(wish, &in_force), result); \
        EXPECT_EQ(in_force, now); \
    } while (0)

static int status_frames(domid_t dom, unsigned nr, xen_pfn_t *frames)
{
    struct gnttab_get_status_frames op = { .dom = dom, .nr_frames = nr, .status = 1 };
    long rc;

    set_xen_guest_handle(op.frame_list, (uint64_t *)frames);
    rc = xen_grant_table_op(GNTTABOP_get_status_frames, &op, 1);
    return rc ? rc : op.status;
}

static void fresh(void)
{
    if (!gnttab())
        SKIP("no grant tables");
    self = own_domid();
    window = va_alloc(1);
    pfn = frame_alloc();
    page = p2v(pfn);
}

static void begin(void)
{
    xen_pfn_t frame;

    fresh();
    EXPECT_VERSION(2, 0, 2);
    ASSERT_EQ(status_frames(DOMID_SELF, 1, &frame), GNTST_okay);
    status = va_alloc(1);
    ASSERT_EQ(map_page((void *)status, make_pte(frame, PTE_KERNEL | PTE_NX)), 0);
}

static void end(void)
{
    EXPECT_EQ(status[REF], 0);
    EXPECT_EQ(pte_read(window, 1) & PTE_P, 0);
    ASSERT_EQ(map_page((void *)status, 0), 0);
    EXPECT_VERSION(1, 0, 1);
    frame_free(pfn);
}

static void offer(grant_ref_t ref, domid_t to, uint64_t frame, unsigned flags)
{
    entry(ref)->hdr.domid = to;
    entry(ref)->full_page.frame = frame;
    __atomic_store_n(&entry(ref)->hdr.flags, GTF_permit_access | flags, __ATOMIC_RELEASE);
}

static void offer_part(grant_ref_t ref, unsigned off, unsigned length, unsigned flags)
{
    entry(ref)->sub_page.page_off = off;
    entry(ref)->sub_page.length = length;
    offer(ref, self, pfn_to_mfn(pfn), GTF_sub_page | flags);
}

static void offer_transitive(grant_ref_t ref, domid_t to, domid_t via, grant_ref_t gref)
{
    entry(ref)->hdr.domid = to;
    entry(ref)->transitive.trans_domid = via;
    entry(ref)->transitive.gref = gref;
    __atomic_store_n(&entry(ref)->hdr.flags, GTF_transitive, __ATOMIC_RELEASE);
}

/* len bytes from, or to, a grant of ours, at an offset; the other side is a page of our own. */
static int copy(grant_ref_t ref, unsigned offset, unsigned len, bool write)
{
    static uint64_t own[512] __attribute__((aligned(PAGE_SIZE)));
    struct gnttab_copy_ptr grant = { .u.ref = ref, .domid = self, .offset = offset };
    struct gnttab_copy_ptr mine = { .u.gmfn = v2mfn(own), .domid = DOMID_SELF, .offset = write ? 0 : offset };
    struct gnttab_copy op = { .source = write ? mine : grant, .dest = write ? grant : mine, .len = len,
                              .flags = write ? GNTCOPY_dest_gref : GNTCOPY_source_gref, .status = 1 };
    long rc;

    memset(own, 0x5a, sizeof(own));
    rc = xen_grant_table_op(GNTTABOP_copy, &op, 1);
    if (rc == 0 && op.status == GNTST_okay && !write)
        EXPECT_EQ(memcmp((char *)own + offset, (const char *)page + offset, len), 0);
    return rc ? rc : op.status;
}

/* --- the version ------------------------------------------------------------------------------ */

/* The reserved entries go along, the others are cleared. */
static void entries_kept(void)
{
    grant_entry_v1_t reserved[GNTTAB_NR_RESERVED_ENTRIES];

    fresh();
    memcpy(reserved, (void *)gnttab(), sizeof(reserved));
    grant_offer(5, 0x7123, 0x1234, GTF_readonly);
    grant_offer(6, 0x7124, 0x5678, 0);
    grant_offer(REF, self, pfn_to_mfn(pfn), 0);
    EXPECT_VERSION(2, 0, 2);
    EXPECT_VERSION(2, 0, 2);
    EXPECT_EQ(entry(5)->hdr.flags, GTF_permit_access | GTF_readonly);
    EXPECT_EQ(entry(5)->hdr.domid, 0x7123);
    EXPECT_EQ(entry(5)->full_page.frame, 0x1234);
    EXPECT_EQ(entry(REF)->hdr.flags, 0);
    EXPECT_EQ(entry(REF)->full_page.frame, 0);
    offer_transitive(6, 0x7124, 0x7125, 9);     /* what version 1 has no words for */
    EXPECT_VERSION(1, -XEN_ERANGE, 2);
    offer(6, 0x7124, 1ul << 32, 0);
    EXPECT_VERSION(1, -XEN_ERANGE, 2);
    entry(6)->hdr.flags = GTF_accept_transfer;  /* and this is not kept */
    EXPECT_EQ(entry(5)->hdr.domid, 0x7123);
    offer(7, 0x7126, 0x9abc, 0);
    offer(REF, self, pfn_to_mfn(pfn), 0);
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
    frame_free(pfn);
}

static void busy_grants(void)
{
    grant_handle_t handle;

    fresh();
    grant_offer(REF, self, pfn_to_mfn(pfn), 0);
    ASSERT_EQ(grant_map((uint64_t)window, GNTMAP_host_map, self, REF, &handle), GNTST_okay);
    EXPECT_VERSION(2, -XEN_EBUSY, 1);
    EXPECT_VERSION(1, 0, 1);
    EXPECT_VERSION(3, -XEN_EINVAL, 1);
    EXPECT_EQ(gnttab()[REF].flags, GTF_permit_access | GTF_reading | GTF_writing);
    ASSERT_EQ(grant_unmap((uint64_t)window, handle), GNTST_okay);
    EXPECT(grant_revoke(REF));
    frame_free(pfn);
}

/* A reserved entry may be in use when the version changes; its status moves to where the new
 * version has it. */
static void busy_reserved_grant(void)
{
    grant_handle_t handle;
    pfn_t granted;
    uint64_t at;

    fresh();
    at = (uint64_t)window;
    granted = pfn;
    grant_offer(7, self, pfn_to_mfn(pfn), 0);
    ASSERT_EQ(grant_map(at, GNTMAP_host_map, self, 7, &handle), GNTST_okay);
    begin();
    EXPECT_EQ(entry(7)->hdr.flags, GTF_permit_access);
    EXPECT_EQ(status[7], GTF_reading | GTF_writing);
    ASSERT_EQ(map_page((void *)status, 0), 0);
    EXPECT_VERSION(1, 0, 1);
    EXPECT_EQ(gnttab()[7].flags, GTF_permit_access | GTF_reading | GTF_writing);
    ASSERT_EQ(grant_unmap(at, handle), GNTST_okay);
    EXPECT(grant_revoke(7));
    frame_free(granted);
    frame_free(pfn);
}

static void status_pages(void)
{
    struct gnttab_query_size size = { .dom = DOMID_SELF };
    struct gnttab_get_status_frames op = { .dom = DOMID_SELF, .nr_frames = 1 };
    xen_pfn_t frames[16];
    unsigned nr;

    fresh();
    EXPECT_EQ(status_frames(DOMID_SELF, 0, frames), GNTST_okay);
    EXPECT_EQ(status_frames(DOMID_SELF, 1, frames), GNTST_general_error);
    frame_free(pfn);
    begin();
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_query_size, &size, 1), 0);
    nr = (size.nr_frames + 7) / 8;              /* 256 entries a page, 2048 statuses */
    EXPECT_EQ(status_frames(DOMID_SELF, nr, frames), GNTST_okay);
    EXPECT_EQ(frames[0], pte_mfn(pte_read(status, 1)));
    EXPECT_EQ(status_frames(DOMID_SELF, nr + 1, frames), GNTST_general_error);
    EXPECT_EQ(status_frames(NO_SUCH_DOMAIN, 1, frames), GNTST_bad_domain);
    set_xen_guest_handle(op.frame_list, (uint64_t *)frames);
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_get_status_frames, &op, 2), -XEN_EINVAL);
    set_xen_guest_handle(op.frame_list, (uint64_t *)HOLE_START);
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_get_status_frames, &op, 1), -XEN_EFAULT);
    EXPECT_VERSION(1, -XEN_EBUSY, 2);           /* it is mapped */
    EXPECT_EQ(status[0] | status[2047], 0);
    end();
}

/* --- mapping ---------------------------------------------------------------------------------- */

static void map_whole_pages(void)
{
    grant_handle_t handle, other;

    begin();
    page[3] = 0x1234;
    offer(REF, self, pfn_to_mfn(pfn), 0);
    ASSERT_EQ(grant_map((uint64_t)window, GNTMAP_host_map | GNTMAP_readonly, self, REF, &handle), GNTST_okay);
    EXPECT_EQ(window[3], 0x1234);
    EXPECT_EQ(status[REF], GTF_reading);
    EXPECT_EQ(entry(REF)->hdr.flags, GTF_permit_access);
    EXPECT_VERSION(1, -XEN_EBUSY, 2);
    ASSERT_EQ(grant_map((uint64_t)va_alloc(1), GNTMAP_device_map, self, REF, &other), GNTST_okay);
    EXPECT_EQ(status[REF], GTF_reading | GTF_writing);
    EXPECT_EQ(grant_unmap((uint64_t)window, handle), GNTST_okay);
    EXPECT_EQ(status[REF], GTF_reading | GTF_writing);
    {
        struct gnttab_unmap_grant_ref op = { .dev_bus_addr = pfn_to_mfn(pfn) << PAGE_SHIFT, .handle = other };

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
    at = (uint64_t)window;
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_query_size, &size, 1), 0);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, self, size.nr_frames * 256 - 1, &handle), GNTST_general_error);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, self, size.nr_frames * 256, &handle), GNTST_bad_gntref);
    offer(REF, self + 1, pfn_to_mfn(pfn), 0);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, self, REF, &handle), GNTST_general_error);
    offer(REF, self, pfn_to_mfn(pfn), GTF_readonly);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, self, REF, &handle), GNTST_general_error);
    offer(REF, self, 1ul << 40, 0);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, self, REF, &handle), GNTST_bad_page);
    offer(REF, self, pfn_to_mfn(pfn) | 1ul << 32, 0);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, self, REF, &handle), GNTST_bad_page);
    EXPECT_EQ(status[REF], 0);
    offer_part(REF, 0, PAGE_SIZE - 1, 0);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, self, REF, &handle), GNTST_general_error);
    offer_transitive(REF, self, self, REF + 1);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, self, REF, &handle), GNTST_general_error);
    end();
}

/* --- copying ---------------------------------------------------------------------------------- */

static void copy_parts(void)
{
    begin();
    for (unsigned i = 0; i < 512; i++)
        page[i] = i * 0x9e3779b97f4a7c15;
    offer_part(REF, 100, 200, 0);
    EXPECT_EQ(copy(REF, 100, 200, false), GNTST_okay);
    EXPECT_EQ(copy(REF, 150, 1, false), GNTST_okay);
    EXPECT_EQ(copy(REF, 99, 1, false), GNTST_general_error);
    EXPECT_EQ(copy(REF, 100, 201, false), GNTST_general_error);
    EXPECT_EQ(copy(REF, 300, 1, false), GNTST_general_error);
    EXPECT_EQ(copy(REF, 4000, 97, false), GNTST_bad_copy_arg);  /* beyond the page: said first */
    EXPECT_EQ(copy(REF, 296, 4, true), GNTST_okay);
    EXPECT_EQ(((volatile uint32_t *)page)[74], 0x5a5a5a5a);
    EXPECT_EQ(copy(REF, 296, 5, true), GNTST_general_error);
    EXPECT_EQ(copy(REF, 300, 0, true), GNTST_okay);
    EXPECT_EQ(copy(REF, 301, 0, true), GNTST_general_error);
    offer_part(REF, 100, 200, GTF_readonly);
    EXPECT_EQ(copy(REF, 100, 1, true), GNTST_general_error);
    offer_part(REF, 4000, 4000, 0);                             /* a part may claim to go on beyond its page */
    EXPECT_EQ(copy(REF, 4000, 96, false), GNTST_okay);
    EXPECT_EQ(copy(REF, 4000, 97, false), GNTST_bad_copy_arg);
    offer_part(REF, 0, 0, 0);
    EXPECT_EQ(copy(REF, 0, 1, false), GNTST_general_error);
    offer(REF, self, pfn_to_mfn(pfn), GTF_readonly);
    EXPECT_EQ(copy(REF, 0, PAGE_SIZE, false), GNTST_okay);
    entry(REF)->hdr.flags = 0;
    EXPECT_EQ(copy(REF, 0, 1, false), GNTST_general_error);
    end();
}

/* One grant as source and destination: only its part of the page, at both ends. */
static void copy_within_a_part(void)
{
    struct gnttab_copy op = { .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref, .len = 8, .status = 1 };

    begin();
    page[20] = 0x2020;
    offer_part(REF, 160, 80, 0);
    op.source = op.dest = (struct gnttab_copy_ptr){ .u.ref = REF, .domid = self, .offset = 160 };
    op.dest.offset = 232;
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_copy, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_okay);
    EXPECT_EQ(page[29], 0x2020);
    op.dest.offset = 240;
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_copy, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_general_error);
    EXPECT_EQ(page[30], 0);
    end();
}

static void transitive_refused(void)
{
    begin();
    offer(REF + 1, self, pfn_to_mfn(pfn), 0);
    offer_transitive(REF, self, self, REF + 1);                 /* to itself: no detour */
    EXPECT_EQ(copy(REF, 0, 8, false), GNTST_general_error);
    offer_transitive(REF, self, NO_SUCH_DOMAIN, REF + 1);
    EXPECT_EQ(copy(REF, 0, 8, false), GNTST_general_error);
    offer_transitive(REF, self + 1, self, REF + 1);
    EXPECT_EQ(copy(REF, 0, 8, false), GNTST_general_error);
    EXPECT_EQ(status[REF + 1], 0);
    end();
}

static void swapping(void)
{
    struct gnttab_swap_grant_ref op = { .ref_a = REF, .ref_b = REF + 1, .status = 1 };
    grant_handle_t handle;

    begin();
    offer(REF, self, pfn_to_mfn(pfn), 0);
    entry(REF + 1)->hdr.flags = 0;
    status[REF + 1] = 0x100;                    /* nobody looks at it but us */
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_swap_grant_ref, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_okay);
    EXPECT_EQ(entry(REF)->hdr.flags, 0);
    EXPECT_EQ(entry(REF + 1)->full_page.frame, pfn_to_mfn(pfn));
    EXPECT_EQ(status[REF], 0x100);
    EXPECT_EQ(status[REF + 1], 0);
    status[REF] = 0;
    ASSERT_EQ(grant_map((uint64_t)window, GNTMAP_host_map, self, REF + 1, &handle), GNTST_okay);
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_swap_grant_ref, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_eagain);
    op.ref_a = REF + 1;                         /* with itself: nothing to do */
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_swap_grant_ref, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_okay);
    ASSERT_EQ(grant_unmap((uint64_t)window, handle), GNTST_okay);
    end();
}

SUITE(grants2, 55, 0, TEST(entries_kept), TEST(busy_grants), TEST(busy_reserved_grant), TEST(status_pages),
      TEST(map_whole_pages), TEST(map_refused), TEST(copy_parts), TEST(copy_within_a_part),
      TEST(transitive_refused), TEST(swapping));
