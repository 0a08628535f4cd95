/* Suite "smp", memory that changes under a hypercall: while vCPU 0 makes calls, the others flip
 * words of the arguments between values of which some are refused. Each call must do what one
 * reading of its arguments says: what is refused by itself must not come about by a second reading.
 * FIFO event words are in smp_fifo.c. */
#include "area.h"
#include "event.h"
#include "gnttab.h"
#include "hypercall.h"
#include "mm.h"
#include "smp.h"
#include "suite.h"
#include "worker.h"

#define NR_FLIPS 4u
#define ROUNDS 1000000u /* the test's time is over before that */

#define NO_NUMBER 0x10000u              /* of a hypercall, nor of an operation */
#define ENOUGH 1000u                    /* rounds after which both results must have come */

/* Words, each with the two values that it may have. */
static struct {
    volatile uint64_t *word;
    uint64_t val[2];
} flips[NR_FLIPS];
static unsigned nr_flips;

static void flip(struct worker *w)
{
    uint64_t state = 0x9e3779b97f4a7c15 * w->id;

    while (!smp_stop) {
        uint64_t r = smp_random(&state);
        unsigned i = r % nr_flips;

        __atomic_store_n(flips[i].word, flips[i].val[r >> 16 & 1], __ATOMIC_RELAXED);
        w->count++;
    }
}

static void add_flip(void *word, uint64_t a, uint64_t b)
{
    flips[nr_flips].word = word;
    flips[nr_flips].val[0] = *flips[nr_flips].word = a;
    flips[nr_flips++].val[1] = b;
}

static void begin(void)
{
    smp_begin();
    nr_flips = 0;
}

static struct { unsigned ok, refused; } results;

static void start_flipping(void)
{
    results.ok = results.refused = 0;
    ASSERT(workers_start(flip, NULL));
}

static void add_result(unsigned i, long rc)
{
    results.ok += rc == 0;
    results.refused += rc != 0;
    if (i % 64 == 0)
        xen_sched_op(SCHEDOP_yield, NULL);      /* with one CPU they flip now */
}

static void stop_flipping(void)
{
    smp_stop = true;
    ASSERT(workers_join());
    EXPECT(results.ok > 0 || results.refused < ENOUGH);
    EXPECT(results.refused > 0 || results.ok < ENOUGH);
}

/* --- Page tables ------------------------------------------------------------------------------ */

/* Page x.a can be mapped writable, `table` cannot. */
struct victim {
    struct area x;
    pfn_t table;
    uint64_t good, bad;
};

static struct victim victim_new(void)
{
    struct victim v = { .x = area_new(), .table = table_alloc() };

    ASSERT_EQ(mmu_pin(1, v.table), 0);
    v.good = make_pte(pfn_to_mfn(v.x.a), PTE_KERNEL);
    v.bad = make_pte(pfn_to_mfn(v.table), PTE_KERNEL);
    return v;
}

static bool table_is_writable(const struct victim *v)
{
    uint64_t pte = *v->x.slot;

    return (pte & PTE_P) && (pte & PTE_RW) && pte_mfn(pte) == pfn_to_mfn(v->table);
}

/* The table can be freed, and the page be made one: no count is wrong. */
static void victim_free(struct victim *v)
{
    pfn_t a = v->x.a;

    EXPECT_EQ(unmap_page(v->x.va), 0);
    EXPECT_EQ(mmu_unpin(v->table), 0);
    table_free(v->table);
    ASSERT_EQ(frame_set_ro(a), 0);
    EXPECT_EQ(mmu_pin(1, a), 0);
    EXPECT_EQ(mmu_unpin(a), 0);
    EXPECT_EQ(frame_set_rw(a), 0);
    frame_free(a);
    frame_free(v->x.b);
}

/* The address and the value of a request of mmu_update: an entry that is ours, or a word of a page
 * that is no table; a mapping that is allowed, or one that is not. */
static void requests_of_mmu_update(void)
{
    static struct mmu_update req;
    unsigned writable = 0;
    struct victim v;

    begin();
    v = victim_new();
    add_flip(&req.ptr, v.x.maddr | MMU_NORMAL_PT_UPDATE, v2maddr(p2v(v.x.b)));
    add_flip(&req.val, v.good, v.bad);
    start_flipping();
    for (unsigned i = 0; smp_goes_on(i, ROUNDS); i++) {
        add_result(i, xen_mmu_update(&req, 1, NULL, DOMID_SELF));
        writable += table_is_writable(&v);
    }
    stop_flipping();
    EXPECT_EQ(writable, 0);
    victim_free(&v);
}

/* The same entry by update_va_mapping in a multicall, whose number flips, too, and may be one
 * behind the hypervisor's table. */
static void entries_of_a_multicall(void)
{
    static struct multicall_entry call;
    unsigned writable = 0, wrong = 0;
    struct victim v;

    begin();
    v = victim_new();
    call.args[0] = (uint64_t)v.x.va;
    call.args[2] = UVMF_INVLPG;
    add_flip(&call.op, __HYPERVISOR_update_va_mapping, __HYPERVISOR_xen_version);
    add_flip(&call.op, __HYPERVISOR_update_va_mapping, NO_NUMBER);
    add_flip(&call.args[1], v.good, v.bad);
    start_flipping();
    for (unsigned i = 0; smp_goes_on(i, ROUNDS); i++) {
        wrong += xen_multicall(&call, 1) != 0;
        add_result(i, (long)call.result);
        writable += table_is_writable(&v);
    }
    stop_flipping();
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(writable, 0);
    victim_free(&v);
}

/* Pins and unpins, of one table or of another, and an operation that does not exist. */
static void operations_of_mmuext_op(void)
{
    static struct mmuext_op op;
    pfn_t table[2];

    begin();
    for (unsigned i = 0; i < 2; i++)
        table[i] = table_alloc();
    add_flip(&op.cmd, MMUEXT_PIN_L1_TABLE, MMUEXT_UNPIN_TABLE);
    add_flip(&op.cmd, MMUEXT_PIN_L1_TABLE, NO_NUMBER);
    add_flip(&op.arg1.mfn, pfn_to_mfn(table[0]), pfn_to_mfn(table[1]));
    start_flipping();
    for (unsigned i = 0; smp_goes_on(i, ROUNDS); i++)
        add_result(i, xen_mmuext_op(&op, 1, NULL, DOMID_SELF));
    stop_flipping();
    for (unsigned i = 0; i < 2; i++) {
        mmu_unpin(table[i]);                    /* if it is pinned */
        table_free(table[i]);
    }
}

/* --- Grants ----------------------------------------------------------------------------------- */

enum { REF_WRITABLE = 24, REF_READABLE };

/* Which grant is mapped, how and where. The one that is for reading must not get mapped writable,
 * and no use of either is left over. */
static void maps_of_grants(void)
{
    static struct gnttab_map_grant_ref op;
    struct area x[2];
    unsigned writable = 0, left = 0;

    begin();
    ASSERT(gnttab() != NULL);
    x[0] = area_new(), x[1] = area_new();
    grant_offer(REF_WRITABLE, own_domid(), pfn_to_mfn(x[0].b), 0);
    grant_offer(REF_READABLE, own_domid(), pfn_to_mfn(x[1].b), GTF_readonly);
    op.dom = own_domid();
    add_flip(&op.host_addr, (uint64_t)x[0].va, (uint64_t)x[1].va);
    /* The flags, and above them the reference. */
    add_flip(&op.flags, GNTMAP_host_map | (uint64_t)REF_WRITABLE << 32,
             GNTMAP_host_map | (uint64_t)REF_READABLE << 32);
    add_flip(&op.flags, GNTMAP_host_map | GNTMAP_readonly | (uint64_t)REF_READABLE << 32,
             GNTMAP_host_map | GNTMAP_readonly | (uint64_t)REF_WRITABLE << 32);
    start_flipping();
    for (unsigned i = 0; smp_goes_on(i, ROUNDS); i++) {
        op.status = 1;
        add_result(i, xen_grant_table_op(GNTTABOP_map_grant_ref, &op, 1) ?: op.status);
        for (unsigned k = 0; k < 2; k++)
            writable += pte_mfn(*x[k].slot) == pfn_to_mfn(x[1].b) && (*x[k].slot & PTE_RW);
        if (op.status == GNTST_okay)
            left += grant_unmap((uint64_t)x[0].va, op.handle) != GNTST_okay &&
                    grant_unmap((uint64_t)x[1].va, op.handle) != GNTST_okay;
    }
    stop_flipping();
    EXPECT_EQ(writable, 0);
    EXPECT_EQ(left, 0);
    EXPECT(grant_revoke(REF_WRITABLE));
    EXPECT(grant_revoke(REF_READABLE));
    for (unsigned k = 0; k < 2; k++)
        area_free(&x[k]);
}

#define CANARY 0x0123456789abcdeful

/* A page, and behind it in the machine's memory another of ours, which holds canaries. */
static pfn_t pages_in_a_row(pfn_t *behind)
{
    pfn_t first = frames_reserve(2), second = first + 1;

    if (pfn_to_mfn(second) + 1 == pfn_to_mfn(first)) {
        pfn_t low = second;

        second = first, first = low;
    }
    if (pfn_to_mfn(first) + 1 != pfn_to_mfn(second))
        SKIP("no two frames in a row");
    for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
        ((uint64_t *)p2v(second))[i] = CANARY;
    *behind = second;
    return first;
}

/* The offset, the length and the reference of a copy: half a page fits at both offsets, a page at
 * one of them. What is behind the page stays as it is. */
static void copies_of_grants(void)
{
    static struct gnttab_copy op;
    pfn_t source = frame_alloc(), dest, behind;
    unsigned changed = 0;

    begin();
    ASSERT(gnttab() != NULL);
    dest = pages_in_a_row(&behind);
    grant_offer(REF_READABLE, own_domid(), pfn_to_mfn(source), GTF_readonly);
    op.source.domid = own_domid();
    add_flip(&op.source.u, REF_READABLE, REF_READABLE + 1);
    op.dest.u.gmfn = pfn_to_mfn(dest);
    /* The domain, and above it the offset; the length, and above it the flags. */
    add_flip((char *)&op.dest.u + 8, DOMID_SELF, DOMID_SELF | 0x800ul << 16);
    add_flip(&op.len, 0x800 | GNTCOPY_source_gref << 16, 0x1000 | GNTCOPY_source_gref << 16);
    start_flipping();
    for (unsigned i = 0; smp_goes_on(i, ROUNDS); i++) {
        long rc = xen_grant_table_op(GNTTABOP_copy, &op, 1);

        add_result(i, rc ?: op.status);         /* or what another vCPU has stored there */
    }
    stop_flipping();
    for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
        changed += ((volatile uint64_t *)p2v(behind))[i] != CANARY;
    EXPECT_EQ(changed, 0);
    EXPECT(grant_revoke(REF_READABLE));
    frame_free(source);
    frame_free(dest);
    frame_free(behind);
}

SUITE_PART(smp, 57, 4, TEST(requests_of_mmu_update), TEST(entries_of_a_multicall),
           TEST(operations_of_mmuext_op), TEST(maps_of_grants), TEST(copies_of_grants));
