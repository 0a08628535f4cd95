/* Suite "grants": grants of a domain to itself: the table, mapping and unmapping by address and by
 * entry, and what must be refused. Copies, device mappings and batches are in grants_copy.c,
 * version 2 of the table in grants2.c, grants between two domains in peers.c. */
#include <string.h>
#include "event.h"
#include "grants.h"
#include "hypercall.h"
#include "start.h"
#include "suite.h"

struct own_grant own = { .ref = 40 };           /* far from what a builder or peers.c uses */

void grant_begin(void)
{
    if (!gnttab())
        SKIP("no grant tables");
    own.ref++;
    own.window = va_alloc(1);
    own.self = own_domid();
    own.pfn = frame_alloc();
    own.page = p2v(own.pfn);
}

void grant_end(void)
{
    EXPECT(grant_revoke(own.ref));
    EXPECT_EQ(pte_read(own.window, 1) & PTE_P, 0);
    frame_free(own.pfn);
}

unsigned grant_use(void)
{
    return gnttab()[own.ref].flags & (GTF_reading | GTF_writing);
}

void offer_own(unsigned flags)
{
    grant_offer(own.ref, own.self, pfn_to_mfn(own.pfn), flags);
}

int map_own(uint64_t host_addr, unsigned flags, grant_handle_t *handle)
{
    return grant_map(host_addr, flags, own.self, own.ref, handle);
}

/* --- The table -------------------------------------------------------------------------------- */

static void table(void)
{
    struct gnttab_query_size size = { .dom = DOMID_SELF, .status = 1 };
    struct gnttab_get_version version = { .dom = DOMID_SELF };
    xen_pfn_t frames[1];
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .status = 1 };

    if (!gnttab())
        SKIP("no grant tables");
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_query_size, &size, 1), 0);
    EXPECT_EQ(size.status, GNTST_okay);
    EXPECT(size.nr_frames >= 1);
    EXPECT(size.max_nr_frames >= size.nr_frames);
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_get_version, &version, 1), 0);
    EXPECT_EQ(version.version, 1);
    size.dom = NO_SUCH_DOMAIN;
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_query_size, &size, 1), 0);
    EXPECT_EQ(size.status, GNTST_bad_domain);
    set_xen_guest_handle(setup.frame_list, frames);
    setup.nr_frames = size.max_nr_frames + 1;
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_setup_table, &setup, 1), 0);
    EXPECT_EQ(setup.status, GNTST_general_error);
    setup.nr_frames = 1;
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_setup_table, &setup, 1), 0);     /* again */
    EXPECT_EQ(setup.status, GNTST_okay);
    EXPECT_EQ(frames[0], pte_mfn(pte_read(gnttab(), 1)));
}

static void versions(void)
{
    struct gnttab_set_version op = { .version = 3 };

    if (!gnttab())
        SKIP("no grant tables");
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_set_version, &op, 1), -XEN_EINVAL);
    op.version = 0;
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_set_version, &op, 1), -XEN_EINVAL);
    op.version = 1;
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_set_version, &op, 1), 0);
    EXPECT_EQ(op.version, 1);
}

/* --- Mapping ---------------------------------------------------------------------------------- */

static void map_by_address(void)
{
    grant_handle_t handle;

    grant_begin();
    own.page[3] = 0x1234;
    offer_own(0);
    ASSERT_EQ(map_own((uint64_t)own.window, GNTMAP_host_map, &handle), GNTST_okay);
    EXPECT_EQ(grant_use(), GTF_reading | GTF_writing);
    EXPECT_EQ(pte_mfn(pte_read(own.window, 1)), pfn_to_mfn(own.pfn));
    EXPECT_EQ(own.window[3], 0x1234);
    own.window[4] = 0x5678;
    EXPECT_EQ(own.page[4], 0x5678);
    ASSERT_EQ(grant_unmap((uint64_t)own.window, handle), GNTST_okay);
    EXPECT_EQ(grant_use(), 0);
    EXPECT_FAULT(try_read64(own.window, NULL), TRAP_PF, 0);
    grant_end();
}

static void map_read_only(void)
{
    grant_handle_t handle, second;

    grant_begin();
    offer_own(GTF_readonly);
    EXPECT(map_own((uint64_t)own.window, GNTMAP_host_map, &handle) < 0);
    EXPECT_EQ(grant_use(), 0);
    ASSERT_EQ(map_own((uint64_t)own.window, GNTMAP_host_map | GNTMAP_readonly, &handle),
              GNTST_okay);
    EXPECT_EQ(grant_use(), GTF_reading);
    EXPECT_NO_FAULT(try_read64(own.window, NULL));
    EXPECT_FAULT(try_write64(own.window, 1), TRAP_PF, PF_PRESENT | PF_WRITE);
    /* Also beside a read-only mapping no writable one is possible. */
    EXPECT(map_own((uint64_t)va_alloc(1), GNTMAP_host_map, &second) < 0);
    ASSERT_EQ(grant_unmap((uint64_t)own.window, handle), GNTST_okay);
    grant_end();
}

static void map_by_entry(void)
{
    uint64_t entry;
    grant_handle_t handle;

    grant_begin();
    entry = pte_maddr(own.window, 1);
    own.page[0] = 0x99;
    offer_own(0);
    EXPECT(map_own(entry + 1, GNTMAP_host_map | GNTMAP_contains_pte, &handle) < 0);
    EXPECT(map_own(v2maddr(p2v(own.pfn)), GNTMAP_host_map | GNTMAP_contains_pte, &handle) < 0);
    ASSERT_EQ(map_own(entry, GNTMAP_host_map | GNTMAP_contains_pte, &handle), GNTST_okay);
    flush_local();
    EXPECT_EQ(own.window[0], 0x99);
    ASSERT_EQ(grant_unmap(entry, handle), GNTST_okay);
    EXPECT_FAULT(try_read64(own.window, NULL), TRAP_PF, 0);
    grant_end();
}

/* Two mappings of one grant: the entry is in use until both are gone. */
static void mapped_twice(void)
{
    volatile uint64_t *other = va_alloc(1);
    grant_handle_t a, b;

    grant_begin();
    offer_own(0);
    ASSERT_EQ(map_own((uint64_t)own.window, GNTMAP_host_map, &a), GNTST_okay);
    ASSERT_EQ(map_own((uint64_t)other, GNTMAP_host_map | GNTMAP_readonly, &b), GNTST_okay);
    EXPECT(a != b);
    own.window[7] = 7;
    EXPECT_EQ(other[7], 7);
    EXPECT_EQ(grant_unmap((uint64_t)own.window, a), GNTST_okay);
    EXPECT_EQ(grant_use(), GTF_reading);
    EXPECT(!grant_revoke(own.ref));
    EXPECT_EQ(grant_unmap((uint64_t)other, b), GNTST_okay);
    grant_end();
}

static void map_refused(void)
{
    grant_handle_t handle;
    uint64_t at;

    grant_begin();
    at = (uint64_t)own.window;
    EXPECT(map_own(at, GNTMAP_host_map, &handle) < 0);                 /* not granted */
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, own.self, 1u << 24, &handle), GNTST_bad_gntref);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, own.self, ~0u, &handle), GNTST_bad_gntref);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, NO_SUCH_DOMAIN, own.ref, &handle), GNTST_bad_domain);
    grant_offer(own.ref, own.self + 1, pfn_to_mfn(own.pfn), 0);         /* to another domain */
    EXPECT(map_own(at, GNTMAP_host_map, &handle) < 0);
    EXPECT(grant_revoke(own.ref));
    offer_own(0);
    EXPECT(map_own(at, 0, &handle) < 0);                              /* neither host nor device */
    EXPECT(map_own(HOLE_START, GNTMAP_host_map, &handle) < 0);
    EXPECT(map_own(0x8000000000000000, GNTMAP_host_map, &handle) < 0);
    EXPECT(map_own(0xffffff0000001000, GNTMAP_host_map, &handle) < 0);    /* no page tables there */
    EXPECT_EQ(grant_use(), 0);
    grant_end();
}

/* Domain 0 always exists, whether it runs or not, and has granted us nothing. A number of no domain
 * gives another error. */
static void domain_zero(void)
{
    grant_handle_t handle;
    domid_t zero = 0, none = NO_SUCH_DOMAIN;
    uint64_t at;
    struct gnttab_copy op = { .source = { .u.ref = 40, .domid = 0 },
                              .dest = { .domid = DOMID_SELF },
                              .flags = GNTCOPY_source_gref, .len = 8 };

    if (own_domid() == 0)
        SKIP("this is domain 0");
    grant_begin();
    op.dest.u.gmfn = pfn_to_mfn(own.pfn);
    at = (uint64_t)own.window;
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, 0, 40, &handle), GNTST_general_error);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, NO_SUCH_DOMAIN, 40, &handle), GNTST_bad_domain);
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_copy, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_general_error);
    EXPECT_EQ(event_bind_interdomain(0, 1000, NULL, NULL), -XEN_EINVAL);
    EXPECT_EQ(event_bind_interdomain(NO_SUCH_DOMAIN, 1000, NULL, NULL), -XEN_ESRCH);
    EXPECT_EQ(xen_memory_op(XENMEM_current_reservation, &zero), -XEN_EPERM);
    EXPECT_EQ(xen_memory_op(XENMEM_current_reservation, &none), -XEN_ESRCH);
    grant_end();
}

/* Frames that are not ours, or that may not be mapped writable. */
static void wild_frames(void)
{
    static const uint32_t wild[] = { ~0u, 0xfffffff0, 0x7fffffff };
    grant_handle_t handle;
    uint64_t at;

    grant_begin();
    at = (uint64_t)own.window;
    for (unsigned i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
        grant_offer(own.ref, own.self, wild[i], 0);
        EXPECT(map_own(at, GNTMAP_host_map, &handle) < 0);
        EXPECT(grant_revoke(own.ref));
    }
    grant_offer(own.ref, own.self, pfn_to_mfn(kernel_root()), 0);
    EXPECT(map_own(at, GNTMAP_host_map, &handle) < 0);
    EXPECT(grant_revoke(own.ref));
    grant_offer(own.ref, own.self, pte_mfn(pte_read(own.window, 2)), 0);
    EXPECT(map_own(at, GNTMAP_host_map, &handle) < 0);
    grant_end();
}

static void unmap_refused(void)
{
    static const grant_handle_t wild[] = { 5000, 1u << 20, ~0u };
    grant_handle_t handle;
    uint64_t at;

    grant_begin();
    at = (uint64_t)own.window;
    for (unsigned i = 0; i < sizeof(wild) / sizeof(wild[0]); i++)
        EXPECT_EQ(grant_unmap(at, wild[i]), GNTST_bad_handle);
    offer_own(0);
    ASSERT_EQ(map_own(at, GNTMAP_host_map, &handle), GNTST_okay);
    EXPECT(grant_unmap((uint64_t)va_alloc(1), handle) < 0);     /* not where it is mapped */
    EXPECT_NO_FAULT(try_write64(own.window, 1));
    ASSERT_EQ(grant_unmap(at, handle), GNTST_okay);
    EXPECT_EQ(grant_unmap(at, handle), GNTST_bad_handle);
    grant_end();
}

/* The entry is guest memory: changing it while it is mapped does not affect the mapping. */
static void revoked_while_mapped(void)
{
    grant_handle_t handle;

    grant_begin();
    offer_own(0);
    ASSERT_EQ(map_own((uint64_t)own.window, GNTMAP_host_map, &handle), GNTST_okay);
    EXPECT(!grant_revoke(own.ref));
    gnttab()[own.ref].flags = 0;
    gnttab()[own.ref].frame = 0;
    own.window[1] = 0xabc;
    EXPECT_EQ(own.page[1], 0xabc);
    EXPECT_EQ(grant_unmap((uint64_t)own.window, handle), GNTST_okay);
    EXPECT_EQ(grant_use(), 0);
    gnttab()[own.ref].flags = 0;
    grant_end();
}

/* A page that is mapped writable through a grant cannot become a page table. */
static void no_table_while_writable(void)
{
    grant_handle_t handle;

    grant_begin();
    memset((void *)own.page, 0, PAGE_SIZE);
    offer_own(0);
    ASSERT_EQ(map_own((uint64_t)own.window, GNTMAP_host_map, &handle), GNTST_okay);
    ASSERT_EQ(frame_set_ro(own.pfn), 0);
    EXPECT(mmu_pin(1, own.pfn) < 0);
    EXPECT_NO_FAULT(try_write64(own.window, 0));
    ASSERT_EQ(grant_unmap((uint64_t)own.window, handle), GNTST_okay);
    EXPECT_EQ(mmu_pin(1, own.pfn), 0);
    EXPECT(map_own((uint64_t)own.window, GNTMAP_host_map, &handle) < 0);     /* nor the reverse */
    EXPECT_EQ(mmu_unpin(own.pfn), 0);
    EXPECT_EQ(frame_set_rw(own.pfn), 0);
    grant_end();
}

SUITE(grants, 55, 0, TEST(table), TEST(versions), TEST(map_by_address), TEST(map_read_only),
      TEST(map_by_entry), TEST(mapped_twice), TEST(map_refused), TEST(domain_zero),
      TEST(wild_frames), TEST(unmap_refused), TEST(revoked_while_mapped),
      TEST(no_table_while_writable));
