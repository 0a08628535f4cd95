/* The second file of suite "user": events in user mode, the parts of the address space that it
 * cannot read, and its segment bases. */
#include "clock.h"
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "suite.h"
#include "user.h"

/* --- Events in user mode ---------------------------------------------------------------------- */

static USER_DATA volatile uint64_t user_go;

static USER_CODE uint64_t user_spin(uint64_t patience)
{
    uint64_t n = 0;

    while (!user_go && n < patience)
        n++;
    user_exit(user_go);
    return 0;
}

static void set_go(void *arg)
{
    (void)arg;
    *(volatile uint64_t *)USER_PTR(user_go) = 1;
}

static void event_interrupts_user(void)
{
    struct timer t = { 0 };
    struct user_result res;

    *(volatile uint64_t *)USER_PTR(user_go) = 0;
    timer_start(&t, clock_ns() + 5 * NS_PER_MS, set_go, NULL);
    res = user_run(user_spin, 1ul << 40, 0, 0);
    EXPECT(res.exited);
    EXPECT_EQ(res.code, 1);
    EXPECT(!t.queued);
}

/* An event that is pending when user mode is entered is delivered before the first instruction has
 * finished. */
USER_ASM void user_reads_go(void)
{
    __asm__("movq (%rdi), %rax\n\tret");
}

static void on_go(port_t port, void *arg)
{
    (void)port;
    set_go(arg);
}

static void pending_event_comes_first(void)
{
    int port = event_bind_ipi(on_go, NULL);
    struct user_result res;

    ASSERT(port > 0);
    *(volatile uint64_t *)USER_PTR(user_go) = 0;
    events_off();
    event_send(port);
    EXPECT_EQ(*(volatile uint64_t *)USER_PTR(user_go), 0);
    res = user_run(user_reads_go, (uint64_t)USER_PTR(user_go), 0, 0);
    EXPECT_EQ(res.code, 1);
    events_on();
    event_close(port);
}

/* --- Address space and segments --------------------------------------------------------------- */

USER_ASM void user_reads(void)
{
    __asm__("movq (%rdi), %rax\n\tret");
}

/* User mode cannot read an address of the low half that only the kernel's root maps, nor the
 * hypervisor's memory. */
static void kernel_root_only(void)
{
    static const uint64_t holes[] = { 0xffff82d040000000, 0xffff830000000000, 0xffff87fffffff000 };
    volatile uint64_t *va = (void *)0x12300000000;
    pfn_t pfn = frame_alloc();
    struct fault f;

    *(uint64_t *)p2v(pfn) = 0x5ec12e7;
    ASSERT_EQ(map_page(va, make_pte(pfn_to_mfn(pfn), PTE_USER)), 0);
    EXPECT_EQ(*va, 0x5ec12e7);
    f = user_run(user_reads, (uint64_t)va, 0, 0).fault;
    EXPECT_FAULT(f, TRAP_PF, PF_USER);
    EXPECT_EQ(f.cr2, (uint64_t)va);
    for (unsigned i = 0; i < sizeof(holes) / sizeof(holes[0]); i++) {
        f = user_run(user_reads, holes[i], 0, 0).fault;
        EXPECT_EQ(f.vector, TRAP_PF);
        EXPECT_EQ(f.cr2, holes[i]);
        EXPECT(f.user);
    }
    EXPECT_EQ(unmap_page(va), 0);
    frame_free(pfn);
}

/* The M2P has an entry of the machine's last frame, which the kernel can read. Below it there may
 * be parts that cannot be read, where the machine has no memory. */
static void m2p_end(void)
{
    struct xen_machphys_mapping map = { 0 };
    long end = xen_memory_op(XENMEM_maximum_ram_page, NULL);
    uint64_t last, entry;

    ASSERT_EQ(xen_memory_op(XENMEM_machphys_mapping, &map), 0);
    ASSERT(end > 0);
    last = map.v_start + 8 * ((uint64_t)end - 1);
    EXPECT_FAULT(user_run(user_reads, last, 0, 0).fault, TRAP_PF, PF_USER);
    EXPECT_NO_FAULT(try_read64((void *)last, &entry));
    EXPECT_FAULT(try_write64((void *)last, 0), TRAP_PF, ANY_ERROR);
    for (uint64_t va = map.v_start; va < last; va += 1ul << 21)
        (void)try_read64((void *)va, &entry);
}

/* The low half as the user's root has it, the rest as the kernel's. */
static pfn_t root_for_both(void)
{
    const volatile uint64_t *kernel = p2v(kernel_root()), *user = p2v(user_root());
    pfn_t pfn = frame_alloc();
    uint64_t *to = p2v(pfn);

    for (unsigned i = 0; i < 512; i++)
        if (i < PT_INDEX(HOLE_START, 4) || i >= PT_INDEX(HOLE_END, 4))
            to[i] = i < 256 ? user[i] : kernel[i];
    EXPECT_EQ(frame_set_ro(pfn), 0);
    EXPECT_EQ(mmu_pin(4, pfn), 0);
    return pfn;
}

static void expect_m2p_in_user_mode(bool readable)
{
    struct fault f = user_run(user_reads, MACH2PHYS_VIRT_START, 0, 0).fault;

    EXPECT_EQ(f.vector, readable ? FAULT_NONE : TRAP_PF);
    EXPECT_EQ(f.cr2, readable ? 0 : MACH2PHYS_VIRT_START);
}

/* User mode may read the M2P if its root has been a kernel's; with this assist it may not, from the
 * next load of a user root on. */
static void m2p_strict(void)
{
    pfn_t root = user_root(), both = root_for_both();

    EXPECT_EQ(set_user_root(both), 0);
    expect_m2p_in_user_mode(false);
    EXPECT_EQ(mmuext(MMUEXT_NEW_BASEPTR, pfn_to_mfn(both), 0), 0);
    EXPECT_EQ(mmuext(MMUEXT_NEW_BASEPTR, pfn_to_mfn(kernel_root()), 0), 0);
    expect_m2p_in_user_mode(true);
    if (xen_vm_assist(VMASST_CMD_enable, VMASST_TYPE_m2p_strict) == 0) {
        EXPECT_EQ(set_user_root(0), 0);
        EXPECT_EQ(set_user_root(both), 0);
        expect_m2p_in_user_mode(false);
        EXPECT_NO_FAULT(try_read64((void *)MACH2PHYS_VIRT_START, &(uint64_t){ 0 }));
        EXPECT_EQ(xen_vm_assist(VMASST_CMD_disable, VMASST_TYPE_m2p_strict), 0);
    }
    EXPECT_EQ(set_user_root(root), 0);
    EXPECT_EQ(mmu_unpin(both), 0);
    table_free(both);
}

USER_ASM void user_segment_bases(void)
{
    __asm__("movq %gs:0, %rax\n\tmovq %rax, (%rdi)\n\tmovq %fs:0, %rax\n\tmovq %rax, 8(%rdi)\n\t"
            "movq %rdi, %r12\n\txorl %edi, %edi\n\tmovl $19, %eax\n\tsyscall\n\t"
            "movq %rax, 16(%r12)\n\tmovq %gs:0, %rax\n\tmovq %rax, 24(%r12)\n\tret");
}

static USER_DATA uint64_t user_seen[4];
static USER_DATA uint64_t user_gs_word = 0x1111, user_fs_word = 0x2222;

static uint64_t sys_read_gs(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    (void)a, (void)b, (void)c, (void)r;
    __asm__ volatile("movq %%gs:0, %0" : "=r"(a));
    return a;
}

static void gs_follows_the_mode(void)
{
    static uint64_t kernel_word = 0x3333;
    volatile uint64_t *seen = (uint64_t *)USER_PTR(user_seen);

    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_KERNEL, (uint64_t)&kernel_word), 0);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER, (uint64_t)USER_PTR(user_gs_word)), 0);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_FS, (uint64_t)USER_PTR(user_fs_word)), 0);
    EXPECT_EQ(sys_read_gs(0, 0, 0, NULL), 0x3333);
    user_set_syscall(SYS_TEST + 3, sys_read_gs);
    EXPECT(user_run(user_segment_bases, (uint64_t)seen, 0, 0).exited);
    user_set_syscall(SYS_TEST + 3, NULL);
    EXPECT_EQ(seen[0], 0x1111);
    EXPECT_EQ(seen[1], 0x2222);
    EXPECT_EQ(seen[2], 0x3333);
    EXPECT_EQ(seen[3], 0x1111);
    EXPECT_EQ(sys_read_gs(0, 0, 0, NULL), 0x3333);
    for (int which = SEGBASE_FS; which <= SEGBASE_GS_KERNEL; which++) {
        EXPECT_EQ(xen_set_segment_base(which, 0x8000000000000000), -XEN_EINVAL);
        EXPECT_EQ(xen_set_segment_base(which, 0), 0);
    }
}

static uint16_t gs_selector(void)
{
    uint16_t selector;

    __asm__ volatile("movw %%gs, %0" : "=r"(selector));
    return selector;
}

/* The selector is loaded with RPL 3, but null as it is. An invalid one becomes null, and that is no
 * error. */
static void gs_selector_is_loaded(void)
{
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER_SEL, FLAT_KERNEL_SS & ~3ul), 0);
    EXPECT_EQ(gs_selector(), FLAT_KERNEL_SS | 3);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER_SEL, 2), 0);
    EXPECT_EQ(gs_selector(), 2);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER_SEL, 0x28), 0);
    EXPECT_EQ(gs_selector(), 0);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER_SEL, 0), 0);
}

SUITE_PART(user, 52, 1, TEST_ON_BARE(event_interrupts_user), TEST(pending_event_comes_first),
           TEST(kernel_root_only), TEST(m2p_end), TEST(m2p_strict), TEST(gs_follows_the_mode),
           TEST(gs_selector_is_loaded));
