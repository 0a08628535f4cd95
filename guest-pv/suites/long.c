/* Suites (only by name) of requests that take long, alone or as many short ones in a multicall.
 * Their results are checked here. How long interrupts were off meanwhile is printed by a hypervisor
 * that is built with IRQSOFF; how long another guest had to wait is measured by that guest
 * ("pauses").
 *
 *   long     sequences of requests, as multicalls
 *   dying    makes page tables of all memory, pinned and full, which the domain's end must free
 *   pauses   computes, and measures the gaps in its time */
#include <string.h>
#include "clock.h"
#include "console.h"
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "suite.h"

#define NR_CALLS 16u
#define PER_CALL 127u
#define LINKED   (1u << EVTCHN_FIFO_LINKED)
#define ENTRIES  512u
#define NO_RAM   0xfffffff              /* a frame number below a TiB */
#define NR_PORTS 8192u

static struct mmu_update updates[PER_CALL];
static struct mmuext_op ops[PER_CALL];
static struct multicall_entry calls[NR_CALLS];

/* The same request NR_CALLS times. The result of each must be rc. */
static void call_again_and_again(uint64_t op, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                                 int rc)
{
    for (unsigned i = 0; i < NR_CALLS; i++)
        calls[i] = (struct multicall_entry){ .op = op, .args = { a, b, c, d } };
    ASSERT_EQ(xen_multicall(calls, NR_CALLS), 0);
    for (unsigned i = 0; i < NR_CALLS; i++)
        EXPECT_EQ(calls[i].result, rc);
}

/* A table without a type whose 512 entries are the same. */
static pfn_t full_table(uint64_t entry)
{
    pfn_t pfn = frame_alloc();
    uint64_t *table = p2v(pfn);

    for (unsigned i = 0; i < ENTRIES; i++)
        table[i] = entry;
    ASSERT_EQ(frame_set_ro(pfn), 0);
    return pfn;
}

static void toggling_a_slot_between_full_tables(void)
{
    pfn_t page = frame_alloc(), l2 = table_alloc();
    uint64_t entry = make_pte(pfn_to_mfn(page), PTE_KERNEL);
    pfn_t full[2] = { full_table(entry), full_table(entry) };

    ASSERT_EQ(mmu_pin(2, l2), 0);
    for (unsigned i = 0; i < PER_CALL; i++) {
        updates[i].ptr = v2maddr(p2v(l2));
        updates[i].val = make_pte(pfn_to_mfn(full[i & 1]), PTE_TABLE);
    }
    call_again_and_again(__HYPERVISOR_mmu_update, (uint64_t)updates, PER_CALL, 0, DOMID_SELF, 0);
    EXPECT_EQ(mmu_unpin(l2), 0);
    table_free(l2);
    for (unsigned i = 0; i < 2; i++) {
        EXPECT_EQ(frame_set_rw(full[i]), 0);
        frame_free(full[i]);
    }
    frame_free(page);
}

static void pinning_and_unpinning_full_tables(void)
{
    pfn_t page = frame_alloc(), full = full_table(make_pte(pfn_to_mfn(page), PTE_KERNEL));

    for (unsigned i = 0; i < PER_CALL - 1; i++) {
        ops[i].cmd = i & 1 ? MMUEXT_UNPIN_TABLE : MMUEXT_PIN_L1_TABLE;
        ops[i].arg1.mfn = pfn_to_mfn(full);
    }
    call_again_and_again(__HYPERVISOR_mmuext_op, (uint64_t)ops, PER_CALL - 1, 0, DOMID_SELF, 0);
    EXPECT_EQ(frame_set_rw(full), 0);
    frame_free(full);
    frame_free(page);
}

/* A table that is refused at its last entry. */
static void pinning_what_is_refused(void)
{
    pfn_t page = frame_alloc(), full = frame_alloc();
    uint64_t *table = p2v(full);

    for (unsigned i = 0; i < ENTRIES; i++)
        table[i] = make_pte(i + 1 < ENTRIES ? pfn_to_mfn(page) : NO_RAM, PTE_KERNEL);
    ASSERT_EQ(frame_set_ro(full), 0);
    ops[0].cmd = MMUEXT_PIN_L1_TABLE;
    ops[0].arg1.mfn = pfn_to_mfn(full);
    call_again_and_again(__HYPERVISOR_mmuext_op, (uint64_t)ops, 1, 0, DOMID_SELF, -XEN_EPERM);
    EXPECT_EQ(frame_set_rw(full), 0);
    frame_free(full);
    frame_free(page);
}

/* The largest extent that can be requested, given back and requested again. */
static void the_largest_extents(void)
{
    static uint64_t list[ENTRIES], large;
    struct xen_memory_reservation give = { .domid = DOMID_SELF, .nr_extents = ENTRIES };
    struct xen_memory_reservation get = { .domid = DOMID_SELF, .nr_extents = 1, .extent_order = 9 };
    static pfn_t pfns[ENTRIES];

    set_xen_guest_handle(give.extent_start, list);
    set_xen_guest_handle(get.extent_start, &large);
    for (unsigned i = 0; i < ENTRIES; i++) {
        pfns[i] = frame_alloc();
        list[i] = pfn_to_mfn(pfns[i]);
        ASSERT_EQ(unmap_page(p2v(pfns[i])), 0);
    }
    ASSERT_EQ(xen_memory_op(XENMEM_decrease_reservation, &give), ENTRIES);
    for (unsigned round = 0; round < 4; round++) {
        if (xen_memory_op(XENMEM_increase_reservation, &get) != 1)
            break;                      /* no such extent is free */
        ASSERT_EQ(xen_memory_op(XENMEM_decrease_reservation, &get), 1);
    }
    for (unsigned i = 0; i < ENTRIES; i++)
        list[i] = pfns[i];
    ASSERT_EQ(xen_memory_op(XENMEM_populate_physmap, &give), ENTRIES);
    for (unsigned i = 0; i < ENTRIES; i++) {
        p2m_set(pfns[i], list[i]);
        ASSERT_EQ(map_page(p2v(pfns[i]), make_pte(list[i], PTE_KERNEL)), 0);
        memset(p2v(pfns[i]), 0, PAGE_SIZE);
        frame_free(pfns[i]);
    }
}

static void whole_trap_tables(void)
{
    static struct trap_info table[2 * 256];

    for (unsigned i = 0; i < 511; i++)
        table[i] = (struct trap_info){ .vector = 255, .cs = FLAT_KERNEL_CS, .address = 0x1000 };
    call_again_and_again(__HYPERVISOR_set_trap_table, (uint64_t)table, 0, 0, 0, 0);
}

/* Closes thousands of ports whose words say that they are still linked in a queue. One frame is
 * given for all pages of words. Ends with EVTCHNOP_reset, as fifo_limits.c does. */
static void opening_ports_when_all_are_busy(void)
{
    static struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
    pfn_t control = frame_alloc(), array = frame_alloc();
    struct evtchn_init_control init = { .control_gfn = pfn_to_mfn(control) };
    struct evtchn_expand_array expand = { .array_gfn = pfn_to_mfn(array) };
    struct evtchn_reset reset = { .dom = DOMID_SELF };
    uint32_t *words = p2v(array);

    events_off();
    ASSERT_EQ(xen_event_channel_op(EVTCHNOP_init_control, &init), 0);
    for (unsigned i = 0; i < NR_PORTS / (PAGE_SIZE / sizeof(event_word_t)); i++)
        ASSERT_EQ(xen_event_channel_op(EVTCHNOP_expand_array, &expand), 0);
    while (alloc.port < NR_PORTS - 1)
        ASSERT_EQ(xen_event_channel_op(EVTCHNOP_alloc_unbound, &alloc), 0);
    for (struct evtchn_close op = { .port = NR_PORTS - 1 }; op.port != 0; op.port--)
        (void)xen_event_channel_op(EVTCHNOP_close, &op);
    for (unsigned i = 0; i < PAGE_SIZE / sizeof(event_word_t); i++)
        words[i] = LINKED;
    call_again_and_again(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, (uint64_t)&alloc,
                         0, 0, 0);
    ASSERT_EQ(xen_event_channel_op(EVTCHNOP_reset, &reset), 0);
    memset((void *)shared_info->evtchn_pending, 0, sizeof(shared_info->evtchn_pending));
    memset(words, 0, PAGE_SIZE);
    memset(p2v(control), 0, PAGE_SIZE);
    events_on();
    clock_init();
    frame_free(control);
    frame_free(array);
}

SUITE(long, 93, SUITE_NAMED_ONLY, TEST(toggling_a_slot_between_full_tables),
      TEST(pinning_and_unpinning_full_tables), TEST(pinning_what_is_refused),
      TEST(the_largest_extents), TEST(whole_trap_tables), TEST(opening_ports_when_all_are_busy));

/* --- Dying ------------------------------------------------------------------------------------ */
#define LEAVE_FREE 64u

static void fills_memory_with_tables(void)
{
    uint64_t entry = make_pte(pfn_to_mfn(frame_alloc()), PTE_KERNEL);
    unsigned nr = 0;

    while (frames_free() > LEAVE_FREE) {
        ASSERT_EQ(mmu_pin(1, full_table(entry)), 0);
        nr++;
    }
    test_diag("%u full tables are pinned", nr);
    EXPECT(nr > 1000);
}

SUITE(dying, 94, SUITE_NAMED_ONLY, TEST(fills_memory_with_tables));

/* --- Pauses ----------------------------------------------------------------------------------- */
#define WATCH_NS   2500000000ul
#define LONGEST_NS 25000000ul   /* twice: the others' slices and two switches */

static void nobody_keeps_us_waiting(void)
{
    uint64_t end = clock_ns() + WATCH_NS, last = clock_ns(), now = last, longest = 0;

    for (; now < end; last = now) {
        now = clock_ns();
        if (now - last > longest)
            longest = now - last;
    }
    test_diag("longest pause: %lu us", longest / 1000);
    EXPECT(longest < LONGEST_NS);
}

SUITE(pauses, 94, SUITE_NAMED_ONLY, TEST(nobody_keeps_us_waiting));
