/* Two suites (only by name) for two guests, each told the other's number by peer=:
 *
 *   smpgranter  all its vCPUs offer pages, end grants, and give pages back to the hypervisor while
 *               they are mapped; when its time is over, the domain ends with all grants open
 *   smpmapper   all its vCPUs map those pages, read, write and copy them, until some time after the
 *               granter's end
 *
 * A page that is mapped stays what it was, whatever the granter does: it holds MAGIC or, given back
 * and got again, still zeros. One guest that grants to itself is in grants.c. */
#include <string.h>
#include "clock.h"
#include "gnttab.h"
#include "hypercall.h"
#include "mm.h"
#include "smp.h"
#include "suite.h"
#include "worker.h"

#define FIRST_REF 32u
#define NR_REFS   64u
#define MAGIC     0x47524e5453504d53ul
#define WAIT_NS   (30 * NS_PER_S)
#define GRANT_NS  (6 * NS_PER_S)        /* how long it grants */
#define AFTER_NS  (NS_PER_S / 2)        /* how long the mapper goes on when the granter is gone */

/* --- The granter ------------------------------------------------------------------------------ */

static struct page {
    pfn_t pfn;
    bool offered, given_back;           /* given_back: no frame is behind the pfn */
} pages[NR_REFS];

static long reservation(unsigned cmd, uint64_t *extent)
{
    struct xen_memory_reservation op = { .domid = DOMID_SELF, .nr_extents = 1 };

    set_xen_guest_handle(op.extent_start, extent);
    return xen_memory_op(cmd, &op);
}

static bool give_back(struct page *p)
{
    uint64_t mfn = pfn_to_mfn(p->pfn);

    p->given_back = true;
    return unmap_page(p2v(p->pfn)) == 0 && reservation(XENMEM_decrease_reservation, &mfn) == 1;
}

static bool get_again(struct page *p)
{
    uint64_t extent = p->pfn;

    if (reservation(XENMEM_populate_physmap, &extent) != 1)
        return false;
    p2m_set(p->pfn, extent);
    p->given_back = false;
    return map_page(p2v(p->pfn), make_pte(extent, PTE_KERNEL)) == 0;
}

/* One step with one of the caller's pages. False: a call failed that must not. */
static bool grant_step(unsigned i, uint64_t r)
{
    struct page *p = &pages[i];

    if (p->offered && !grant_revoke(FIRST_REF + i))
        return p->given_back || r % 64 != 0 || give_back(p);
    p->offered = false;
    if (!p->given_back && r % 64 == 0 && !give_back(p))
        return false;
    if (p->given_back && !get_again(p))
        return false;
    *(volatile uint64_t *)p2v(p->pfn) = MAGIC;
    grant_offer(FIRST_REF + i, test_peer(), pfn_to_mfn(p->pfn), r & 1u << 8 ? GTF_readonly : 0);
    p->offered = true;
    return true;
}

/* vCPU id has every nr-th page. Counts steps, and returns those that failed. */
static uint64_t grant_for_a_time(unsigned id, unsigned nr, uint64_t *steps)
{
    uint64_t end = clock_ns_of(id) + GRANT_NS, state = 0x9e3779b97f4a7c15 * (id + 1), failed = 0;

    for (*steps = 0; clock_ns_of(id) < end; (*steps)++) {
        uint64_t r = smp_random(&state);

        failed += !grant_step(id + r % (NR_REFS / nr) * nr, r >> 32);
    }
    return failed;
}

static void grant_on(struct worker *w)
{
    w->faults = grant_for_a_time(w->id, workers_nr() + 1, &w->count);
}

static void grants_until_it_ends(void)
{
    unsigned nr = smp_begin();
    uint64_t steps;

    ASSERT(gnttab() != NULL);
    for (unsigned i = 0; i < NR_REFS; i++)
        pages[i].pfn = frame_alloc();
    ASSERT(workers_start(grant_on, NULL));
    EXPECT_EQ(grant_for_a_time(0, nr + 1, &steps), 0);
    ASSERT(workers_join());
    for (unsigned i = 0; i < nr; i++) {
        EXPECT_EQ(workers[i].faults, 0);
        steps += workers[i].count;
    }
    test_diag("%lu steps", steps);
    EXPECT(steps > NR_REFS);
}

SUITE(smpgranter, 59, SUITE_NAMED_ONLY | SUITE_NEEDS_PEER, TEST(grants_until_it_ends));

/* --- The mapper ------------------------------------------------------------------------------- */

struct mapper {
    volatile uint64_t *va;
    uint64_t *buf;
    uint64_t state, mapped, copied, refused, wrong;
    bool gone;                          /* the granter is */
};
static struct mapper mappers[MAX_WORKERS + 1];

static bool is_a_page(uint64_t first_word)
{
    return first_word == MAGIC || first_word == 0;
}

/* Uses a mapping: word 1 + id is this vCPU's. */
static bool use_mapping(struct mapper *m, unsigned id, uint64_t r, bool writable)
{
    volatile uint64_t *own = m->va + 1 + id;
    bool fine = is_a_page(m->va[0]);

    if (writable)
        *own = r;
    if (r >> 40 & 1)
        xen_sched_op(SCHEDOP_yield, NULL);
    return fine && is_a_page(m->va[0]) && (!writable || *own == r);
}

static int map_once(struct mapper *m, unsigned id, uint64_t r)
{
    bool writable = r >> 32 & 1;
    grant_handle_t handle;
    int rc = grant_map((uint64_t)m->va, GNTMAP_host_map | (writable ? 0 : GNTMAP_readonly),
                       test_peer(), FIRST_REF + r % NR_REFS, &handle);

    if (rc == GNTST_okay) {
        m->mapped++;
        m->wrong += !use_mapping(m, id, r, writable);
        m->wrong += grant_unmap((uint64_t)m->va, handle) != GNTST_okay;
    }
    return rc;
}

static int copy_once(struct mapper *m, uint64_t r)
{
    struct gnttab_copy op = { .len = 256, .flags = GNTCOPY_source_gref };
    long rc;

    op.source.u.ref = FIRST_REF + r % NR_REFS, op.source.domid = test_peer();
    op.dest.u.gmfn = v2mfn(m->buf), op.dest.domid = DOMID_SELF;
    rc = xen_grant_table_op(GNTTABOP_copy, &op, 1) ?: op.status;
    if (rc == GNTST_okay) {
        m->copied++;
        m->wrong += !is_a_page(*(volatile uint64_t *)m->buf);
    }
    return rc;
}

static void map_step(unsigned id)
{
    struct mapper *m = &mappers[id];
    uint64_t r = smp_random(&m->state);
    int rc = (r >> 50) % 4 == 0 ? map_once(m, id, r) : copy_once(m, r);

    m->refused += rc != GNTST_okay;
    if (rc == GNTST_bad_domain)
        m->gone = true;
}

static void map_on(struct worker *w)
{
    while (!smp_stop)
        map_step(w->id);
}

/* Until the first mapping or copy: the granter may start later. */
static void wait_for_granter(void)
{
    uint64_t end = clock_ns() + WAIT_NS;

    while (mappers[0].mapped + mappers[0].copied == 0 && clock_ns() < end)
        map_step(0);
    ASSERT(mappers[0].mapped + mappers[0].copied != 0);
    mappers[0].gone = false;
}

static void maps_until_the_granter_is_gone(void)
{
    unsigned nr = smp_begin();
    uint64_t end, mapped = 0, copied = 0, refused = 0;

    for (unsigned i = 0; i <= nr; i++)
        mappers[i] = (struct mapper){ .va = va_alloc(1), .buf = p2v(frame_alloc()),
                                      .state = 0xbf58476d1ce4e5b9 * (i + 1) };
    wait_for_granter();
    ASSERT(workers_start(map_on, NULL));
    for (end = clock_ns() + WAIT_NS; !mappers[0].gone && clock_ns() < end;)
        map_step(0);
    EXPECT(mappers[0].gone);
    for (end = clock_ns() + AFTER_NS; clock_ns() < end;)
        map_step(0);
    smp_stop = true;
    ASSERT(workers_join());
    for (unsigned i = 0; i <= nr; i++) {
        EXPECT_EQ(mappers[i].wrong, 0);
        mapped += mappers[i].mapped, copied += mappers[i].copied, refused += mappers[i].refused;
    }
    test_diag("%lu mapped, %lu copied, %lu refused", mapped, copied, refused);
    EXPECT(mapped > NR_REFS / 4);
    EXPECT(copied > NR_REFS / 4);
    EXPECT(refused > 0);
}

SUITE(smpmapper, 59, SUITE_NAMED_ONLY | SUITE_NEEDS_PEER, TEST(maps_until_the_granter_is_gone));
