/* The grants of suite "peers": pages that two domains share, and copies between them. Called by
 * peers.c, in each domain for its own side. */
#include "hypercall.h"
#include "peers.h"
#include "suite.h"

static uint64_t pattern(uint64_t i)
{
    return i * 0x9e3779b97f4a7c15;
}

void peers_shared_page(struct side *s)
{
    grant_handle_t handle = 0;

    if (s->nr == 0)
        for (unsigned i = 0; i < 512; i++)
            s->rw[i] = pattern(i);
    if (!meet(s))
        return;
    if (s->nr == 1 &&
        EXPECT_EQ(grant_map((uint64_t)s->rw, GNTMAP_host_map, s->other, REF_RW, &handle), 0))
        for (unsigned i = 0; i < 512; i++) {
            if (!EXPECT_EQ(((volatile uint64_t *)s->rw)[i], pattern(i)))
                break;
            ((volatile uint64_t *)s->rw)[i] = ~pattern(i);
        }
    if (!meet(s))
        return;
    if (s->nr == 0) {
        for (unsigned i = 0; i < 512; i++)
            if (!EXPECT_EQ(((volatile uint64_t *)s->rw)[i], ~pattern(i)))
                break;
        EXPECT_EQ(gnttab()[REF_RW].flags & (GTF_reading | GTF_writing), GTF_reading | GTF_writing);
        EXPECT(!grant_revoke(REF_RW));
        EXPECT_EQ(frame_set_ro(v2p(s->rw)), 0);
        EXPECT(mmu_pin(1, v2p(s->rw)) < 0);     /* the other side can write it */
        EXPECT_EQ(frame_set_rw(v2p(s->rw)), 0);
    }
    if (!meet(s))
        return;
    if (s->nr == 1) {
        EXPECT_EQ(grant_unmap((uint64_t)s->rw, handle), GNTST_okay);
        EXPECT_FAULT(try_read64(s->rw, NULL), TRAP_PF, 0);
    }
    if (!meet(s))
        return;
    if (s->nr == 0)
        EXPECT(grant_revoke(REF_RW));
    meet(s);
}

void peers_read_only_page(struct side *s)
{
    grant_handle_t handle;

    if (s->nr == 0)
        s->ro[9] = 0x4e0;
    if (!meet(s))
        return;
    if (s->nr == 1) {
        EXPECT(grant_map((uint64_t)s->ro, GNTMAP_host_map, s->other, REF_RO, &handle) < 0);
        if (EXPECT_EQ(grant_map((uint64_t)s->ro, GNTMAP_host_map | GNTMAP_readonly, s->other,
                                REF_RO,
                                &handle), GNTST_okay)) {
            EXPECT_EQ(((volatile uint64_t *)s->ro)[9], 0x4e0);
            EXPECT_FAULT(try_write64(&s->ro[9], 0), TRAP_PF, PF_PRESENT | PF_WRITE);
            if (s->other != own_domid()) {      /* the frame is another domain's */
                mfn_t mfn = pte_mfn(pte_read(s->ro, 1));

                EXPECT(map_page(va_alloc(1), make_pte(mfn, PTE_KERNEL)) < 0);
                EXPECT(map_page(va_alloc(1), make_pte(mfn, PTE_RO)) < 0);
            }
            EXPECT_EQ(grant_unmap((uint64_t)s->ro, handle), GNTST_okay);
        }
    }
    if (!meet(s))
        return;
    if (s->nr == 0)
        EXPECT_EQ(s->ro[9], 0x4e0);
    meet(s);
}

static int copy_grant(struct side *s, grant_ref_t ref, void *buf, bool write)
{
    struct gnttab_copy op = { .len = 256, .status = 1 };
    long rc;

    if (write) {
        op.source.u.gmfn = v2mfn(buf), op.source.domid = DOMID_SELF;
        op.dest.u.ref = ref, op.dest.domid = s->other;
        op.flags = GNTCOPY_dest_gref;
    } else {
        op.dest.u.gmfn = v2mfn(buf), op.dest.domid = DOMID_SELF;
        op.source.u.ref = ref, op.source.domid = s->other;
        op.flags = GNTCOPY_source_gref;
    }
    rc = xen_grant_table_op(GNTTABOP_copy, &op, 1);
    return rc ? rc : op.status;
}

void peers_copies(struct side *s)
{
    pfn_t pfn = frame_alloc();
    uint64_t *buf = p2v(pfn);

    if (s->nr == 0) {
        s->ro[0] = 0xc0b1ed;
        grant_offer(REF_RW, s->other, v2mfn(s->rw), 0);
    }
    if (!meet(s))
        return;
    if (s->nr == 1) {
        EXPECT_EQ(copy_grant(s, REF_RO, buf, false), GNTST_okay);
        EXPECT_EQ(buf[0], 0xc0b1ed);
        EXPECT(copy_grant(s, REF_RO, buf, true) < 0);
        buf[0] = 0xbac4;
        EXPECT_EQ(copy_grant(s, REF_RW, buf, true), GNTST_okay);
    }
    if (!meet(s))
        return;
    if (s->nr == 0) {
        EXPECT_EQ(((volatile uint64_t *)s->rw)[0], 0xbac4);
        EXPECT_EQ(s->ro[0], 0xc0b1ed);
        EXPECT(grant_revoke(REF_RW));
    }
    frame_free(pfn);
    meet(s);
}
