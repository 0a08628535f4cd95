/* Suite "boot": the initial state that the domain builder makes: registers, start_info, p2m and
 * M2P, the boot mapping and the types of its frames, the shared page, and the answers of
 * xen_version and memory_op about it. Changes of page tables are in pagetables.c, the other answers
 * in version.c and memory_queries.c. */
#include <stdlib.h>
#include <string.h>
#include <public/features.h>
#include "clock.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"
#include "thread.h"
#include "user.h"

static void entry_registers(void)
{
    const struct boot_regs *b = &boot_regs;

    EXPECT_EQ(b->rsi, (uint64_t)start_info);
    EXPECT_EQ(b->rsp % PAGE_SIZE, 0);
    EXPECT_EQ(b->rsp, start_info->pt_base + (start_info->nr_pt_frames + 1) * PAGE_SIZE);
    EXPECT_EQ(b->rflags, 0x202);
    EXPECT_EQ(b->cs, FLAT_KERNEL_CS);
    EXPECT_EQ(b->ss, FLAT_KERNEL_SS);
    EXPECT_EQ(b->ds | b->es | b->fs | b->gs, 0);
    EXPECT_EQ(b->rax | b->rbx | b->rcx | b->rdx | b->rdi | b->rbp, 0);
    EXPECT_EQ(b->r8 | b->r9 | b->r10 | b->r11 | b->r12 | b->r13 | b->r14 | b->r15, 0);
}

static void start_info_fields(void)
{
    const start_info_t *si = start_info;

    EXPECT(!strncmp(si->magic, "xen-3.0-x86_64", 14));    /* domain 0 has a p behind it */
    EXPECT(si->nr_pages >= 4096);
    EXPECT_EQ(si->shared_info % PAGE_SIZE, 0);
    EXPECT(si->shared_info != 0);
    EXPECT_EQ((uint64_t)si % PAGE_SIZE, 0);
    EXPECT_EQ(si->pt_base % PAGE_SIZE, 0);
    EXPECT(si->nr_pt_frames >= 4);
    EXPECT_EQ(si->mfn_list % PAGE_SIZE, 0);
    EXPECT(memchr(si->cmd_line, 0, sizeof(si->cmd_line)) != NULL);
    EXPECT_EQ(!!(si->flags & SIF_PRIVILEGED), !!(si->flags & SIF_INITDOMAIN));
    EXPECT_EQ(si->flags & SIF_MOD_START_PFN, 0);        /* no note of this kernel asks for it */
}

static void console_and_store(void)
{
    if (is_dom0())
        SKIP("domain 0 has neither ring");
    EXPECT(mfn_to_pfn(start_info->console.domU.mfn) != INVALID_MFN);
    EXPECT(start_info->console.domU.evtchn != 0);
    if (start_info->store_mfn)
        EXPECT(mfn_to_pfn(start_info->store_mfn) != INVALID_MFN);
    if (start_info->store_evtchn)
        EXPECT(start_info->store_evtchn != start_info->console.domU.evtchn);
}

/* The parts of the boot region lie one after the other, in the order that public/xen.h gives. */
static void layout_order(void)
{
    const start_info_t *si = start_info;

    EXPECT(si->mfn_list >= (uint64_t)image_end);
    EXPECT((uint64_t)si >= si->mfn_list + si->nr_pages * sizeof(mfn_t));
    EXPECT(si->pt_base > (uint64_t)si);
    EXPECT(v2p((void *)(boot_regs.rsp - 1)) < si->nr_pages);
    if (!is_dom0())
        EXPECT(p2v(mfn_to_pfn(si->console.domU.mfn)) > (void *)si);
}

static void p2m_and_m2p_agree(void)
{
    for (pfn_t pfn = 0; pfn < mem_pages(); pfn++) {
        mfn_t mfn = pfn_to_mfn(pfn);

        ASSERT_MSG(mfn_to_pfn(mfn) == pfn, "pfn %#lx is mfn %#lx is pfn %#lx", pfn, mfn,
                   mfn_to_pfn(mfn));
    }
}

static bool is_boot_table(pfn_t pfn)
{
    pfn_t first = v2p((void *)start_info->pt_base);

    return pfn >= first && pfn < first + start_info->nr_pt_frames;
}

/* The builder's page tables are mapped read-only, all other pages read-write and executable; tables
 * made later are not checked. */
static void boot_mapping(void)
{
    pfn_t end = v2p((void *)(boot_regs.rsp - 1)) + 1;

    for (pfn_t pfn = 0; pfn < end; pfn++) {
        uint64_t pte = pte_read(p2v(pfn), 1);

        if (p2v(pfn) == (void *)&shared_info_page) {
            ASSERT_EQ(pte & PTE_ADDR_MASK, start_info->shared_info);
            continue;
        }
        ASSERT_MSG(pte_mfn(pte) == pfn_to_mfn(pfn), "pfn %#lx: pte %#lx, p2m %#lx", pfn, pte,
                   pfn_to_mfn(pfn));
        ASSERT_MSG(!!(pte & PTE_RW) == !is_boot_table(pfn), "pfn %#lx: pte %#lx", pfn, pte);
        ASSERT_MSG((pte & (PTE_P | PTE_NX_BIT)) == PTE_P, "pfn %#lx: pte %#lx", pfn, pte);
    }
}

/* public/xen.h: at least 512 KiB are mapped behind the stack, up to a multiple of 4 MiB. */
static void padding_is_mapped(void)
{
    uint64_t end = (boot_regs.rsp + 0x80000 + 0x3fffff) & ~0x3ffffful;

    for (uint64_t va = boot_regs.rsp; va < end; va += PAGE_SIZE)
        ASSERT_MSG(pte_read((void *)va, 1) & PTE_P, "%#lx is not mapped", va);
}

static void boot_root_is_l4(void)
{
    uint64_t cr3;

    __asm__ volatile("movq %%cr3, %0" : "=r"(cr3));
    EXPECT_EQ(pte_mfn(cr3), v2mfn((void *)start_info->pt_base));
    EXPECT_EQ(kernel_root(), v2p((void *)start_info->pt_base));
}

/* The frames of page tables have their types, so none can be mapped writable. Others are
 * ordinary. */
static void boot_types(void)
{
    pfn_t first = v2p((void *)start_info->pt_base);

    for (pfn_t pfn = first; pfn < first + start_info->nr_pt_frames; pfn++)
        ASSERT_MSG(frame_set_rw(pfn) < 0, "table pfn %#lx became writable", pfn);
    EXPECT_EQ(mmu_pin(4, first), -XEN_EINVAL);          /* it is pinned already */
    EXPECT_EQ(frame_set_rw(v2p(start_info)), 0);
    EXPECT_EQ(frame_set_rw(0), 0);
    EXPECT_FAULT(try_write64(p2v(first), 0), TRAP_PF, PF_PRESENT | PF_WRITE);
}

static void shared_page(void)
{
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        EXPECT_EQ(boot_upcall_mask[i], 1);
    EXPECT_EQ(shared_info->vcpu_info[0].time.version & 1, 0);
    EXPECT(shared_info->vcpu_info[0].time.tsc_to_system_mul != 0);
    /* The frame is the domain's, but no pfn is given for it. */
    EXPECT_EQ(mfn_to_pfn(start_info->shared_info >> PAGE_SHIFT), INVALID_MFN);
}

static uint32_t features(unsigned submap)
{
    struct xen_feature_info info = { .submap_idx = submap };

    return xen_version(XENVER_get_features, &info) == 0 ? info.submap : 0;
}

static void feature_bits(void)
{
    uint32_t map = features(0);
    struct xen_feature_info none = { .submap_idx = XENFEAT_NR_SUBMAPS };

    EXPECT(map & 1u << XENFEAT_mmu_pt_update_preserve_ad);
    EXPECT(map & 1u << XENFEAT_gnttab_map_avail_bits);
    EXPECT_EQ(map & 1u << XENFEAT_writable_page_tables, 0);
    EXPECT_EQ(map & 1u << XENFEAT_auto_translated_physmap, 0);
    EXPECT_EQ(!!(map & 1u << XENFEAT_dom0), is_dom0());
    EXPECT_EQ(xen_version(XENVER_get_features, &none), -XEN_EINVAL);
}

static void version_strings(void)
{
    xen_extraversion_t extra = { 0 };
    xen_capabilities_info_t caps = { 0 };
    xen_platform_parameters_t params = { 0 };
    long v = xen_version(XENVER_version, NULL);

    EXPECT(v >> 16 >= 4);
    EXPECT_EQ(xen_version(XENVER_extraversion, &extra), 0);
    EXPECT(memchr(extra, 0, sizeof(extra)) != NULL);
    EXPECT_EQ(xen_version(XENVER_capabilities, &caps), 0);
    EXPECT(strstr(caps, "xen-3.0-x86_64") != NULL);
    EXPECT_EQ(xen_version(XENVER_platform_parameters, &params), 0);
    EXPECT_EQ(params.virt_start, HOLE_START);
    EXPECT_EQ(xen_version(XENVER_pagesize, NULL), PAGE_SIZE);
    EXPECT_EQ(xen_version(99, NULL), -XEN_ENOSYS);
    EXPECT_EQ(xen_version(XENVER_extraversion, (void *)0x10), -XEN_EFAULT);
}

/* The hypercall page that a note asked for does what the SYSCALL instruction does, and keeps rcx
 * and r11. */
static void hypercall_page_works(void)
{
    long a, b;
    uint64_t rcx = 0x1111, r11;

    a = hypercall_raw(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0, 0);
    EXPECT_EQ(a, xen_version(XENVER_version, NULL));
    __asm__ volatile("movq $0x2222, %%r11\n\tcall hypercall_page + %c[slot]\n\tmovq %%r11, %[r11]"
                     : "=a"(b), "+c"(rcx), [r11] "=r"(r11)
                     : [slot] "i"(__HYPERVISOR_xen_version * 32), "D"(XENVER_version), "S"(0)
                     : "r11", "rdx", "r8", "r9", "r10", "memory");
    EXPECT_EQ(a, b);
    EXPECT_EQ(rcx, 0x1111);
    EXPECT_EQ(r11, 0x2222);
    EXPECT_EQ(hypercall_raw(63, 0, 0, 0, 0, 0), -XEN_ENOSYS);
    EXPECT_EQ(hypercall_raw(64, 0, 0, 0, 0, 0), -XEN_ENOSYS);
    EXPECT_EQ(hypercall_raw(~0u, 0, 0, 0, 0, 0), -XEN_ENOSYS);
}

static void reservations(void)
{
    domid_t self = DOMID_SELF;
    long now = xen_memory_op(XENMEM_current_reservation, &self);

    EXPECT(now >= (long)start_info->nr_pages);
    EXPECT(xen_memory_op(XENMEM_maximum_reservation, &self) >= now);
}

static void clock_moves(void)
{
    uint64_t a = clock_ns(), wall = clock_wall_ns();

    for (unsigned i = 0; i < 1000; i++) {
        uint64_t b = clock_ns();

        ASSERT_MSG(b >= a, "from %lu to %lu", a, b);
        a = b;
    }
    clock_spin(NS_PER_MS);
    EXPECT(clock_ns() >= a + NS_PER_MS);
    EXPECT(wall > 1000000000ul * NS_PER_S);             /* after 2001 */
}

/* The parts of this kernel that the suites rely on: threads, timers, user mode. */
static void count_up(void *arg)
{
    for (unsigned i = 0; i < 10; i++) {
        ++*(volatile unsigned *)arg;
        thread_yield();
    }
    thread_sleep(NS_PER_MS);
    ++*(volatile unsigned *)arg;
}

static volatile bool spin_stop;
static void spin(void *arg)
{
    while (!spin_stop)
        ++*(volatile uint64_t *)arg;
}

static void threads_and_timers(void)
{
    volatile unsigned a = 0, b = 0;
    volatile uint64_t turns = 0;
    struct thread *ta = thread_create("a", count_up, (void *)&a);
    struct thread *tb = thread_create("b", count_up, (void *)&b);
    uint64_t before = clock_ns();

    thread_join(ta);
    thread_join(tb);
    EXPECT_EQ(a, 11);
    EXPECT_EQ(b, 11);
    thread_sleep(3 * NS_PER_MS);
    EXPECT(clock_ns() - before >= 3 * NS_PER_MS);
    spin_stop = false;
    ta = thread_create("spin", spin, (void *)&turns);
    thread_preempt(NS_PER_MS);
    /* Neither thread yields. With two hundred guests that do the same, one turn of all takes two
     * seconds. */
    for (uint64_t end = clock_ns() + 20 * NS_PER_S; !turns && clock_ns() < end;)
        ;
    EXPECT(turns > 0);
    spin_stop = true;
    thread_join(ta);
}

static USER_DATA volatile uint64_t user_word = 5;
static USER_CODE uint64_t user_add(uint64_t a, uint64_t b, uint64_t c)
{
    user_word = a + b;
    user_word += user_syscall(SYS_TEST, c, 0, 0);
    user_exit(user_word);
    return 0;
}

static uint64_t sys_double(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    (void)b, (void)c, (void)r;
    return 2 * a;
}

static void user_mode(void)
{
    struct user_result res;

    user_set_syscall(SYS_TEST, sys_double);
    res = user_run(user_add, 1, 2, 20);
    user_set_syscall(SYS_TEST, NULL);
    EXPECT(res.exited);
    EXPECT_EQ(res.code, 43);
    EXPECT_EQ(*USER_PTR(user_word), 43);
}

SUITE(boot, 10, 0, TEST(entry_registers), TEST(start_info_fields), TEST(console_and_store),
      TEST(layout_order), TEST(p2m_and_m2p_agree), TEST(boot_mapping), TEST(padding_is_mapped),
      TEST(boot_root_is_l4), TEST(boot_types), TEST(shared_page), TEST(feature_bits),
      TEST(version_strings), TEST(hypercall_page_works), TEST(reservations), TEST(clock_moves),
      TEST(threads_and_timers), TEST(user_mode));
