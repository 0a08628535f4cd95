/*
 * Suite "fuzz" (only by name): seeded random arguments for every hypercall number, thousands of times. The
 * hypervisor must answer with a result or an errno, and we must still be what we were. fuzz=N calls, seed=N.
 *
 * So that surviving means something, nothing handed out may rightly kill us:
 *   W1: every word we hand out, in a register or in memory, names no frame and no address of ours outside the
 *       scratch frames, which nothing depends on; so whatever is done to what it names is harmless.
 *   W2: the scratch frames stay mapped writable, so that none of them can become a table, let alone a root.
 *   W3: bend() turns the few commands that end or stop a domain, or close what we need, into harmless forms.
 *   W4: what a call may set for the vCPU is set back before anything depends on it; events are off till then.
 */
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"
#include "thread.h"
#include "user.h"
#include <public/vcpu.h>

#define NO_DOMAIN   0x7abc
#define BAD_POINTER 0xffffff0000000000ul
#define NR_SCRATCH  6
#define ARG_PAGES   2                       /* the first of them: what pointers point to */
#define POOL        1024
#define WORDS_PER_PAGE (PAGE_SIZE / 8)

extern const struct suite *const suites_start[];   /* the end of what is never written */
static uint64_t state, pool[POOL];
static pfn_t scratch[NR_SCRATCH], window_pfn;
static mfn_t scratch_mfn[NR_SCRATCH], highest_mfn;
static const volatile uint64_t *const m2p = (const volatile uint64_t *)HOLE_START;
static volatile uint64_t *window;           /* 512 pages of address space, their table W2's exception */
static uint64_t window_table;   /* its machine address; it keeps its type L1, being referenced */
static port_t first_port;                   /* the ports below are ours */
static uint64_t nr_calls, nr_ok, nr_refused, nr_odd;

static uint64_t rnd(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1d;
}

static bool names_ours(uint64_t mfn)
{
    uint64_t pfn;

    for (unsigned i = 0; i < NR_SCRATCH; i++)
        if (mfn == scratch_mfn[i])
            return false;
    if (mfn == start_info->shared_info >> PAGE_SHIFT)
        return true;
    /* Beyond our frames the M2P may have holes. */
    return mfn <= highest_mfn && try_read64(m2p + mfn, &pfn).vector == FAULT_NONE && pfn_to_mfn(pfn) == mfn;
}

static uint64_t arg_pointer(void)
{
    return (uint64_t)p2v(scratch[rnd() % ARG_PAGES]) + rnd() % WORDS_PER_PAGE * 8;
}

static uint64_t bad_pointer(void)
{
    static const uint64_t bad[] = { BAD_POINTER, HOLE_START, 0xffff830000000000, 0xffff82d040200000,
                                    0x8000000000000000,
                                    0x7ffffffffff8, 0, ~7ul, HOLE_END - 8, 0xffff7ffffffffff8 };

    return bad[rnd() % (sizeof(bad) / sizeof(bad[0]))] + (rnd() % 4 ? 0 : rnd() % 512 * 8);
}

static uint64_t window_va(void)
{
    return (uint64_t)window + rnd() % 512 * PAGE_SIZE;
}

/* One word of garbage of the kinds that mean something somewhere; W1. */
static uint64_t word(void)
{
    mfn_t mfn = scratch_mfn[rnd() % NR_SCRATCH];
    uint64_t w;

    switch (rnd() % 14) {
    case 0: case 1: case 2: w = rnd() % 32; break;
    case 3: w = rnd() % 0x10000; break;
    case 4: case 5: return arg_pointer();
    case 6: return mfn;
    case 7: return (mfn << PAGE_SHIFT) + rnd() % WORDS_PER_PAGE * 8 + rnd() % 4;
    case 8: return window_table + rnd() % WORDS_PER_PAGE * 8 + rnd() % 4;
    case 9: return make_pte(mfn, rnd() & (rnd() % 2 ? PTE_KERNEL | PTE_US | PTE_NX_BIT : ~PTE_ADDR_MASK));
    case 10: return bad_pointer();
    case 11: return window_va();
    case 12: w = DOMID_SELF + rnd() % 16; break;
    default: w = rnd() % 2 ? rnd() | 1ul << 50 : 1ul << rnd() % 64; break;
    }
    return names_ours(w) || names_ours(pte_mfn(w)) || (w >= VIRT_BASE && w < -PAGE_SIZE) ? ~0ul : w;
}

static void refill(void)
{
    if (nr_calls % 16 == 0)
        for (unsigned i = 0; i < POOL; i++)
            pool[i] = word();
    for (unsigned i = 0; i < NR_SCRATCH; i++)
        memcpy(p2v(scratch[i]), pool + rnd() % (POOL - WORDS_PER_PAGE), PAGE_SIZE);
}

/* --- W3 --------------------------------------------------------------------------------------- */

/* a[i] points into the argument pages: the words there are mutated; or to other words that have no
 * meaning. */
static uint64_t *behind(uint64_t pointer)
{
    static uint64_t nobody[16];

    for (unsigned i = 0; i < ARG_PAGES; i++)
        if (pointer - (uint64_t)p2v(scratch[i]) < PAGE_SIZE - sizeof(nobody))
            return (uint64_t *)pointer;
    return nobody;
}

/* Into the middle of a page, so that the whole structure can be mutated. */
static uint64_t settled(uint64_t pointer)
{
    return behind(pointer) == (uint64_t *)pointer ? pointer : bad_pointer();
}

static void bend_sched(uint64_t a[5])
{
    uint32_t cmd = a[0];

    a[1] = settled(a[1]);
    if (cmd == SCHEDOP_block)
        xen_set_timer_op(clock_ns() + NS_PER_MS);
    else if (cmd == SCHEDOP_shutdown || cmd == SCHEDOP_shutdown_code)
        a[1] = BAD_POINTER;
    else if (cmd == SCHEDOP_poll)
        behind(a[1])[2] = rnd() % 2 ? 1 : clock_ns() + NS_PER_MS;
    else if (cmd == SCHEDOP_remote_shutdown)
        behind(a[1])[0] = NO_DOMAIN;
    else if (cmd == SCHEDOP_watchdog)
        behind(a[1])[0] &= 0xffffffff;              /* no timeout: it may only be turned off */
    else if (cmd == SCHEDOP_pin_override)
        behind(a[1])[0] |= 0x80000000;
}

static void bend_sched_compat(uint64_t a[5])
{
    if ((uint32_t)a[0] == SCHEDOP_shutdown)
        a[0] = SCHEDOP_yield;
    else if ((uint32_t)a[0] == SCHEDOP_block)
        xen_set_timer_op(clock_ns() + NS_PER_MS);
}

static void bend_vcpu(uint64_t a[5])
{
    uint32_t cmd = a[0];

    a[2] = settled(a[2]);
    if (cmd == VCPUOP_up || cmd == VCPUOP_down || cmd == VCPUOP_send_nmi)
        a[1] = 0x10000;
    else if (cmd == VCPUOP_register_vcpu_info)
        behind(a[2])[0] = ~0ul;
}

static void bend_event(uint64_t a[5])
{
    uint32_t cmd = a[0];
    uint64_t *arg;

    a[1] = settled(a[1]);
    arg = behind(a[1]);
    if (cmd == EVTCHNOP_close && (uint32_t)arg[0] < first_port)
        arg[0] = first_port + rnd() % 8;
    else if (cmd == EVTCHNOP_init_control)
        arg[0] = ~0ul;
    else if (cmd == EVTCHNOP_reset || cmd == 14)    /* 14: its continuation, for those who have it */
        arg[0] = NO_DOMAIN;
}

static void bend_memory(uint64_t a[5])
{
    a[1] = settled(a[1]);
    if (rnd() % 8) {
        behind(a[1])[1] &= 7;                       /* the extents, also of an exchange's two halves */
        behind(a[1])[6] &= 7;
    }
    if ((uint32_t)a[0] == XENMEM_increase_reservation || (uint32_t)a[0] == XENMEM_populate_physmap)
        behind(a[1])[1] &= 7;
}

static void bend_console(uint64_t a[5])
{
    if ((uint32_t)a[0] == CONSOLEIO_write)
        a[2] = BAD_POINTER;                         /* the console is for the results */
}

static void bend_va(uint64_t a[5])
{
    if (rnd() % 4 || behind(a[0]) == (uint64_t *)a[0] || (a[0] >= VIRT_BASE && a[0] < -PAGE_SIZE))
        a[0] = window_va();
    else
        a[0] = bad_pointer();
}

/* mmu_update and mmuext_op: short lists for the own domain, because others are refused at once. */
static void bend_list(uint64_t a[5])
{
    if (rnd() % 4) {
        a[0] = arg_pointer();
        a[1] = 1 + rnd() % 4;
        a[2] = rnd() % 2 ? 0 : arg_pointer();
        a[3] = DOMID_SELF;
    }
}

static void bend_first_pointer(uint64_t a[5])
{
    a[0] = bad_pointer();
}

enum { NOT_DOM0 = 1, NOT_IN_BATCH = 2, SPECIAL = 4 };
static const struct rule {
    unsigned flags;
    void (*bend)(uint64_t a[5]);
} rules[64] = {
    [__HYPERVISOR_set_trap_table] = { NOT_IN_BATCH, NULL },
    [__HYPERVISOR_mmu_update] = { 0, bend_list },
    [__HYPERVISOR_set_callbacks] = { NOT_IN_BATCH, NULL },
    [__HYPERVISOR_fpu_taskswitch] = { NOT_IN_BATCH, NULL },
    [__HYPERVISOR_sched_op_compat] = { NOT_IN_BATCH, bend_sched_compat },
    [__HYPERVISOR_platform_op] = { NOT_DOM0, NULL },
    [__HYPERVISOR_set_debugreg] = { NOT_IN_BATCH, NULL },
    [__HYPERVISOR_memory_op] = { 0, bend_memory },
    [__HYPERVISOR_multicall] = { SPECIAL, NULL },
    [__HYPERVISOR_update_va_mapping] = { 0, bend_va },
    [__HYPERVISOR_event_channel_op_compat] = { 0, bend_first_pointer },
    [__HYPERVISOR_console_io] = { 0, bend_console },
    [__HYPERVISOR_physdev_op_compat] = { NOT_DOM0, NULL },
    [__HYPERVISOR_update_va_mapping_otherdomain] = { 0, bend_va },
    [__HYPERVISOR_iret] = { SPECIAL, NULL },
    [__HYPERVISOR_vcpu_op] = { 0, bend_vcpu },
    [__HYPERVISOR_mmuext_op] = { 0, bend_list },
    [__HYPERVISOR_xsm_op] = { NOT_DOM0, NULL },
    [__HYPERVISOR_nmi_op] = { NOT_IN_BATCH, NULL },
    [__HYPERVISOR_sched_op] = { NOT_IN_BATCH, bend_sched },
    [__HYPERVISOR_callback_op] = { NOT_IN_BATCH, NULL },
    [__HYPERVISOR_xenoprof_op] = { NOT_DOM0, NULL },
    [__HYPERVISOR_event_channel_op] = { 0, bend_event },
    [__HYPERVISOR_physdev_op] = { NOT_DOM0, NULL },
    [__HYPERVISOR_hvm_op] = { NOT_DOM0, NULL },
    [__HYPERVISOR_sysctl] = { NOT_DOM0, NULL },
    [__HYPERVISOR_domctl] = { NOT_DOM0, NULL },
    [__HYPERVISOR_kexec_op] = { NOT_DOM0, NULL },
    [__HYPERVISOR_arch_0] = { NOT_DOM0, NULL },     /* machine checks */
};

/* --- W4 --------------------------------------------------------------------------------------- */

static bool ignore(struct regs *r)
{
    r->rflags &= ~0x100ul;
    return true;
}

static void set_back(void)
{
    struct physdev_set_iopl iopl = { .iopl = 0 };
    struct physdev_set_iobitmap iobitmap = { .nr_ports = 0 };

    xen_fpu_taskswitch(0);
    xen_set_debugreg(7, 0x400);
    trap_table_install();
    trap_callbacks_install();
    xen_nmi_op(XENNMI_unregister_callback, NULL);
    xen_stack_switch(FLAT_KERNEL_SS, (uint64_t)__builtin_frame_address(0) - PAGE_SIZE);
    xen_set_gdt(NULL, 0);
    mmuext(MMUEXT_SET_LDT, 0, 0);
    set_user_root(user_root());
    for (unsigned i = SEGBASE_FS; i <= SEGBASE_GS_KERNEL; i++)
        xen_set_segment_base(i, 0);
    xen_physdev_op(PHYSDEVOP_set_iopl, &iopl);
    xen_physdev_op(PHYSDEVOP_set_iobitmap, &iobitmap);
    xen_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    for (unsigned type = 0; type < 64; type++)
        xen_vm_assist(VMASST_CMD_disable, type);
}

/* --- the calls -------------------------------------------------------------------------------- */

/* iret to the current address, with random values where that does not end the domain. */
static void fuzz_iret(void)
{
    uint64_t flags = word(), rflags = rnd() & 0x3fffff, junk = rnd(), cs = FLAT_KERNEL_CS & ~3ul;

    __asm__ volatile("movq %%rsp, %%rbx\n\tpushq %[ss]\n\tpushq %%rbx\n\tpushq %[rflags]\n\t"
                     "pushq %[cs]\n\tleaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tpushq %[flags]\n\t"
                     "pushq %[junk]\n\tpushq %[junk]\n\tpushq %[junk]\n\tmovl %[nr], %%eax\n\t"
                     "syscall\n\tud2\n1:\tpushq $2\n\tpopfq"
                     : : [ss] "r"((uint64_t)FLAT_KERNEL_SS - rnd() % 4), [rflags] "r"(rflags), [cs] "r"(cs),
                         [flags] "r"(flags), [junk] "r"(junk), [nr] "i"(__HYPERVISOR_iret)
                     : "rax", "rbx", "rcx", "r11", "memory", "cc");
}

/* Picks a number and its arguments; false if the number is not for now. */
static bool pick(uint64_t *nr, uint64_t a[5], bool batch)
{
    const struct rule *r;

    *nr = rnd() % 16 ? rnd() % 64 : word();
    for (unsigned i = 0; i < 5; i++)
        a[i] = word();
    if (rnd() % 2) {                                /* as most calls are: a command and a structure */
        a[0] = rnd() % 32;
        a[1] = rnd() % 2 ? arg_pointer() : rnd() % 4;
        a[2] = rnd() % 2 ? arg_pointer() : rnd() % 4;
    }
    if ((uint32_t)*nr >= 64)
        return true;
    r = &rules[(uint32_t)*nr];
    if ((r->flags & SPECIAL) || ((r->flags & NOT_DOM0) && is_dom0()) || ((r->flags & NOT_IN_BATCH) && batch))
        return false;
    if (r->bend)
        r->bend(a);
    return true;
}

static void judge(uint64_t nr, const uint64_t a[5], long rc)
{
    nr_calls++;
    nr_ok += rc >= 0;
    nr_refused += rc < 0;
    if (rc >= 0 || rc >= -4095 || nr == __HYPERVISOR_get_debugreg)
        return;
    if (nr_odd++ < 10)
        test_fail(__FILE__, __LINE__,
                  "hypercall %#lx(%#lx, %#lx, %#lx, %#lx, %#lx): %#lx is no result", nr, a[0],
                  a[1], a[2], a[3], a[4], (uint64_t)rc);
}

/* Members are mutated as single calls are; one may be a multicall itself, which is refused. */
static void fuzz_multicall(void)
{
    /* outside W1's scratch frames: no member can change another */
    static struct multicall_entry calls[8];
    unsigned n = 0;
    long rc;

    while (n < 8) {
        uint64_t nr, a[5];

        if (!pick(&nr, a, true))
            continue;
        calls[n] = (struct multicall_entry){ .op = nr, .args = { a[0], a[1], a[2], a[3], a[4] } };
        n++;
    }
    if (rnd() % 4 == 0)
        calls[rnd() % 8] = (struct multicall_entry){ .op = __HYPERVISOR_multicall,
                                                     .args = { bad_pointer(), 1 } };
    rc = xen_multicall(calls, n);
    EXPECT_EQ(rc, 0);
    for (unsigned i = 0; i < n && !rc; i++)
        judge(calls[i].op, calls[i].args, calls[i].result);
    xen_multicall((void *)bad_pointer(), rnd() % 16);
}

static void fuzz_one(void)
{
    uint64_t nr, a[5];

    refill();
    events_off();
    if (rnd() % 16 == 0) {
        fuzz_multicall();
    } else if (rnd() % 16 == 0) {
        fuzz_iret();
        events_off();                               /* as it says in the frame */
        nr_calls++;
    } else if (pick(&nr, a, false)) {
        uint64_t given[5];

        memcpy(given, a, sizeof(given));
        judge(nr, given, hypercall_raw(nr, a[0], a[1], a[2], a[3], a[4]));
    }
    events_off();
    set_back();
}

static uint64_t number(const char *key, uint64_t otherwise)
{
    char buf[24];

    return cmdline_get(key, buf, sizeof(buf)) ? strtoull(buf, NULL, 0) : otherwise;
}

static void begin(void)
{
    char *va = va_alloc(1024);
    int port = event_bind_ipi(NULL, NULL);

    for (unsigned i = 0; i < NR_SCRATCH; i++) {
        scratch[i] = frame_alloc();
        scratch_mfn[i] = pfn_to_mfn(scratch[i]);
    }
    window = (volatile uint64_t *)(((uint64_t)va + 511 * PAGE_SIZE) & -(512 * PAGE_SIZE));
    window_table = pte_maddr(window, 1);
    ASSERT(window_table != 0);
    window_pfn = mfn_to_pfn(window_table >> PAGE_SHIFT);
    ASSERT(port > 0);
    first_port = port + 1;
    for (pfn_t pfn = 0; pfn < mem_pages(); pfn++)
        if (pfn_to_mfn(pfn) != INVALID_MFN && pfn_to_mfn(pfn) > highest_mfn)
            highest_mfn = pfn_to_mfn(pfn);
    state = number("seed", 1) * 0x9e3779b97f4a7c15 | 1;
    trap_set_handler(TRAP_DB, ignore);
    trap_set_handler(TRAP_NM, ignore);
}

static void end(void)
{
    trap_set_handler(TRAP_DB, NULL);
    trap_set_handler(TRAP_NM, NULL);
    xen_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &(uint64_t){ 0 });
    for (unsigned i = 0; i < 512; i++)
        EXPECT_EQ(mmu_set(window_table + i * 8, 0), 0);
    flush_local();
    /* Restores the M2P entry of the table's frame, which MMU_MACHPHYS_UPDATE may have changed as
     * those of the scratch frames. */
    EXPECT_EQ(mmu_set_cmd(window_table & -PAGE_SIZE, window_pfn, MMU_MACHPHYS_UPDATE), 0);
    clock_hook(NULL);                               /* rearms the timer */
    events_on();
}

/* --- what must not have changed --------------------------------------------------------------- */

static uint64_t sum_of_image(void)
{
    const uint64_t *p = (const uint64_t *)image_start, *stop = (const uint64_t *)suites_start;
    uint64_t sum = 0;

    while (p < stop)
        sum = (sum << 1 | sum >> 63) ^ *p++;
    return sum;
}

static bool is_scratch(pfn_t pfn)
{
    for (unsigned i = 0; i < NR_SCRATCH; i++)
        if (scratch[i] == pfn)
            return true;
    return false;
}

static unsigned frames_astray(void)
{
    unsigned n = 0;

    for (pfn_t pfn = 0; pfn < mem_pages(); pfn++) {
        if (is_scratch(pfn) || p2v(pfn) == (void *)&shared_info_page)
            continue;
        n += mfn_to_pfn(pfn_to_mfn(pfn)) != pfn || pte_mfn(pte_read(p2v(pfn), 1)) != pfn_to_mfn(pfn);
    }
    return n;
}

static USER_CODE uint64_t user_sum(uint64_t a, uint64_t b, uint64_t c)
{
    return a + b + c;
}

static void fuzz(void)
{
    uint64_t n = number("fuzz", 5000), sum = sum_of_image(), before = clock_irqs;

    begin();
    while (nr_calls < n)
        fuzz_one();
    end();
    test_diag("%lu calls with seed %lu: %lu results, %lu refusals", nr_calls, number("seed", 1), nr_ok,
              nr_refused);
    EXPECT(nr_ok > 0);
    EXPECT(nr_refused > nr_calls / 4);
    EXPECT_EQ(sum_of_image(), sum);
    EXPECT_EQ(frames_astray(), 0);
    EXPECT_EQ(user_run(user_sum, 1, 2, 3).code, 6);
    EXPECT_FAULT(try_read64((void *)BAD_POINTER, NULL), TRAP_PF, 0);
    thread_sleep(2 * NS_PER_MS);
    EXPECT(clock_irqs > before);
}

SUITE(fuzz, 97, SUITE_NAMED_ONLY, TEST(fuzz));
