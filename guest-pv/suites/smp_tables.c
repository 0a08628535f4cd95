/* Suite "smp", its page tables: what one vCPU changes is right for all, at once. Most tests let
 * some vCPUs store through translations that another one takes away, and look whether a store
 * arrives that cannot any more. */
#include <string.h>
#include "area.h"
#include "clock.h"
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "smp.h"
#include "suite.h"
#include "worker.h"

/* Of tests that end when their time is over: fewer rounds can be done before the host runs another
 * emulated CPU. */
#define ROUNDS 1000000u

/* Waits until each of so many workers has counted on: it is at work now. */
static void wait_until_counting(unsigned nr)
{
    uint64_t before[MAX_WORKERS], end = clock_ns() + 10 * NS_PER_S;

    for (unsigned i = 0; i < nr; i++)
        before[i] = __atomic_load_n(&workers[i].count, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < nr && clock_ns() < end; i++)
        while (__atomic_load_n(&workers[i].count, __ATOMIC_RELAXED) == before[i] &&
               clock_ns() < end)
            xen_sched_op(SCHEDOP_yield, NULL);
}

/* --- A flush of all vCPUs is complete when the call returns ----------------------------------- */

static struct {
    volatile uint64_t *va;
    uint64_t generation;        /* the page that va maps has at least this number in its word 0 */
} flushed;

static void watch_mapping(struct worker *w)
{
    while (!smp_stop) {
        uint64_t least = __atomic_load_n(&flushed.generation, __ATOMIC_ACQUIRE);

        w->count++;
        w->faults += *flushed.va < least;
    }
}

static long change_by_flag(uint64_t va, uint64_t pte)
{
    return xen_update_va_mapping(va, pte, UVMF_INVLPG | UVMF_ALL);
}

static long change_and_flush_all(uint64_t va, uint64_t pte)
{
    long rc = xen_update_va_mapping(va, pte, 0);

    return rc ? rc : mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0);
}

static long change_and_invlpg_all(uint64_t va, uint64_t pte)
{
    long rc = xen_update_va_mapping(va, pte, 0);

    return rc ? rc : mmuext(MMUEXT_INVLPG_ALL, va, 0);
}

static long multi(unsigned cmd, uint64_t va)
{
    uint64_t all = ~0ul;
    struct mmuext_op op = { .cmd = cmd, .arg1.linear_addr = va };

    set_xen_guest_handle(op.arg2.vcpumask, &all);
    return xen_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static long change_and_flush_multi(uint64_t va, uint64_t pte)
{
    long rc = xen_update_va_mapping(va, pte, 0);

    return rc ? rc : multi(MMUEXT_TLB_FLUSH_MULTI, 0);
}

static long change_and_invlpg_multi(uint64_t va, uint64_t pte)
{
    long rc = xen_update_va_mapping(va, pte, 0);

    return rc ? rc : multi(MMUEXT_INVLPG_MULTI, va);
}

static void flush_with(long (*change)(uint64_t va, uint64_t pte))
{
    unsigned nr = smp_begin();
    pfn_t page[2] = { frame_alloc(), frame_alloc() };
    uint64_t stale = 0;

    flushed.va = va_alloc(1);
    flushed.generation = 0;
    ASSERT_EQ(map_page(flushed.va, make_pte(pfn_to_mfn(page[0]), PTE_RO)), 0);
    ASSERT(workers_start(watch_mapping, NULL));
    wait_until_counting(nr);
    for (uint64_t i = 1; smp_goes_on(i - 1, ROUNDS); i++) {
        *(volatile uint64_t *)p2v(page[i % 2]) = i;
        if (!EXPECT_EQ(change((uint64_t)flushed.va, make_pte(pfn_to_mfn(page[i % 2]), PTE_RO)), 0))
            break;
        __atomic_store_n(&flushed.generation, i, __ATOMIC_RELEASE);
    }
    smp_stop = true;
    ASSERT(workers_join());
    for (unsigned i = 0; i < nr; i++)
        stale += workers[i].faults;
    EXPECT_EQ(stale, 0);
    EXPECT_EQ(unmap_page(flushed.va), 0);
    frame_free(page[0]);
    frame_free(page[1]);
}

static void uvmf_invlpg_all(void)
{
    flush_with(change_by_flag);
}

static void tlb_flush_all(void)
{
    flush_with(change_and_flush_all);
}

static void invlpg_all(void)
{
    flush_with(change_and_invlpg_all);
}

static void tlb_flush_multi(void)
{
    flush_with(change_and_flush_multi);
}

static void invlpg_multi(void)
{
    flush_with(change_and_invlpg_multi);
}

/* --- A page that becomes a table -------------------------------------------------------------- */

#define ENTRIES 512u

/* Stores entries, which are harmless in a table, into the page, as long as it is mapped. */
struct victim {
    volatile uint64_t *va;
    uint64_t entry[2];
};

static void store_entries(struct worker *w)
{
    const struct victim *v = w->arg;
    uint64_t state = 0x9e3779b97f4a7c15 * w->id;

    while (!smp_stop) {
        uint64_t r = smp_random(&state);

        if (worker_store(v->va + r % ENTRIES, v->entry[r >> 16 & 1]))
            w->count++;
        else
            w->faults++;
    }
}

static uint64_t checksum(const volatile uint64_t *table)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < ENTRIES; i++)
        sum = (sum << 7 | sum >> 57) + table[i];
    return sum;
}

/* The guest unmaps the page without a flush, while others store into it, and makes it an L1 table.
 * From then on nobody's store may arrive: the hypervisor has validated what it holds. */
static void no_store_into_a_table(void)
{
    unsigned nr = smp_begin(), changed = 0;
    pfn_t page = frame_alloc(), leaf = frame_alloc();
    struct victim v = { .va = va_alloc(1), .entry = { 0, make_pte(pfn_to_mfn(leaf), PTE_RO) } };
    uint64_t mapping = make_pte(pfn_to_mfn(page), PTE_KERNEL), faults = 0;

    ASSERT_EQ(frame_set_ro(page), 0);
    ASSERT(workers_start(store_entries, &v));
    for (unsigned i = 0; smp_goes_on(i, 150); i++) {
        uint64_t sum;

        ASSERT_EQ(xen_update_va_mapping((uint64_t)v.va, mapping, 0), 0);
        wait_until_counting(nr);
        ASSERT_EQ(xen_update_va_mapping((uint64_t)v.va, 0, 0), 0);
        ASSERT_EQ(mmu_pin(1, page), 0);
        sum = checksum(p2v(page));
        for (unsigned k = 0; k < 40; k++) {
            changed += checksum(p2v(page)) != sum;
            if (k % 16 == 0)
                xen_sched_op(SCHEDOP_yield, NULL);  /* with one CPU they try now */
        }
        ASSERT_EQ(mmu_unpin(page), 0);
    }
    smp_stop = true;
    ASSERT(workers_join());
    for (unsigned i = 0; i < nr; i++)
        faults += workers[i].faults;
    EXPECT_EQ(changed, 0);
    EXPECT(faults > 0);
    EXPECT_EQ(frame_set_rw(page), 0);
    frame_free(page);
    frame_free(leaf);
}

/* --- Counts ----------------------------------------------------------------------------------- */

/* A frame has no reference left but that of its mapping: it can become a table, and be mapped
 * writable again. */
static void expect_unused(pfn_t page)
{
    ASSERT_EQ(frame_set_ro(page), 0);
    EXPECT_EQ(mmu_pin(1, page), 0);
    EXPECT_EQ(mmu_unpin(page), 0);
    EXPECT_EQ(frame_set_rw(page), 0);
}

static void pin_and_unpin(struct worker *w)
{
    pfn_t page = *(pfn_t *)w->arg;

    for (unsigned i = 0; smp_goes_on(i, ROUNDS); i++) {
        w->count += mmu_pin(1, page) == 0;
        w->faults += mmu_unpin(page) == 0;
    }
}

/* All pin and unpin the same table. As many unpins succeed as pins, and one more if it is pinned at
 * the end. */
static void pins_of_one_table(void)
{
    unsigned nr = smp_begin();
    pfn_t page = frame_alloc();
    uint64_t pins = 0, unpins = 0;

    ASSERT_EQ(frame_set_ro(page), 0);
    ASSERT(workers_start(pin_and_unpin, &page));
    ASSERT(workers_join());
    for (unsigned i = 0; i < nr; i++) {
        pins += workers[i].count;
        unpins += workers[i].faults;
    }
    unpins += mmu_unpin(page) == 0;
    EXPECT_EQ(pins, unpins);
    EXPECT(pins > 0);
    EXPECT_EQ(frame_set_rw(page), 0);
    expect_unused(page);
    frame_free(page);
}

struct slots {
    volatile uint64_t *va;
    uint64_t maddr;
    pfn_t page[4];
};

/* The same entry by update_va_mapping, by mmu_update and by a store that is emulated. */
static void write_entries(struct worker *w)
{
    const struct slots *s = w->arg;
    uint64_t state = 0x2545f4914f6cdd1d * (w->id + 1);
    volatile uint64_t *slot = (volatile uint64_t *)pte_slot((void *)s->va, 1);

    for (unsigned i = 0; smp_goes_on(i, ROUNDS); i++) {
        uint64_t r = smp_random(&state);
        uint64_t pte = make_pte(pfn_to_mfn(s->page[r % 4]), r >> 8 & 1 ? PTE_KERNEL : PTE_RO);

        if ((r >> 16) % 4 == 0)
            pte = 0;
        if ((r >> 24) % 3 == 0)
            w->faults += xen_update_va_mapping((uint64_t)s->va, pte, UVMF_INVLPG | UVMF_LOCAL) != 0;
        else if ((r >> 24) % 3 == 1)
            w->faults += mmu_set(s->maddr, pte) != 0;
        else
            w->faults += !worker_store(slot, pte);
    }
}

static void entries_of_one_table(void)
{
    unsigned nr = smp_begin();
    struct slots s = { .va = va_alloc(1) };
    uint64_t refused = 0;

    s.maddr = pte_maddr((void *)s.va, 1);
    for (unsigned i = 0; i < 4; i++)
        s.page[i] = frame_alloc();
    writable_assist(true);
    ASSERT(workers_start(write_entries, &s));
    ASSERT(workers_join());
    writable_assist(false);
    for (unsigned i = 0; i < nr; i++)
        refused += workers[i].faults;
    EXPECT_EQ(refused, 0);
    ASSERT_EQ(mmu_set(s.maddr, 0), 0);
    EXPECT_EQ(mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0), 0);
    for (unsigned i = 0; i < 4; i++) {
        expect_unused(s.page[i]);
        frame_free(s.page[i]);
    }
}

/* --- Dirty bits ------------------------------------------------------------------------------- */

static void store_on(struct worker *w)
{
    volatile uint64_t *va = w->arg;

    while (!smp_stop)
        *va = ++w->count;
}

/* One vCPU clears the dirty bit by an exchange that is emulated, while another stores. If the page
 * changed between two looks, each behind a flush, the store set the dirty bit: it is in what this
 * exchange or the next one finds. */
static void no_dirty_bit_is_lost(void)
{
    unsigned lost = 0, changes = 0;
    struct area x = area_new();
    uint64_t entry = make_pte(pfn_to_mfn(x.a), PTE_P | PTE_RW | PTE_A), last, seen;
    bool changed = false, was_dirty = true;

    smp_begin();
    ASSERT(workers_start(store_on, (void *)x.va));
    wait_until_counting(1);
    writable_assist(true);
    last = *x.va;
    for (unsigned i = 0; smp_goes_on(i, 2000); i++) {
        bool dirty = __atomic_exchange_n(x.slot, entry, __ATOMIC_SEQ_CST) & PTE_D;

        lost += changed && !was_dirty && !dirty;
        mmuext(MMUEXT_INVLPG_ALL, (uint64_t)x.va, 0);
        seen = *(volatile uint64_t *)p2v(x.a);
        changed = seen != last;
        changes += changed;
        was_dirty = dirty;
        last = seen;
        if (i % 64 == 0)
            xen_sched_op(SCHEDOP_yield, NULL);  /* with one CPU they store now */
    }
    writable_assist(false);
    smp_stop = true;
    ASSERT(workers_join());
    EXPECT_EQ(lost, 0);
    EXPECT(changes > 0);
    area_free(&x);
}

SUITE_PART(smp, 57, 1, TEST(uvmf_invlpg_all), TEST(tlb_flush_all), TEST(invlpg_all),
           TEST(tlb_flush_multi), TEST(invlpg_multi), TEST(no_store_into_a_table),
           TEST(pins_of_one_table), TEST(entries_of_one_table), TEST(no_dirty_bit_is_lost));
