/* Suite "smp": races between what one vCPU sets and what others do with it at the same time: masks
 * against sends, a page of an LDT against loads of its selectors. */
#include "clock.h"
#include "event.h"
#include "gdt.h"
#include "hypercall.h"
#include "mm.h"
#include "smp.h"
#include "suite.h"
#include "worker.h"

#define PATIENCE (20 * NS_PER_S)

/* What the workers have counted. */
static uint64_t total(unsigned nr)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < nr; i++)
        n += __atomic_load_n(&workers[i].count, __ATOMIC_RELAXED);
    return n;
}

/* --- Masks against sends ---------------------------------------------------------------------- */

static struct {
    port_t port;
    volatile uint64_t seen;             /* deliveries */
} masked;

static void on_event(port_t port, void *arg)
{
    (void)port;
    (void)arg;
    masked.seen++;
}

/* Behind each send there is a delivery that began after it, whether it found the port masked or
 * not. */
static void send_and_wait(struct worker *w)
{
    while (!smp_stop) {
        uint64_t before = masked.seen, end = clock_ns_of(w->id) + PATIENCE;

        w->faults += event_send(masked.port) != 0;
        while (masked.seen == before && clock_ns_of(w->id) < end)
            xen_sched_op(SCHEDOP_yield, NULL);
        w->faults += masked.seen == before;
        w->count++;
    }
}

static void masks_against_sends(void)
{
    unsigned nr = smp_begin();
    int port = event_bind_ipi(on_event, NULL);

    ASSERT(port > 0);
    masked.port = port;
    ASSERT(workers_start(send_and_wait, NULL));
    for (unsigned i = 0; total(nr) < smp_rounds(3000) && smp_goes_on(i, 1000000); i++) {
        event_mask(masked.port);
        if (i % 4 == 0)
            xen_sched_op(SCHEDOP_yield, NULL);  /* with one CPU they send now */
        event_unmask(masked.port);
    }
    smp_stop = true;
    ASSERT(workers_join());
    for (unsigned i = 0; i < nr; i++)
        EXPECT_EQ(workers[i].faults, 0);
    EXPECT(total(nr) > nr);
    EXPECT_EQ(event_close(masked.port), 0);
}

/* --- A page of an LDT against loads ----------------------------------------------------------- */

#define LDT_ENTRIES 512u
#define LDT_SEL(n)  ((n) * 8 + 7)

/* Loads that are over; count has those that worked. */
static volatile uint64_t tries[MAX_WORKERS];

/* Loads selectors again and again, by an LDT of its own. */
static void load_selectors(struct worker *w)
{
    uint64_t state = 0xbf58476d1ce4e5b9 * w->id;

    w->faults += mmuext(MMUEXT_SET_LDT, (uint64_t)w->arg, LDT_ENTRIES) != 0;
    while (!smp_stop) {
        w->count += worker_set_fs(LDT_SEL(smp_random(&state) % LDT_ENTRIES));
        tries[w->id - 1]++;
    }
    worker_set_fs(0);
    w->faults += mmuext(MMUEXT_SET_LDT, 0, 0) != 0;
}

/* Waits until each worker has tried so many more loads. */
static void wait_for_tries(unsigned nr, unsigned n)
{
    uint64_t before[MAX_WORKERS], end = clock_ns() + PATIENCE;

    for (unsigned i = 0; i < nr; i++)
        before[i] = tries[i];
    for (unsigned i = 0; i < nr; i++) {
        while (tries[i] - before[i] < n && clock_ns() < end)
            xen_sched_op(SCHEDOP_yield, NULL);
        ASSERT(tries[i] - before[i] >= n);
    }
}

/* vCPU 0 unmaps the page, which others load selectors from, and makes it an ordinary one again. No
 * load finds the descriptors there any more, which nobody validates now. */
static void ldt_page_is_taken_away(void)
{
    unsigned nr = smp_begin(), found = 0;
    pfn_t page = frame_alloc();
    volatile uint64_t *va = va_alloc(1);
    uint64_t before, worked = 0;

    for (unsigned i = 0; i < LDT_ENTRIES; i++)
        ((volatile uint64_t *)p2v(page))[i] = D_DATA | D_LIMIT(0xffffful) | D_BIG;
    ASSERT(workers_start(load_selectors, (void *)va));
    for (unsigned i = 0; smp_goes_on(i, 500); i++) {
        ASSERT_EQ(frame_set_ro(page), 0);
        ASSERT_EQ(xen_update_va_mapping((uint64_t)va, make_pte(pfn_to_mfn(page), PTE_RO), 0), 0);
        before = total(nr);
        wait_for_tries(nr, 3);
        worked += total(nr) - before;
        ASSERT_EQ(xen_update_va_mapping((uint64_t)va, 0, 0), 0);
        ASSERT_EQ(frame_set_rw(page), 0);       /* no LDT has it: it can be writable */
        wait_for_tries(nr, 2);                  /* those that had begun are over */
        before = total(nr);
        wait_for_tries(nr, 10);
        found += total(nr) - before;
    }
    smp_stop = true;
    ASSERT(workers_join());
    EXPECT_EQ(found, 0);
    EXPECT(worked > 0);
    for (unsigned i = 0; i < nr; i++)
        EXPECT_EQ(workers[i].faults, 0);
    frame_free(page);
}

SUITE_PART(smp, 57, 3, TEST(masks_against_sends), TEST(ldt_page_is_taken_away));
