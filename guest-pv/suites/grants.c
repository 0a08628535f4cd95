/*
 * Suite "grants": grants of a domain to itself: the table, mapping and unmapping by address and by
 * entry, copying, and what must be refused. Between two domains: peers.c.
 */
#include <string.h>
#include "event.h"
#include "gnttab.h"
#include "hypercall.h"
#include "start.h"
#include "suite.h"

#define UNMAPPED ((void *)0xffffff0000001000ul)

static domid_t self;
static grant_ref_t ref = 40;                     /* far from what a builder or peers.c uses */
static pfn_t pfn;                               /* what is granted */
static volatile uint64_t *page, *window;        /* where it is ours, and where it gets mapped */

/* Every test gets a new page, a closed entry, and a window with tables and no mapping. */
static void begin(void)
{
    if (!gnttab())
        SKIP("no grant tables");
    ref++;
    window = va_alloc(1);
    self = own_domid();
    pfn = frame_alloc();
    page = p2v(pfn);
}

static void end(void)
{
    EXPECT(grant_revoke(ref));
    EXPECT_EQ(pte_read(window, 1) & PTE_P, 0);
    frame_free(pfn);
}

static unsigned use(void)
{
    return gnttab()[ref].flags & (GTF_reading | GTF_writing);
}

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
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_setup_table, &setup, 1), 0);  /* asking again is allowed */
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

static void map_by_address(void)
{
    grant_handle_t handle;

    begin();
    page[3] = 0x1234;
    grant_offer(ref, self, pfn_to_mfn(pfn), 0);
    ASSERT_EQ(grant_map((uint64_t)window, GNTMAP_host_map, self, ref, &handle), GNTST_okay);
    EXPECT_EQ(use(), GTF_reading | GTF_writing);
    EXPECT_EQ(pte_mfn(pte_read(window, 1)), pfn_to_mfn(pfn));
    EXPECT_EQ(window[3], 0x1234);
    window[4] = 0x5678;
    EXPECT_EQ(page[4], 0x5678);
    ASSERT_EQ(grant_unmap((uint64_t)window, handle), GNTST_okay);
    EXPECT_EQ(use(), 0);
    EXPECT_FAULT(try_read64(window, NULL), TRAP_PF, 0);
    end();
}

static void map_read_only(void)
{
    grant_handle_t handle, second;

    begin();
    grant_offer(ref, self, pfn_to_mfn(pfn), GTF_readonly);
    EXPECT(grant_map((uint64_t)window, GNTMAP_host_map, self, ref, &handle) < 0);
    EXPECT_EQ(use(), 0);
    ASSERT_EQ(grant_map((uint64_t)window, GNTMAP_host_map | GNTMAP_readonly, self, ref, &handle), GNTST_okay);
    EXPECT_EQ(use(), GTF_reading);
    EXPECT_NO_FAULT(try_read64(window, NULL));
    EXPECT_FAULT(try_write64(window, 1), TRAP_PF, PF_PRESENT | PF_WRITE);
    /* a writable one beside it is refused all the same */
    EXPECT(grant_map((uint64_t)va_alloc(1), GNTMAP_host_map, self, ref, &second) < 0);
    ASSERT_EQ(grant_unmap((uint64_t)window, handle), GNTST_okay);
    end();
}

static void map_by_entry(void)
{
    uint64_t entry;
    grant_handle_t handle;

    begin();
    entry = pte_maddr(window, 1);
    page[0] = 0x99;
    grant_offer(ref, self, pfn_to_mfn(pfn), 0);
    EXPECT(grant_map(entry + 1, GNTMAP_host_map | GNTMAP_contains_pte, self, ref, &handle) < 0);
    EXPECT(grant_map(v2maddr(p2v(pfn)), GNTMAP_host_map | GNTMAP_contains_pte, self, ref, &handle) < 0);
    ASSERT_EQ(grant_map(entry, GNTMAP_host_map | GNTMAP_contains_pte, self, ref, &handle), GNTST_okay);
    flush_local();
    EXPECT_EQ(window[0], 0x99);
    ASSERT_EQ(grant_unmap(entry, handle), GNTST_okay);
    EXPECT_FAULT(try_read64(window, NULL), TRAP_PF, 0);
    end();
}

/* Two mappings of one grant: the entry is in use until both are gone. */
static void mapped_twice(void)
{
    volatile uint64_t *other = va_alloc(1);
    grant_handle_t a, b;

    begin();
    grant_offer(ref, self, pfn_to_mfn(pfn), 0);
    ASSERT_EQ(grant_map((uint64_t)window, GNTMAP_host_map, self, ref, &a), GNTST_okay);
    ASSERT_EQ(grant_map((uint64_t)other, GNTMAP_host_map | GNTMAP_readonly, self, ref, &b), GNTST_okay);
    EXPECT(a != b);
    window[7] = 7;
    EXPECT_EQ(other[7], 7);
    EXPECT_EQ(grant_unmap((uint64_t)window, a), GNTST_okay);
    EXPECT_EQ(use(), GTF_reading);
    EXPECT(!grant_revoke(ref));
    EXPECT_EQ(grant_unmap((uint64_t)other, b), GNTST_okay);
    end();
}

static void map_refused(void)
{
    grant_handle_t handle;
    uint64_t at;

    begin();
    at = (uint64_t)window;
    EXPECT(grant_map(at, GNTMAP_host_map, self, ref, &handle) < 0);              /* closed */
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, self, 1u << 24, &handle), GNTST_bad_gntref);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, self, ~0u, &handle), GNTST_bad_gntref);
    EXPECT_EQ(grant_map(at, GNTMAP_host_map, NO_SUCH_DOMAIN, ref, &handle), GNTST_bad_domain);
    grant_offer(ref, self + 1, pfn_to_mfn(pfn), 0);                             /* somebody else's */
    EXPECT(grant_map(at, GNTMAP_host_map, self, ref, &handle) < 0);
    EXPECT(grant_revoke(ref));
    grant_offer(ref, self, pfn_to_mfn(pfn), 0);
    EXPECT(grant_map(at, 0, self, ref, &handle) < 0);                           /* for whom? */
    EXPECT(grant_map(HOLE_START, GNTMAP_host_map, self, ref, &handle) < 0);
    EXPECT(grant_map(0x8000000000000000, GNTMAP_host_map, self, ref, &handle) < 0);
    EXPECT(grant_map(0xffffff0000001000, GNTMAP_host_map, self, ref, &handle) < 0);     /* no tables */
    EXPECT_EQ(use(), 0);
    end();
}

/* Domain 0 always exists, whether it runs or not, and granted us nothing; other numbers are no
 * domain. */
static void domain_zero(void)
{
    grant_handle_t handle;
    domid_t zero = 0, nobody = NO_SUCH_DOMAIN;
    struct gnttab_copy op = { .source = { .u.ref = 40, .domid = 0 }, .flags = GNTCOPY_source_gref, .len = 8,
                              .dest = { .domid = DOMID_SELF } };

    if (own_domid() == 0)
        SKIP("that is us");
    begin();
    op.dest.u.gmfn = pfn_to_mfn(pfn);
    EXPECT_EQ(grant_map((uint64_t)window, GNTMAP_host_map, 0, 40, &handle), GNTST_general_error);
    EXPECT_EQ(grant_map((uint64_t)window, GNTMAP_host_map, NO_SUCH_DOMAIN, 40, &handle), GNTST_bad_domain);
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_copy, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_general_error);
    EXPECT_EQ(event_bind_interdomain(0, 1000, NULL, NULL), -XEN_EINVAL);
    EXPECT_EQ(event_bind_interdomain(NO_SUCH_DOMAIN, 1000, NULL, NULL), -XEN_ESRCH);
    EXPECT_EQ(xen_memory_op(XENMEM_current_reservation, &zero), -XEN_EPERM);
    EXPECT_EQ(xen_memory_op(XENMEM_current_reservation, &nobody), -XEN_ESRCH);
    end();
}

/* Frames that are not ours, or that may not be mapped writable. */
static void wild_frames(void)
{
    static const uint32_t wild[] = { ~0u, 0xfffffff0, 0x7fffffff };
    grant_handle_t handle;
    uint64_t at;

    begin();
    at = (uint64_t)window;
    for (unsigned i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
        grant_offer(ref, self, wild[i], 0);
        EXPECT(grant_map(at, GNTMAP_host_map, self, ref, &handle) < 0);
        EXPECT(grant_revoke(ref));
    }
    grant_offer(ref, self, pfn_to_mfn(kernel_root()), 0);
    EXPECT(grant_map(at, GNTMAP_host_map, self, ref, &handle) < 0);
    EXPECT(grant_revoke(ref));
    grant_offer(ref, self, pte_mfn(pte_read(window, 2)), 0);
    EXPECT(grant_map(at, GNTMAP_host_map, self, ref, &handle) < 0);
    end();
}

static void unmap_refused(void)
{
    static const grant_handle_t wild[] = { 5000, 1u << 20, ~0u };
    grant_handle_t handle;
    uint64_t at;

    begin();
    at = (uint64_t)window;
    for (unsigned i = 0; i < sizeof(wild) / sizeof(wild[0]); i++)
        EXPECT_EQ(grant_unmap(at, wild[i]), GNTST_bad_handle);
    grant_offer(ref, self, pfn_to_mfn(pfn), 0);
    ASSERT_EQ(grant_map(at, GNTMAP_host_map, self, ref, &handle), GNTST_okay);
    EXPECT(grant_unmap((uint64_t)va_alloc(1), handle) < 0);     /* not where it is mapped */
    EXPECT_NO_FAULT(try_write64(window, 1));
    ASSERT_EQ(grant_unmap(at, handle), GNTST_okay);
    EXPECT_EQ(grant_unmap(at, handle), GNTST_bad_handle);
    end();
}

/* The entry is guest memory: changing it while it is mapped does not affect the mapping. */
static void revoked_while_mapped(void)
{
    grant_handle_t handle;

    begin();
    grant_offer(ref, self, pfn_to_mfn(pfn), 0);
    ASSERT_EQ(grant_map((uint64_t)window, GNTMAP_host_map, self, ref, &handle), GNTST_okay);
    EXPECT(!grant_revoke(ref));
    gnttab()[ref].flags = 0;
    gnttab()[ref].frame = 0;
    window[1] = 0xabc;
    EXPECT_EQ(page[1], 0xabc);
    EXPECT_EQ(grant_unmap((uint64_t)window, handle), GNTST_okay);
    EXPECT_EQ(use(), 0);
    gnttab()[ref].flags = 0;
    end();
}

/* A page that somebody can write through a grant cannot become a page table. */
static void no_table_while_writable(void)
{
    grant_handle_t handle;

    begin();
    memset((void *)page, 0, PAGE_SIZE);
    grant_offer(ref, self, pfn_to_mfn(pfn), 0);
    ASSERT_EQ(grant_map((uint64_t)window, GNTMAP_host_map, self, ref, &handle), GNTST_okay);
    ASSERT_EQ(frame_set_ro(pfn), 0);
    EXPECT(mmu_pin(1, pfn) < 0);
    EXPECT_NO_FAULT(try_write64(window, 0));
    ASSERT_EQ(grant_unmap((uint64_t)window, handle), GNTST_okay);
    EXPECT_EQ(mmu_pin(1, pfn), 0);
    EXPECT(grant_map((uint64_t)window, GNTMAP_host_map, self, ref, &handle) < 0);       /* nor the reverse */
    EXPECT_EQ(mmu_unpin(pfn), 0);
    EXPECT_EQ(frame_set_rw(pfn), 0);
    end();
}

/* --- copy ------------------------------------------------------------------------------------- */

static int copy(struct gnttab_copy op)
{
    long rc;

    op.status = 1;
    rc = xen_grant_table_op(GNTTABOP_copy, &op, 1);
    return rc ? rc : op.status;
}

/* Which error wins when two things are wrong: both domains first, then the source, then the
 * destination, then the offsets. */
static void copy_precedence(void)
{
    struct gnttab_copy good, op;

    begin();
    grant_offer(ref, self, pfn_to_mfn(pfn), GTF_readonly);
    good = (struct gnttab_copy){ .source = { .u.ref = ref, .domid = self },
                                 .dest = { .u.gmfn = pfn_to_mfn(pfn), .domid = DOMID_SELF, .offset = 100 },
                                 .len = 8, .flags = GNTCOPY_source_gref };
    EXPECT_EQ(copy(good), GNTST_okay);
    op = good, op.source.u.ref = ~0u, op.dest.domid = NO_SUCH_DOMAIN, op.flags |= GNTCOPY_dest_gref;
    EXPECT_EQ(copy(op), GNTST_bad_domain);
    op.flags = GNTCOPY_source_gref;
    EXPECT_EQ(copy(op), GNTST_bad_domain);
    op.dest.domid = self;
    EXPECT_EQ(copy(op), GNTST_bad_gntref);
    op.source.u.ref = ref, op.source.offset = op.dest.offset = PAGE_SIZE;
    EXPECT_EQ(copy(op), GNTST_permission_denied);       /* a frame by its number is DOMID_SELF's only */
    op.source.domid = NO_SUCH_DOMAIN;
    EXPECT_EQ(copy(op), GNTST_bad_domain);
    op = good, op.len = 0;
    EXPECT_EQ(copy(op), GNTST_okay);
    op.dest.u.gmfn = ~0ul;
    EXPECT_EQ(copy(op), GNTST_bad_page);
    op = good, op.source.u.ref = ~0u, op.dest.u.gmfn = ~0ul;
    EXPECT_EQ(copy(op), GNTST_bad_gntref);
    op.source = good.source, op.source.offset = PAGE_SIZE;
    EXPECT_EQ(copy(op), GNTST_bad_page);
    op.dest = good.dest;
    EXPECT_EQ(copy(op), GNTST_bad_copy_arg);
    EXPECT_EQ(use(), 0);
    end();
}

static void copying(void)
{
    pfn_t other;
    volatile uint8_t *from, *to;
    struct gnttab_copy op;

    begin();
    other = frame_alloc();
    from = p2v(pfn), to = p2v(other);
    for (unsigned i = 0; i < PAGE_SIZE; i++)
        from[i] = i * 7;
    grant_offer(ref, self, pfn_to_mfn(pfn), GTF_readonly);
    op = (struct gnttab_copy){ .source = { .u.ref = ref, .domid = DOMID_SELF, .offset = 100 },
                               .dest = { .u.gmfn = pfn_to_mfn(other), .domid = DOMID_SELF, .offset = 33 },
                               .len = 1000, .flags = GNTCOPY_source_gref };
    EXPECT_EQ(copy(op), GNTST_okay);
    EXPECT_EQ(memcmp((void *)(from + 100), (void *)(to + 33), 1000), 0);
    EXPECT_EQ(to[32] | to[1033], 0);
    EXPECT_EQ(use(), 0);
    op.source.offset = PAGE_SIZE - 999;                 /* one byte too many */
    EXPECT_EQ(copy(op), GNTST_bad_copy_arg);
    op.source.offset = 100, op.dest.offset = 0xffff;
    EXPECT_EQ(copy(op), GNTST_bad_copy_arg);
    op.dest.offset = 0, op.source.u.ref = 1u << 24;
    EXPECT_EQ(copy(op), GNTST_bad_gntref);
    op.source.u.ref = ref, op.source.domid = NO_SUCH_DOMAIN;
    EXPECT_EQ(copy(op), GNTST_bad_domain);
    /* towards a read-only grant, and into a page table */
    op = (struct gnttab_copy){ .source = { .u.gmfn = pfn_to_mfn(other), .domid = DOMID_SELF },
                               .dest = { .u.ref = ref, .domid = DOMID_SELF },
                               .len = 8, .flags = GNTCOPY_dest_gref };
    EXPECT(copy(op) < 0);
    op.flags = 0;
    op.dest.u.gmfn = pfn_to_mfn(kernel_root());
    EXPECT(copy(op) < 0);
    EXPECT(grant_revoke(ref));
    grant_offer(ref, self, pfn_to_mfn(pfn), 0);
    op.flags = GNTCOPY_dest_gref;
    op.dest.u.ref = ref;
    to[0] = 0xee;
    EXPECT_EQ(copy(op), GNTST_okay);
    EXPECT_EQ(from[0], 0xee);
    frame_free(other);
    end();
}

/* --- devices and caches ----------------------------------------------------------------------- */

static int unmap_device(uint64_t bus_addr, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = { .dev_bus_addr = bus_addr, .handle = handle, .status = 1 };
    long rc = xen_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1);

    return rc ? rc : op.status;
}

/* A mapping for devices is in no page table, but keeps the page's type writable: such a page cannot
 * become a table. */
static void device_map(void)
{
    uint64_t bus;
    grant_handle_t handle;

    begin();
    bus = pfn_to_mfn(pfn) << PAGE_SHIFT;
    memset((void *)page, 0, PAGE_SIZE);
    grant_offer(ref, self, pfn_to_mfn(pfn), 0);
    ASSERT_EQ(grant_map(0, GNTMAP_device_map, self, ref, &handle), GNTST_okay);
    EXPECT_EQ(use(), GTF_reading | GTF_writing);
    ASSERT_EQ(frame_set_ro(pfn), 0);
    EXPECT(mmu_pin(1, pfn) < 0);
    EXPECT_EQ(unmap_device(bus + PAGE_SIZE, handle), GNTST_bad_dev_addr);
    EXPECT_EQ(unmap_device(bus + 1, handle), GNTST_bad_dev_addr);
    EXPECT_EQ(use(), GTF_reading | GTF_writing);
    EXPECT_EQ(unmap_device(bus, handle), GNTST_okay);
    EXPECT_EQ(use(), 0);
    EXPECT_EQ(unmap_device(bus, handle), GNTST_bad_handle);
    EXPECT_EQ(mmu_pin(1, pfn), 0);
    EXPECT(grant_map(0, GNTMAP_device_map, self, ref, &handle) < 0);    /* nor the reverse */
    ASSERT_EQ(grant_map(0, GNTMAP_device_map | GNTMAP_readonly, self, ref, &handle), GNTST_okay);
    EXPECT_EQ(unmap_device(bus, handle), GNTST_okay);
    EXPECT_EQ(mmu_unpin(pfn), 0);
    EXPECT_EQ(frame_set_rw(pfn), 0);
    end();
}

static long flush(uint64_t addr, unsigned offset, unsigned length, uint32_t what)
{
    struct gnttab_cache_flush op = { .a.dev_bus_addr = addr, .offset = offset, .length = length, .op = what };

    return xen_grant_table_op(GNTTABOP_cache_flush, &op, 1);
}

static void cache_flush(void)
{
    uint64_t addr;

    begin();
    addr = pfn_to_mfn(pfn) << PAGE_SHIFT;
    EXPECT_EQ(flush(addr, 0, PAGE_SIZE, GNTTAB_CACHE_CLEAN), 0);
    EXPECT_EQ(flush(addr, 4000, 96, GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL), 0);
    EXPECT_EQ(flush(addr, 0, 64, GNTTAB_CACHE_INVAL), -XEN_EOPNOTSUPP);
    EXPECT_EQ(flush(addr, 4000, 97, GNTTAB_CACHE_CLEAN), -XEN_EINVAL);
    EXPECT_EQ(flush(addr, 4096, 0, GNTTAB_CACHE_CLEAN), -XEN_EINVAL);
    EXPECT_EQ(flush(addr, 0, 4097, 0), -XEN_EINVAL);
    EXPECT_EQ(flush(addr, 0, 64, 4), -XEN_EINVAL);
    EXPECT_EQ(flush(addr, 0, 64, GNTTAB_CACHE_SOURCE_GREF | GNTTAB_CACHE_CLEAN), -XEN_EINVAL);
    EXPECT_EQ(flush(1ul << 51, 0, 0, GNTTAB_CACHE_CLEAN), 0);
    EXPECT_EQ(flush(addr, 0, 64, 0), 0);
    EXPECT_EQ(flush(1ul << 51, 0, 64, GNTTAB_CACHE_CLEAN), -XEN_EINVAL);
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_cache_flush, UNMAPPED, 1), -XEN_EFAULT);
    EXPECT_EQ(xen_grant_table_op(0x1000 | GNTTABOP_query_size, UNMAPPED, 1), -XEN_EINVAL);
    end();
}

/* The bit that means a part of a page in version 2 makes mapping fail in version 1, too, but not
 * copying. */
static void sub_page_bit(void)
{
    grant_handle_t handle;
    struct gnttab_copy op;

    begin();
    grant_offer(ref, self, pfn_to_mfn(pfn), GTF_sub_page);
    EXPECT_EQ(grant_map((uint64_t)window, GNTMAP_host_map, self, ref, &handle), GNTST_general_error);
    op = (struct gnttab_copy){ .source = { .u.ref = ref, .domid = self },
                               .dest = { .u.gmfn = pfn_to_mfn(pfn), .domid = DOMID_SELF },
                               .len = 8, .flags = GNTCOPY_source_gref };
    EXPECT_EQ(copy(op), GNTST_okay);
    end();
}

/* Each operation of one call has its own status. */
static void batches(void)
{
    struct gnttab_map_grant_ref map[3];
    struct gnttab_unmap_grant_ref unmap[2];

    begin();
    grant_offer(ref, self, pfn_to_mfn(pfn), 0);
    for (unsigned i = 0; i < 3; i++)
        map[i] = (struct gnttab_map_grant_ref){
            .host_addr = (uint64_t)(i == 2 ? va_alloc(1) : (void *)window), .flags = GNTMAP_host_map,
            .ref = i == 1 ? ~0u : ref, .dom = self, .status = 1,
        };
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_map_grant_ref, map, 3), 0);
    EXPECT_EQ(map[0].status, GNTST_okay);
    EXPECT_EQ(map[1].status, GNTST_bad_gntref);
    EXPECT_EQ(map[2].status, GNTST_okay);
    for (unsigned i = 0; i < 2; i++)
        unmap[i] = (struct gnttab_unmap_grant_ref){ .host_addr = map[2 * i].host_addr,
                                                    .handle = map[2 * i].handle, .status = 1 };
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_unmap_grant_ref, unmap, 2), 0);
    EXPECT_EQ(unmap[0].status, GNTST_okay);
    EXPECT_EQ(unmap[1].status, GNTST_okay);
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_map_grant_ref, NULL, 0), 0);
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_map_grant_ref, UNMAPPED, 1), -XEN_EFAULT);
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_copy, UNMAPPED, 1), -XEN_EFAULT);
    EXPECT_EQ(xen_grant_table_op(99, UNMAPPED, 1), -XEN_ENOSYS);
    end();
}

SUITE(grants, 55, 0, TEST(table), TEST(versions), TEST(map_by_address), TEST(map_read_only),
      TEST(map_by_entry), TEST(mapped_twice), TEST(map_refused), TEST(domain_zero), TEST(wild_frames), TEST(unmap_refused),
      TEST(revoked_while_mapped), TEST(no_table_while_writable), TEST(copying), TEST(copy_precedence), TEST(device_map),
      TEST(cache_flush), TEST(sub_page_bit), TEST(batches));
