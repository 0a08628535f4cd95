/* Suite "bench" (only by name): the cost of each hypercall as the median of many calls. The rows
 * are the operations that a guest spends most on. There is no upper bound; a row fails when its
 * operation fails. Traps and events are in bench_traps.c. */
#include <stdlib.h>
#include <string.h>
#include "bench.h"
#include "clock.h"
#include "console.h"
#include "event.h"
#include "gnttab.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"
#include "user.h"

static uint64_t ticks[BENCH_SAMPLES], base;     /* base: the cost of an empty call */

static uint64_t ticks_now(void)
{
    __builtin_ia32_lfence();
    return clock_tsc();
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

uint64_t bench_median(uint64_t *samples, unsigned n)
{
    qsort(samples, n, sizeof(*samples), by_value);
    return samples[n / 2];
}

void bench_samples(const char *name, uint64_t *samples, unsigned n, uint64_t nothing)
{
    uint64_t median = bench_median(samples, n);

    test_diag("bench: %s %lu", name, median > nothing ? median - nothing : 0);
}

static uint64_t sample(bench_op op, long expected)
{
    unsigned wrong = 0;
    long rc = 0;

    for (unsigned i = 0; i < BENCH_SAMPLES; i++) {
        uint64_t start = ticks_now();
        long now = op();

        ticks[i] = ticks_now() - start;
        if (now != expected)
            wrong++, rc = now;
    }
    EXPECT_MSG(!wrong, "%u of %u failed: %ld", wrong, BENCH_SAMPLES, rc);
    return bench_median(ticks, BENCH_SAMPLES);
}

static long op_nothing(void)
{
    return 0;
}

void bench(const char *name, bench_op op, long expected, unsigned per)
{
    uint64_t median;

    if (!base)
        base = sample(op_nothing, 0);
    median = sample(op, expected);
    test_diag("bench: %s %lu", name, (median > base ? median - base : 0) / per);
}

/* --- The shortest ----------------------------------------------------------------------------- */

static uint64_t gs_base;

static long op_unserved(void)       { return hypercall_raw(63, 0, 0, 0, 0, 0); }
static long op_version(void)        { return xen_version(XENVER_version, NULL) > 0; }
static long op_yield(void)          { return xen_sched_op(SCHEDOP_yield, NULL); }
static long op_stack_switch(void)
{
    return xen_stack_switch(FLAT_KERNEL_SS, (uint64_t)boot_stack + 4096);
}

static long op_segment_base(void)   { return xen_set_segment_base(SEGBASE_GS_USER, gs_base); }

static void calls(void)
{
    bench("empty hypercall", op_unserved, -XEN_ENOSYS, 1);
    bench("xen_version", op_version, 1, 1);
    bench("yield", op_yield, 0, 1);
    bench("stack_switch", op_stack_switch, 0, 1);
    bench("set_segment_base", op_segment_base, 0, 1);
}

/* --- Page tables ------------------------------------------------------------------------------ */

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

    return xen_mmuext_op(ops, 2, NULL, DOMID_SELF) | op_stack_switch() | op_segment_base() |
           xen_set_segment_base(SEGBASE_FS, gs_base);
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

/* --- tables, timer, grants, console ----------------------------------------------------------- */

#define NR_TRAPS 20                             /* as many as Linux registers */

static struct trap_info traps[NR_TRAPS + 1];
static uint64_t desc_maddr;
static uint64_t window;
static domid_t self;

static long op_trap_table(void)     { return xen_set_trap_table(traps); }
static long op_descriptor(void)
{
    return xen_update_descriptor(desc_maddr, 0x00cff2000000ffff);
}


static long op_singleshot(void)
{
    struct vcpu_set_singleshot_timer op = { .timeout_abs_ns = 3600 * NS_PER_S };

    return xen_vcpu_op(VCPUOP_set_singleshot_timer, 0, &op);
}

static long op_grant(void)
{
    grant_handle_t handle;
    int rc = grant_map(window, GNTMAP_host_map, self, 200, &handle);

    return rc ? rc : grant_unmap(window, handle);
}

/* The cost of printing one byte: by console_io in domain 0, else by the ring. */
static long op_console(void)
{
    volatile struct xencons_interface *ring = console_ring();

    if (!ring)
        return xen_console_io(CONSOLEIO_write, 1, "#");
    ring->out[ring->out_prod % sizeof(ring->out)] = '#';
    __atomic_thread_fence(__ATOMIC_RELEASE);
    ring->out_prod++;
    return event_send(console_port());
}

static void tables(void)
{
    static uint64_t gdt[512] __attribute__((aligned(4096)));
    unsigned long frame = v2mfn(gdt);

    for (unsigned i = 0; i < NR_TRAPS; i++)
        traps[i] = (struct trap_info){
            .vector = i, .flags = 4 | (i == TRAP_BP || i == TRAP_OF ? 3 : 0),
            .cs = FLAT_KERNEL_CS, .address = (unsigned long)trap_stub(i),
        };
    bench("set_trap_table of 20", op_trap_table, 0, 1);
    EXPECT_EQ(trap_table_install(), 0);
    ASSERT_EQ(frame_set_ro(v2p(gdt)), 0);
    ASSERT_EQ(xen_set_gdt(&frame, 16), 0);
    desc_maddr = v2maddr(&gdt[5]);
    bench("update_descriptor", op_descriptor, 0, 1);
    EXPECT_EQ(xen_set_gdt(NULL, 0), 0);
    EXPECT_EQ(frame_set_rw(v2p(gdt)), 0);
}

static void services(void)
{
    pfn_t pfn = frame_alloc();

    bench("one-shot timer", op_singleshot, 0, 1);
    xen_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL);
    if (gnttab()) {
        self = own_domid();
        window = (uint64_t)va_alloc(1);
        grant_offer(200, self, pfn_to_mfn(pfn), 0);
        bench("grant map + unmap", op_grant, 0, 1);
        EXPECT(grant_revoke(200));
    }
    frame_free(pfn);
    console_flush();
    sample(op_console, 0);
    kprintf("\n");                               /* ends the line of single bytes */
    bench_samples("console write of 1 byte", ticks, BENCH_SAMPLES, base);
}

SUITE(bench, 95, SUITE_NAMED_ONLY, TEST(calls), TEST(page_table_writes), TEST(pinning),
      TEST(roots_and_switches), TEST(tables), TEST(services), TEST(bench_traps), TEST(bench_user),
      TEST(bench_emulation));
