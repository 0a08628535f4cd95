/* The second file of suite "grants": copies, device mappings, cache flushes and batches. */
#include <string.h>
#include "grants.h"
#include "hypercall.h"
#include "start.h"
#include "suite.h"

/* --- Copying ---------------------------------------------------------------------------------- */

static int copy(struct gnttab_copy op)
{
    long rc;

    op.status = 1;
    rc = xen_grant_table_op(GNTTABOP_copy, &op, 1);
    return rc ? rc : op.status;
}

/* The error if two things are wrong: the domains are checked first, then the source, then the
 * destination, then the offsets. */
static void copy_precedence(void)
{
    struct gnttab_copy good, op;

    grant_begin();
    offer_own(GTF_readonly);
    good = (struct gnttab_copy){ .source = { .u.ref = own.ref, .domid = own.self },
                                 .dest = { .u.gmfn = pfn_to_mfn(own.pfn), .domid = DOMID_SELF,
                                           .offset = 100 },
                                 .len = 8, .flags = GNTCOPY_source_gref };
    EXPECT_EQ(copy(good), GNTST_okay);
    op = good, op.source.u.ref = ~0u, op.dest.domid = NO_SUCH_DOMAIN, op.flags |= GNTCOPY_dest_gref;
    EXPECT_EQ(copy(op), GNTST_bad_domain);
    op.flags = GNTCOPY_source_gref;
    EXPECT_EQ(copy(op), GNTST_bad_domain);
    op.dest.domid = own.self;
    EXPECT_EQ(copy(op), GNTST_bad_gntref);
    op.source.u.ref = own.ref, op.source.offset = op.dest.offset = PAGE_SIZE;
    EXPECT_EQ(copy(op), GNTST_permission_denied);   /* a frame number needs DOMID_SELF */
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
    EXPECT_EQ(grant_use(), 0);
    grant_end();
}

static void copying(void)
{
    pfn_t other;
    volatile uint8_t *from, *to;
    struct gnttab_copy op;

    grant_begin();
    other = frame_alloc();
    from = p2v(own.pfn), to = p2v(other);
    for (unsigned i = 0; i < PAGE_SIZE; i++)
        from[i] = i * 7;
    offer_own(GTF_readonly);
    op = (struct gnttab_copy){ .source = { .u.ref = own.ref, .domid = DOMID_SELF, .offset = 100 },
                               .dest = { .u.gmfn = pfn_to_mfn(other), .domid = DOMID_SELF,
                                         .offset = 33 },
                               .len = 1000, .flags = GNTCOPY_source_gref };
    EXPECT_EQ(copy(op), GNTST_okay);
    EXPECT_EQ(memcmp((void *)(from + 100), (void *)(to + 33), 1000), 0);
    EXPECT_EQ(to[32] | to[1033], 0);
    EXPECT_EQ(grant_use(), 0);
    op.source.offset = PAGE_SIZE - 999;                 /* one byte too many */
    EXPECT_EQ(copy(op), GNTST_bad_copy_arg);
    op.source.offset = 100, op.dest.offset = 0xffff;
    EXPECT_EQ(copy(op), GNTST_bad_copy_arg);
    op.dest.offset = 0, op.source.u.ref = 1u << 24;
    EXPECT_EQ(copy(op), GNTST_bad_gntref);
    op.source.u.ref = own.ref, op.source.domid = NO_SUCH_DOMAIN;
    EXPECT_EQ(copy(op), GNTST_bad_domain);
    /* To a read-only grant, and to a page table. */
    op = (struct gnttab_copy){ .source = { .u.gmfn = pfn_to_mfn(other), .domid = DOMID_SELF },
                               .dest = { .u.ref = own.ref, .domid = DOMID_SELF },
                               .len = 8, .flags = GNTCOPY_dest_gref };
    EXPECT(copy(op) < 0);
    op.flags = 0;
    op.dest.u.gmfn = pfn_to_mfn(kernel_root());
    EXPECT(copy(op) < 0);
    EXPECT(grant_revoke(own.ref));
    offer_own(0);
    op.flags = GNTCOPY_dest_gref;
    op.dest.u.ref = own.ref;
    to[0] = 0xee;
    EXPECT_EQ(copy(op), GNTST_okay);
    EXPECT_EQ(from[0], 0xee);
    frame_free(other);
    grant_end();
}

/* --- Devices, caches, batches ----------------------------------------------------------------- */

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

    grant_begin();
    bus = pfn_to_mfn(own.pfn) << PAGE_SHIFT;
    memset((void *)own.page, 0, PAGE_SIZE);
    offer_own(0);
    ASSERT_EQ(map_own(0, GNTMAP_device_map, &handle), GNTST_okay);
    EXPECT_EQ(grant_use(), GTF_reading | GTF_writing);
    ASSERT_EQ(frame_set_ro(own.pfn), 0);
    EXPECT(mmu_pin(1, own.pfn) < 0);
    EXPECT_EQ(unmap_device(bus + PAGE_SIZE, handle), GNTST_bad_dev_addr);
    EXPECT_EQ(unmap_device(bus + 1, handle), GNTST_bad_dev_addr);
    EXPECT_EQ(grant_use(), GTF_reading | GTF_writing);
    EXPECT_EQ(unmap_device(bus, handle), GNTST_okay);
    EXPECT_EQ(grant_use(), 0);
    EXPECT_EQ(unmap_device(bus, handle), GNTST_bad_handle);
    EXPECT_EQ(mmu_pin(1, own.pfn), 0);
    EXPECT(map_own(0, GNTMAP_device_map, &handle) < 0);    /* nor the reverse */
    ASSERT_EQ(map_own(0, GNTMAP_device_map | GNTMAP_readonly, &handle), GNTST_okay);
    EXPECT_EQ(unmap_device(bus, handle), GNTST_okay);
    EXPECT_EQ(mmu_unpin(own.pfn), 0);
    EXPECT_EQ(frame_set_rw(own.pfn), 0);
    grant_end();
}

static long flush(uint64_t addr, unsigned offset, unsigned length, uint32_t what)
{
    struct gnttab_cache_flush op = { .a.dev_bus_addr = addr, .offset = offset, .length = length,
                                     .op = what };

    return xen_grant_table_op(GNTTABOP_cache_flush, &op, 1);
}

static void cache_flush(void)
{
    uint64_t addr;

    grant_begin();
    addr = pfn_to_mfn(own.pfn) << PAGE_SHIFT;
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
    grant_end();
}

/* GTF_sub_page belongs to version 2. In version 1 it makes mapping fail, too, but not copying. */
static void sub_page_bit(void)
{
    grant_handle_t handle;
    struct gnttab_copy op;

    grant_begin();
    offer_own(GTF_sub_page);
    EXPECT_EQ(map_own((uint64_t)own.window, GNTMAP_host_map, &handle), GNTST_general_error);
    op = (struct gnttab_copy){ .source = { .u.ref = own.ref, .domid = own.self },
                               .dest = { .u.gmfn = pfn_to_mfn(own.pfn), .domid = DOMID_SELF },
                               .len = 8, .flags = GNTCOPY_source_gref };
    EXPECT_EQ(copy(op), GNTST_okay);
    grant_end();
}

/* Each operation of one call has its own status. */
static void batches(void)
{
    struct gnttab_map_grant_ref map[3];
    struct gnttab_unmap_grant_ref unmap[2];

    grant_begin();
    offer_own(0);
    for (unsigned i = 0; i < 3; i++)
        map[i] = (struct gnttab_map_grant_ref){
            .host_addr = (uint64_t)(i == 2 ? va_alloc(1) : (void *)own.window),
            .flags = GNTMAP_host_map,
            .ref = i == 1 ? ~0u : own.ref, .dom = own.self, .status = 1,
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
    grant_end();
}

SUITE_PART(grants, 55, 1, TEST(copying), TEST(copy_precedence), TEST(device_map),
           TEST(cache_flush), TEST(sub_page_bit), TEST(batches));
