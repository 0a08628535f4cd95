/* The third file of suite "bench": trap tables, descriptors, timers, grants and the console. */
#include "bench.h"
#include "clock.h"
#include "console.h"
#include "event.h"
#include "gnttab.h"
#include "hypercall.h"
#include "mm.h"
#include "suite.h"

#define NR_TRAPS 20                             /* as many as Linux registers */

static struct trap_info traps[NR_TRAPS + 1];
static uint64_t desc_maddr;
static uint64_t window;
static domid_t self;

static long op_trap_table(void)
{
    return xen_set_trap_table(traps);
}

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
    uint64_t cost;

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
    cost = bench_cost(op_console, 0);
    kprintf("\n");                              /* ends the line of single bytes */
    bench_print("console write of 1 byte", cost);
}

SUITE_PART(bench, 95, 2, TEST(tables), TEST(services));
