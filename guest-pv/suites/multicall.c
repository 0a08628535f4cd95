/* Suite "multicall": a batch does what its members would do one by one, in order, each with its own
 * result. Batches of mmu_update and mmuext_op are in pagetables.c and pagetables_pins.c. */
#include <stdlib.h>
#include <string.h>
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "suite.h"

#define UNMAPPED 0xffffff0000000000ul
#define UNSET    0x5555555555555555ul

static struct multicall_entry calls[16];

static void call_set(struct multicall_entry *e, uint64_t op, uint64_t a0, uint64_t a1, uint64_t a2,
                     uint64_t a3)
{
    *e = (struct multicall_entry){ .op = op, .result = UNSET, .args = { a0, a1, a2, a3 } };
}

static void call_version(struct multicall_entry *e)
{
    call_set(e, __HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);
}

static void results(void)
{
    static xen_extraversion_t extra;
    long version = xen_version(XENVER_version, NULL);

    memset(extra, 0, sizeof(extra));
    call_version(&calls[0]);
    call_set(&calls[1], __HYPERVISOR_xen_version, XENVER_extraversion, (uint64_t)extra, 0, 0);
    call_set(&calls[2], __HYPERVISOR_xen_version, XENVER_pagesize, 0, 0, 0);
    call_version(&calls[3]);
    ASSERT_EQ(xen_multicall(calls, 3), 0);
    EXPECT_EQ(calls[0].result, version);
    EXPECT_EQ(calls[1].result, 0);
    EXPECT_EQ(calls[2].result, PAGE_SIZE);
    EXPECT_EQ(calls[3].result, UNSET);                  /* not part of the batch */
    EXPECT(extra[0] != 0);
    EXPECT_EQ(xen_multicall(calls, 0), 0);
    EXPECT_EQ(calls[0].op, __HYPERVISOR_xen_version);   /* the members themselves are not changed */
    EXPECT_EQ(calls[1].args[1], (uint64_t)extra);
}

/* Each is possible only after the one before. */
static void order(void)
{
    volatile uint64_t *va = va_alloc(1);
    pfn_t a = frame_alloc(), b = frame_alloc();
    struct mmuext_op pin = { .cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = pfn_to_mfn(b) }, unpin = pin;
    uint64_t self = (uint64_t)p2v(b);

    unpin.cmd = MMUEXT_UNPIN_TABLE;
    call_set(&calls[0], __HYPERVISOR_update_va_mapping, (uint64_t)va,
             make_pte(pfn_to_mfn(a), PTE_KERNEL), UVMF_INVLPG, 0);
    call_set(&calls[1], __HYPERVISOR_mmuext_op, (uint64_t)&pin, 1, 0, DOMID_SELF);
    call_set(&calls[2], __HYPERVISOR_update_va_mapping, self, make_pte(pfn_to_mfn(b), PTE_RO),
             UVMF_INVLPG, 0);
    call_set(&calls[3], __HYPERVISOR_mmuext_op, (uint64_t)&pin, 1, 0, DOMID_SELF);
    call_set(&calls[4], __HYPERVISOR_update_va_mapping, self, make_pte(pfn_to_mfn(b), PTE_KERNEL),
             UVMF_INVLPG, 0);
    call_set(&calls[5], __HYPERVISOR_mmuext_op, (uint64_t)&unpin, 1, 0, DOMID_SELF);
    call_set(&calls[6], __HYPERVISOR_update_va_mapping, self, make_pte(pfn_to_mfn(b), PTE_KERNEL),
             UVMF_INVLPG, 0);
    call_set(&calls[7], __HYPERVISOR_update_va_mapping, (uint64_t)va,
             make_pte(pfn_to_mfn(b), PTE_KERNEL), UVMF_INVLPG, 0);
    ASSERT_EQ(xen_multicall(calls, 8), 0);
    EXPECT_EQ(calls[0].result, 0);
    EXPECT_EQ(calls[1].result, -XEN_EINVAL);            /* still writable */
    EXPECT_EQ(calls[2].result, 0);
    EXPECT_EQ(calls[3].result, 0);
    EXPECT_EQ(calls[4].result, -XEN_EBUSY);             /* a table now */
    EXPECT_EQ(calls[5].result, 0);
    EXPECT_EQ(calls[6].result, 0);
    EXPECT_EQ(calls[7].result, 0);
    *va = 6;
    EXPECT_EQ(*(uint64_t *)p2v(b), 6);
    EXPECT_EQ(*(uint64_t *)p2v(a), 0);
    EXPECT_EQ(unmap_page(va), 0);
    frame_free(a);
    frame_free(b);
}

/* A member that fails does not affect the others. */
static void failures(void)
{
    call_version(&calls[0]);
    call_set(&calls[1], 63, 0, 0, 0, 0);
    call_set(&calls[2], ~0ul, 0, 0, 0, 0);
    call_set(&calls[3], __HYPERVISOR_xen_version, XENVER_extraversion, UNMAPPED, 0, 0);
    call_set(&calls[4], __HYPERVISOR_update_va_mapping, HOLE_START, 0, 0, 0);
    call_set(&calls[5], __HYPERVISOR_xen_version, 99, 0, 0, 0);
    call_version(&calls[6]);
    ASSERT_EQ(xen_multicall(calls, 7), 0);
    EXPECT_EQ(calls[1].result, -XEN_ENOSYS);
    EXPECT_EQ(calls[2].result, -XEN_ENOSYS);
    EXPECT_EQ(calls[3].result, -XEN_EFAULT);
    EXPECT_EQ(calls[4].result, -XEN_EINVAL);
    EXPECT_EQ(calls[5].result, -XEN_ENOSYS);
    EXPECT_EQ(calls[6].result, calls[0].result);
    EXPECT(calls[0].result != UNSET);
}

static void nested(void)
{
    static struct multicall_entry inner[2];

    call_version(&inner[0]);
    call_set(&calls[0], __HYPERVISOR_multicall, (uint64_t)inner, 1, 0, 0);
    call_version(&calls[1]);
    ASSERT_EQ(xen_multicall(calls, 2), 0);
    EXPECT_EQ(calls[0].result, -XEN_EINVAL);
    EXPECT_EQ(inner[0].result, UNSET);
    EXPECT_EQ(calls[1].result, xen_version(XENVER_version, NULL));
    EXPECT_EQ(xen_multicall(inner, 1), 0);              /* afterwards another one can be made */
    EXPECT_EQ(inner[0].result, calls[1].result);
}

static void bad_pointers(void)
{
    struct multicall_entry *page = va_alloc(2);
    pfn_t pfn = frame_alloc();
    unsigned fit = PAGE_SIZE / sizeof(*page);

    EXPECT_EQ(xen_multicall((void *)UNMAPPED, 1), -XEN_EFAULT);
    EXPECT_EQ(xen_multicall((void *)0x8000000000000000, 1), -XEN_EFAULT);
    EXPECT_EQ(xen_multicall((void *)HOLE_START, 1), -XEN_EFAULT);
    EXPECT_EQ(xen_multicall((void *)0xffff830000000000, 1), -XEN_EFAULT);
    ASSERT_EQ(map_page(page, make_pte(pfn_to_mfn(pfn), PTE_KERNEL)), 0);
    for (unsigned i = 0; i < fit; i++)
        call_version(&page[i]);
    /* The members before the page's end ran. */
    EXPECT_EQ(xen_multicall(page, fit + 1), -XEN_EFAULT);
    EXPECT_EQ(page[0].result, xen_version(XENVER_version, NULL));
    EXPECT_EQ(page[fit - 1].result, page[0].result);
    page[0].result = page[1].result = UNSET;
    ASSERT_EQ(map_page(page, make_pte(pfn_to_mfn(pfn), PTE_RO)), 0);
    EXPECT_EQ(xen_multicall(page, 2), -XEN_EFAULT);              /* the results cannot be written */
    EXPECT_EQ(page[0].result, UNSET);
    EXPECT_EQ(unmap_page(page), 0);
    frame_free(pfn);
}

/* The batch is so long that it is interrupted and resumed. Each member is done exactly once. */
static void long_one(void)
{
    enum { N = 3000 };
    struct multicall_entry *many = malloc(N * sizeof(*many));
    static volatile uint64_t target[512] __attribute__((aligned(4096)));
    struct mmu_update *req = malloc(N * sizeof(*req));
    unsigned wrong = 0;

    ASSERT(many && req);
    for (unsigned i = 0; i < N; i++) {
        req[i] = (struct mmu_update){ v2maddr((void *)&target[i % 512]), i };
        call_set(&many[i], __HYPERVISOR_mmu_update, (uint64_t)&req[i], 1, 0, DOMID_SELF);
        if (i % 3 == 2)
            call_set(&many[i], 63, 0, 0, 0, 0);
    }
    ASSERT_EQ(xen_multicall(many, N), 0);
    for (unsigned i = 0; i < N; i++)
        wrong += many[i].result != (i % 3 == 2 ? -(uint64_t)XEN_ENOSYS : 0);
    EXPECT_EQ(wrong, 0);
    for (unsigned i = N - 512; i < N; i++)
        if (i % 3 != 2)
            EXPECT_EQ(target[i % 512], i);
    free(req);
    free(many);
}

static volatile uint64_t seen;

static void on_event(port_t port, void *arg)
{
    (void)port, (void)arg;
    seen++;
}

/* An event that a member sends is delivered at the end of the batch, or before. */
static void events_within(void)
{
    int port = event_bind_ipi(on_event, NULL);
    struct evtchn_send send = { .port = port };

    ASSERT(port > 0);
    seen = 0;
    call_set(&calls[0], __HYPERVISOR_event_channel_op, EVTCHNOP_send, (uint64_t)&send, 0, 0);
    call_version(&calls[1]);
    ASSERT_EQ(xen_multicall(calls, 2), 0);
    EXPECT_EQ(calls[0].result, 0);
    EXPECT_EQ(seen, 1);
    EXPECT_EQ(event_close(port), 0);
}

SUITE(multicall, 35, 0, TEST(results), TEST(order), TEST(failures), TEST(nested),
      TEST(bad_pointers), TEST(long_one), TEST(events_within));
