/* Suite "memory": memory_op: giving frames back, getting others, and exchanging them. What it tells
 * about the machine's and the domain's memory is in memory_queries.c. Every test leaves the domain
 * with as many frames as it had. */
#include <string.h>
#include "gnttab.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"

#define NR 4
#define UNMAPPED ((void *)0xffffff0000001000ul)

static long reservation(unsigned cmd, xen_pfn_t *list, uint64_t nr, unsigned order, domid_t dom)
{
    struct xen_memory_reservation op = { .nr_extents = nr, .extent_order = order, .domid = dom };

    set_xen_guest_handle(op.extent_start, list);
    return xen_memory_op(cmd, &op);
}

static long current_pages(void)
{
    domid_t self = DOMID_SELF;

    return xen_memory_op(XENMEM_current_reservation, &self);
}

/* Frames without their p2v() mapping: this kernel has no reference to them any more. */
static void allocate(pfn_t *pfns, xen_pfn_t *mfns, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        pfns[i] = frame_alloc();
        mfns[i] = pfn_to_mfn(pfns[i]);
        ASSERT_EQ(unmap_page(p2v(pfns[i])), 0);
    }
}

/* Makes mfn the frame of pfn, as M1 (mm.h) wants it, and gives the old frame back. */
static void adopt(pfn_t pfn, mfn_t mfn)
{
    ASSERT_EQ(map_page(p2v(pfn), make_pte(mfn, PTE_KERNEL)), 0);
    p2m_set(pfn, mfn);
    *(volatile uint64_t *)p2v(pfn) = mfn;
    EXPECT_EQ(*(volatile uint64_t *)p2v(pfn), mfn);
    frame_free(pfn);
}

static void give_and_populate(void)
{
    pfn_t pfns[NR];
    xen_pfn_t list[NR], old[NR];
    long before = current_pages();

    allocate(pfns, old, NR);
    memcpy(list, old, sizeof(list));
    ASSERT_EQ(reservation(XENMEM_decrease_reservation, list, NR, 0, DOMID_SELF), NR);
    EXPECT_EQ(current_pages(), before - NR);
    /* The frame is no longer the domain's, though its p2m still names it. */
    EXPECT(map_page(p2v(pfns[0]), make_pte(old[0], PTE_KERNEL)) < 0);
    EXPECT(map_page(p2v(pfns[0]), make_pte(old[0], PTE_RO)) < 0);
    memcpy(list, pfns, sizeof(list));
    ASSERT_EQ(reservation(XENMEM_populate_physmap, list, NR, 0, DOMID_SELF), NR);
    EXPECT_EQ(current_pages(), before);
    for (unsigned i = 0; i < NR; i++) {
        adopt(pfns[i], list[i]);
        EXPECT_EQ(mfn_to_pfn(list[i]), pfns[i]);        /* the M2P was filled in for us */
    }
}

static void give_and_increase(void)
{
    pfn_t pfns[NR];
    xen_pfn_t list[NR];
    long before = current_pages();

    allocate(pfns, list, NR);
    ASSERT_EQ(reservation(XENMEM_decrease_reservation, list, NR, 0, DOMID_SELF), NR);
    ASSERT_EQ(reservation(XENMEM_increase_reservation, list, NR, 0, DOMID_SELF), NR);
    EXPECT_EQ(current_pages(), before);
    for (unsigned i = 0; i < NR; i++) {
        /* No pfn was given, so the guest fills in the M2P. */
        EXPECT_EQ(mmu_set_cmd(list[i] << PAGE_SHIFT, pfns[i], MMU_MACHPHYS_UPDATE), 0);
        adopt(pfns[i], list[i]);
        EXPECT_EQ(mfn_to_pfn(list[i]), pfns[i]);
    }
}

/* A frame below 4 GiB can be had, though most of the machine's memory may be above. */
static void populate_below(void)
{
    struct xen_memory_reservation op = { .nr_extents = 1, .domid = DOMID_SELF,
                                         .mem_flags = XENMEMF_address_bits(32) };
    pfn_t pfn;
    xen_pfn_t list[1];

    allocate(&pfn, list, 1);
    ASSERT_EQ(reservation(XENMEM_decrease_reservation, list, 1, 0, DOMID_SELF), 1);
    set_xen_guest_handle(op.extent_start, list);
    list[0] = pfn;
    op.mem_flags = XENMEMF_address_bits(12);            /* none has so few */
    EXPECT_EQ(xen_memory_op(XENMEM_populate_physmap, &op), 0);
    op.mem_flags = XENMEMF_address_bits(32);
    ASSERT_EQ(xen_memory_op(XENMEM_populate_physmap, &op), 1);
    EXPECT(list[0] < 1ul << 20);
    adopt(pfn, list[0]);
}

/* A frame that is still mapped is freed when the mapping is removed. */
static void give_while_mapped(void)
{
    pfn_t pfn = frame_alloc();
    xen_pfn_t list[1] = { pfn_to_mfn(pfn) };
    long before = current_pages();

    ASSERT_EQ(reservation(XENMEM_decrease_reservation, list, 1, 0, DOMID_SELF), 1);
    EXPECT_NO_FAULT(try_write64(p2v(pfn), 1));
    EXPECT_EQ(current_pages(), before);
    EXPECT_EQ(unmap_page(p2v(pfn)), 0);
    EXPECT_EQ(current_pages(), before - 1);
    list[0] = pfn;
    ASSERT_EQ(reservation(XENMEM_populate_physmap, list, 1, 0, DOMID_SELF), 1);
    adopt(pfn, list[0]);
}

/* The result is the number of extents before the first invalid one. */
static void wrong_frames(void)
{
    pfn_t pfn;
    xen_pfn_t list[3], wild = ~0ul;
    long before = current_pages();

    allocate(&pfn, list, 1);
    list[1] = 1ul << 40;
    list[2] = 0;
    EXPECT_EQ(reservation(XENMEM_decrease_reservation, &wild, 1, 0, DOMID_SELF), 0);
    EXPECT_EQ(reservation(XENMEM_decrease_reservation, list, 3, 0, DOMID_SELF), 1);
    EXPECT_EQ(current_pages(), before - 1);
    EXPECT_EQ(reservation(XENMEM_decrease_reservation, list, 0, 0, DOMID_SELF), 0);
    list[0] = pfn;
    ASSERT_EQ(reservation(XENMEM_populate_physmap, list, 1, 0, DOMID_SELF), 1);
    adopt(pfn, list[0]);
    EXPECT_EQ(current_pages(), before);
}

/* The result is 0 or an error, and the domain has as many frames as before. */
static void wrong_arguments(void)
{
    static xen_pfn_t list[1];
    static const unsigned cmds[] = { XENMEM_increase_reservation, XENMEM_decrease_reservation,
                                     XENMEM_populate_physmap };
    long before = current_pages();

    for (unsigned i = 0; i < 3; i++) {
        list[0] = ~0ul;
        EXPECT(reservation(cmds[i], list, 1, 0, NO_SUCH_DOMAIN) <= 0);
        EXPECT(reservation(cmds[i], list, 1, 60, DOMID_SELF) <= 0);
        EXPECT(reservation(cmds[i], list, 1, ~0u, DOMID_SELF) <= 0);
        EXPECT(reservation(cmds[i], list, ~0ul, 0, DOMID_SELF) <= 0);
        EXPECT(reservation(cmds[i], (void *)HOLE_START, 1, 0, DOMID_SELF) <= 0);
        EXPECT(xen_memory_op(cmds[i], UNMAPPED) <= 0);
        /* An increase may be done before the list is found to be not writable. */
        if (cmds[i] != XENMEM_increase_reservation)
            EXPECT(reservation(cmds[i], UNMAPPED, 1, 0, DOMID_SELF) <= 0);
    }
    EXPECT_EQ(current_pages(), before);
    EXPECT_EQ(xen_memory_op(63, UNMAPPED), -XEN_ENOSYS);
}

/* --- Exchange --------------------------------------------------------------------------------- */

static long exchange(struct xen_memory_exchange *op, xen_pfn_t *in, uint64_t nr_in, xen_pfn_t *out,
                     uint64_t nr_out)
{
    memset(op, 0, sizeof(*op));
    op->in = (struct xen_memory_reservation){ .nr_extents = nr_in, .domid = DOMID_SELF };
    op->out = (struct xen_memory_reservation){ .nr_extents = nr_out, .domid = DOMID_SELF };
    set_xen_guest_handle(op->in.extent_start, in);
    set_xen_guest_handle(op->out.extent_start, out);
    return xen_memory_op(XENMEM_exchange, op);
}

static void exchange_frames(void)
{
    pfn_t pfns[2];
    xen_pfn_t in[2], out[2];
    struct xen_memory_exchange op;
    long before = current_pages();

    allocate(pfns, in, 2);
    out[0] = pfns[0], out[1] = pfns[1];
    EXPECT_EQ(exchange(&op, in, 2, out, 2), 0);
    EXPECT_EQ(op.nr_exchanged, 2);
    EXPECT_EQ(current_pages(), before);
    for (unsigned i = 0; i < 2; i++) {
        mfn_t mfn = op.nr_exchanged > i ? out[i] : in[i];

        adopt(pfns[i], mfn);
        EXPECT_EQ(mfn_to_pfn(mfn), pfns[i]);
    }
}

static void exchange_refused(void)
{
    pfn_t pfn = frame_alloc();
    xen_pfn_t in[1] = { pfn_to_mfn(pfn) }, out[1] = { pfn };
    struct xen_memory_exchange op;
    long before = current_pages();

    EXPECT(exchange(&op, in, 1, out, 1) < 0);           /* it is mapped */
    EXPECT_EQ(op.nr_exchanged, 0);
    EXPECT_EQ(exchange(&op, in, 1, out, 2), -XEN_EINVAL);
    in[0] = 1ul << 40;
    EXPECT(exchange(&op, in, 1, out, 1) < 0);
    EXPECT_EQ(op.nr_exchanged, 0);
    EXPECT(exchange(&op, UNMAPPED, 1, out, 1) < 0);
    EXPECT_EQ(exchange(&op, (void *)HOLE_START, 1, out, 1), -XEN_EFAULT);
    EXPECT_EQ(exchange(&op, in, 1, (void *)HOLE_START, 1), -XEN_EFAULT);
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, UNMAPPED), -XEN_EFAULT);
    EXPECT_EQ(current_pages(), before);
    EXPECT_NO_FAULT(try_write64(p2v(pfn), 1));
    frame_free(pfn);
}

/* The checks of an exchange, in their order. If there is nothing to do, the lists are not
 * checked. */
static void exchange_checks(void)
{
    struct xen_memory_exchange op = { .in = { .domid = DOMID_SELF },
                                      .out = { .domid = DOMID_SELF } };

    set_xen_guest_handle(op.in.extent_start, (void *)HOLE_START);
    set_xen_guest_handle(op.out.extent_start, (void *)HOLE_START);
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, &op), 0);
    op.in.nr_extents = op.out.nr_extents = op.nr_exchanged = 3;
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, &op), 0);
    EXPECT_EQ(op.nr_exchanged, 3);
    op.nr_exchanged = 4;
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, &op), -XEN_EINVAL);
    op.nr_exchanged = 0;
    op.in.domid = NO_SUCH_DOMAIN;
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, &op), -XEN_EINVAL);    /* the two differ */
    op.out.domid = NO_SUCH_DOMAIN;
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, &op), -XEN_EFAULT);
    set_xen_guest_handle(op.in.extent_start, UNMAPPED);
    set_xen_guest_handle(op.out.extent_start, UNMAPPED);
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, &op), -XEN_ESRCH);
    op.in.nr_extents = op.out.nr_extents = 1ul << 32;
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, &op), -XEN_ESRCH);
    op.in.extent_order = op.out.extent_order = 3;
    op.in.nr_extents = op.out.nr_extents = 1ul << 61;
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, &op), -XEN_EINVAL);
    op.out.extent_order = 40;
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, &op), -XEN_EPERM);
}

SUITE(memory, 54, 0, TEST(give_and_populate), TEST(give_and_increase), TEST(populate_below),
      TEST(give_while_mapped), TEST(wrong_frames), TEST(wrong_arguments), TEST(exchange_frames),
      TEST(exchange_refused), TEST(exchange_checks));
