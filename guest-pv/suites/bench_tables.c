/* The second file of suite "bench": page-table entries, pins, roots, and a switch of processes. */
#include "bench.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"
#include "user.h"

#define NR_BATCH 128
#define NR_MULTI 32

static volatile char *area;                     /* NR_BATCH pages of address space */
static uint64_t entry_maddr, entry[2];          /* two frames that an entry can map */
static unsigned turn;
static struct mmu_update batch[2][NR_BATCH];
static struct multicall_entry multi[NR_MULTI];

static long op_mmu_update(void)
{
    struct mmu_update req = { .ptr = entry_maddr, .val = entry[++turn & 1] };

    return xen_mmu_update(&req, 1, NULL, DOMID_SELF);
}

static long op_mmu_batch(void)
{
    return xen_mmu_update(batch[++turn & 1], NR_BATCH, NULL, DOMID_SELF);
}

static long op_va(void)
{
    return xen_update_va_mapping((uint64_t)area, entry[++turn & 1], 0);
}

static long op_va_invlpg(void)
{
    return xen_update_va_mapping((uint64_t)area, entry[++turn & 1], UVMF_INVLPG | UVMF_LOCAL);
}

static long op_multi(void)
{
    turn++;
    for (unsigned i = 0; i < NR_MULTI; i++)
        multi[i].args[1] = entry[turn & 1];
    return xen_multicall(multi, NR_MULTI);
}

/* Measures the five ways to write an entry, which alternates between entry[0] and entry[1]. */
static void five_ways(const char *const *names)
{
    entry_maddr = pte_maddr(area, 1);
    for (unsigned i = 0; i < NR_BATCH; i++)
        for (unsigned j = 0; j < 2; j++)
            batch[j][i] = (struct mmu_update){
                .ptr = pte_maddr(area + i * PAGE_SIZE, 1), .val = entry[j],
            };
    for (unsigned i = 0; i < NR_MULTI; i++)
        multi[i] = (struct multicall_entry){ .op = __HYPERVISOR_update_va_mapping,
                                             .args = { (uint64_t)(area + i * PAGE_SIZE), 0, 0 } };
    bench(names[0], op_mmu_update, 0, 1);
    bench(names[1], op_mmu_batch, 0, NR_BATCH);
    bench(names[2], op_va, 0, 1);
    bench(names[3], op_va_invlpg, 0, 1);
    bench(names[4], op_multi, 0, NR_MULTI);
    for (unsigned i = 0; i < NR_MULTI; i++)
        EXPECT_EQ(multi[i].result, 0);
}

/* Maps another frame, then makes the entry present and not present in turn: both are common. */
static void page_table_writes(void)
{
    static const char *const remap[] = {
        "mmu_update of one", "mmu_update of 128, each",
        "update_va_mapping", "update_va_mapping with INVLPG",
        "update_va_mapping in a multicall of 32, each",
    };
    static const char *const clear[] = {
        "mmu_update of one, set or clear", "mmu_update of 128, each, set or clear",
        "update_va_mapping, set or clear", "update_va_mapping with INVLPG, set or clear",
        "update_va_mapping in a multicall of 32, each, set or clear",
    };
    pfn_t a = frame_alloc(), b = frame_alloc();

    area = va_alloc(NR_BATCH);
    entry[0] = make_pte(pfn_to_mfn(a), PTE_KERNEL);
    entry[1] = make_pte(pfn_to_mfn(b), PTE_KERNEL);
    five_ways(remap);
    entry[0] = 0;
    five_ways(clear);
    for (unsigned i = 0; i < NR_BATCH; i++)
        EXPECT_EQ(unmap_page(area + i * PAGE_SIZE), 0);
    frame_free(a);
    frame_free(b);
}

static pfn_t pinned;

static long op_pin_unpin(void)
{
    return mmu_pin(1, pinned) | mmu_unpin(pinned);
}

static void pinning(void)
{
    pfn_t target = frame_alloc();
    uint64_t *l1;

    pinned = table_alloc();
    bench("pin + unpin an L1, empty", op_pin_unpin, 0, 1);
    ASSERT_EQ(frame_set_rw(pinned), 0);
    l1 = p2v(pinned);
    for (unsigned i = 0; i < 512; i++)
        l1[i] = make_pte(pfn_to_mfn(target), PTE_KERNEL);
    ASSERT_EQ(frame_set_ro(pinned), 0);
    bench("pin + unpin an L1, full", op_pin_unpin, 0, 1);
    table_free(pinned);
    frame_free(target);
}

static pfn_t roots[2], user_roots[2];

static long op_new_root(void)
{
    return mmuext(MMUEXT_NEW_BASEPTR, pfn_to_mfn(roots[++turn & 1]), 0);
}

/* The calls of Linux for a switch of processes: both roots in one call, the stack, two bases. */
static long op_process_switch(void)
{
    unsigned to = ++turn & 1;
    struct mmuext_op ops[2] = {
        { .cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = pfn_to_mfn(roots[to]) },
        { .cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = pfn_to_mfn(user_roots[to]) },
    };

    return xen_mmuext_op(ops, 2, NULL, DOMID_SELF) |
           xen_stack_switch(FLAT_KERNEL_SS, (uint64_t)boot_stack + 4096) |
           xen_set_segment_base(SEGBASE_GS_USER, 0) | xen_set_segment_base(SEGBASE_FS, 0);
}

static void roots_and_switches(void)
{
    const volatile uint64_t *from = p2v(user_root());
    uint64_t *to;

    roots[0] = kernel_root(), roots[1] = root_clone();
    user_roots[0] = user_root(), user_roots[1] = frame_alloc();
    to = p2v(user_roots[1]);
    for (unsigned i = 0; i < 256; i++)
        to[i] = from[i];
    ASSERT_EQ(frame_set_ro(user_roots[1]), 0);
    ASSERT_EQ(mmu_pin(4, user_roots[1]), 0);
    bench("new_baseptr", op_new_root, 0, 1);
    bench("process switch as Linux does it", op_process_switch, 0, 1);
    EXPECT_EQ(mmuext(MMUEXT_NEW_BASEPTR, pfn_to_mfn(roots[0]), 0), 0);
    EXPECT_EQ(set_user_root(user_roots[0]), 0);
    for (unsigned i = 0; i < 2; i++) {
        pfn_t root = i ? roots[1] : user_roots[1];

        EXPECT_EQ(mmu_unpin(root), 0);
        table_free(root);
    }
}

SUITE_PART(bench, 95, 1, TEST(page_table_writes), TEST(pinning), TEST(roots_and_switches));
