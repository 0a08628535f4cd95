/* Which L1 entries are global (F12 of frame.h), and which loads of CR3 and flushes leave their
 * translations in the TLB. That a stale one is flushed before a frame's next use is in
 * test_pages_flush.c, and for several CPUs in tests/model and tests/interleave. */
#include "cmocka_main.h"
#include "xen/core/cpu.h"
#include "xen/core/flush.h"
#include "xen/core/frame.h"
#include "xen/core/lock.h"
#include "xen/core/request.h"
#include "xen/core/walk.h"
#include "xen/cpu/exceptions.h"
#include "xen/pv/traps.h"
#include "pages_fixture.h"

#define USER (PTE_P | PTE_RW | PTE_US | PTE_A)
#define KERNEL (PTE_P | PTE_RW | PTE_A)
#define MARKED (KERNEL | PTE_US | PTE_GUEST_KERNEL)
#define FLAGS (~PTE_ADDR_MASK)
#define VA FREE_PFN_VA

/* --- Entries ---------------------------------------------------------------------------------- */

static const struct {
    uint64_t written, stored;
} rows[] = {
    { USER, USER | PTE_G },
    { USER | PTE_G, USER | PTE_G },
    { KERNEL, MARKED },
    { KERNEL | PTE_G, MARKED },                 /* the guest's own G does not count */
    { MARKED, MARKED },                         /* read, and written back */
    { MARKED | PTE_G, MARKED },
    { KERNEL | PTE_GUEST_KERNEL, MARKED },
    { 0, 0 },
    { (USER & ~PTE_P) | PTE_G, (USER & ~PTE_P) | PTE_G },
    { KERNEL & ~PTE_P, KERNEL & ~PTE_P },
};

static void check_entry(const char *how, unsigned i, uint64_t entry)
{
    if ((entry & FLAGS) != rows[i].stored)
        fail_msg("%s, %#lx: the entry is %#lx", how, rows[i].written, entry);
    audit();
}

static long mmu_update_at(uint64_t maddr, uint64_t entry)
{
    return hcall_mmu_update(maddr, entry);
}

static long update_va(uint64_t maddr, uint64_t entry)
{
    (void)maddr;
    return hcall(__HYPERVISOR_update_va_mapping, VA, entry, UVMF_INVLPG);
}

/* The guest stores to its table, which is mapped read-only at the page after VA. */
static long store(uint64_t maddr, uint64_t entry)
{
    static const uint8_t mov[] = { 0x48, 0x89, 0x07 };          /* mov %rax, (%rdi) */
    struct cpu_user_regs *regs = guest_regs(v);
    uint64_t at = VA + PAGE_SIZE + maddr % PAGE_SIZE;

    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, VA + PAGE_SIZE,
                           (maddr & PTE_ADDR_MASK) | PTE_P | PTE_US, UVMF_INVLPG), 0);
    guest_put(GUEST_BASE + 0x300, mov, sizeof(mov));
    regs->rip = GUEST_BASE + 0x300;
    regs->rdi = at;
    regs->rax = entry;
    regs->error_code = 3;
    handle_guest_trap(regs, TRAP_PF, at);
    return regs->rip == GUEST_BASE + 0x300 + sizeof(mov) ? 0 : -EFAULT;
}

static void user_entries_are_global(void **state)
{
    static const struct {
        const char *name;
        long (*write)(uint64_t maddr, uint64_t entry);
    } ways[] = { { "mmu_update", mmu_update_at }, { "update_va_mapping", update_va },
                 { "a store", store } };
    uint64_t page = (uint64_t)unmapped_frame() << PAGE_SHIFT;

    (void)state;
    assert_int_equal(
        hcall(__HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    for (unsigned way = 0; way < ARRAY_SIZE(ways); way++)
        for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
            for (unsigned before = 0; before < ARRAY_SIZE(rows); before++) {
                assert_int_equal(hcall_mmu_update(slot_maddr(VA), page | rows[before].written), 0);
                assert_int_equal(ways[way].write(slot_maddr(VA), page | rows[i].written), 0);
                check_entry(ways[way].name, i, pte_at(VA));
            }
}

/* A second pin finds the entries as the first one has left them. */
static void pins_make_user_entries_global(void **state)
{
    mfn_t l1 = unmapped_frame(), page = unmapped_frame();
    uint64_t *table = mfn_to_virt(l1);

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
        table[i] = page << PAGE_SHIFT | rows[i].written;
    for (unsigned n = 0; n < 2; n++) {
        assert_int_equal(hcall_mmuext(MMUEXT_PIN_L1_TABLE, l1, 0), 0);
        for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
            check_entry("a pin", i, table[i]);
        assert_int_equal(hcall_mmuext(MMUEXT_UNPIN_TABLE, l1, 0), 0);
    }
}

/* A table without a type is written as it is, and what is left in one that was an L1 makes it no
 * other table. */
static void other_tables_have_no_global_entries(void **state)
{
    mfn_t table = unmapped_frame(), page = unmapped_frame();
    uint64_t maddr = table << PAGE_SHIFT;

    (void)state;
    assert_int_equal(hcall_mmu_update(maddr, page << PAGE_SHIFT | USER), 0);
    assert_int_equal(*(uint64_t *)mfn_to_virt(table), page << PAGE_SHIFT | USER);
    assert_int_equal(hcall_mmuext(MMUEXT_PIN_L1_TABLE, table, 0), 0);
    assert_int_equal(hcall_mmuext(MMUEXT_UNPIN_TABLE, table, 0), 0);
    assert_int_equal(*(uint64_t *)mfn_to_virt(table), page << PAGE_SHIFT | USER | PTE_G);
    for (unsigned level = 1; level < 4; level++)
        assert_int_equal(hcall_mmuext(MMUEXT_PIN_L1_TABLE + level, table, 0), -EINVAL);
}

/* The builder's tables are those of the guest's kernel. */
static void first_tables_are_the_kernels(void **state)
{
    (void)state;
    for (uint64_t va = GUEST_BASE; va < GUEST_BASE + GUEST_IMAGE_BYTES; va += PAGE_SIZE)
        assert_int_equal(pte_at(va) & (PTE_US | PTE_G | PTE_GUEST_KERNEL),
                         PTE_US | PTE_GUEST_KERNEL);
}

/* --- The TLB ---------------------------------------------------------------------------------- */

/* What the calls below may need: another L4, which maps what the first one does. */
static mfn_t second_root;

static void make_second_root(void)
{
    second_root = unmapped_frame();
    memcpy(mfn_to_virt(second_root), maddr_to_virt(v->root_kernel), PAGE_SIZE);
    for (unsigned i = HOLE_FIRST_SLOT; i <= HOLE_LAST_SLOT; i++)
        ((uint64_t *)mfn_to_virt(second_root))[i] = 0;
    assert_int_equal(hcall_mmuext(MMUEXT_PIN_L4_TABLE, second_root, 0), 0);
}

static void mode_and_back(void)
{
    v->kernel_mode = false;
    arch_load_root(v);
    v->kernel_mode = true;
    arch_load_root(v);
}

static void invlpg(void)
{
    assert_int_equal(hcall_mmuext(MMUEXT_INVLPG_LOCAL, VA, 0), 0);
}

static void invlpg_of_another(void)
{
    assert_int_equal(hcall_mmuext(MMUEXT_INVLPG_LOCAL, SCRATCH, 0), 0);
}

static void uvmf_invlpg(void)
{
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, VA, pte_at(VA), UVMF_INVLPG), 0);
}

static void uvmf_none(void)
{
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, VA, pte_at(VA), 0), 0);
}

static void uvmf_flush(void)
{
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, SCRATCH, pte_at(SCRATCH),
                           UVMF_TLB_FLUSH), 0);
}

static void flush_local(void)
{
    assert_int_equal(hcall_mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
}

static void flush_all(void)
{
    assert_int_equal(hcall_mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0), 0);
}

static void new_root(void)
{
    assert_int_equal(hcall_mmuext(MMUEXT_NEW_BASEPTR, second_root, 0), 0);
}

static void same_root(void)
{
    assert_int_equal(hcall_mmuext(MMUEXT_NEW_BASEPTR, v->root_kernel >> PAGE_SHIFT, 0), 0);
}

static void new_user_root(void)
{
    assert_int_equal(hcall_mmuext(MMUEXT_NEW_USER_BASEPTR, second_root, 0), 0);
}

static void same_user_root(void)
{
    assert_int_equal(hcall_mmuext(MMUEXT_NEW_USER_BASEPTR, v->root_user >> PAGE_SHIFT, 0), 0);
}

static void both_roots(void)
{
    struct mmuext_op ops[2] = { { .cmd = MMUEXT_NEW_BASEPTR },
                                { .cmd = MMUEXT_NEW_USER_BASEPTR } };
    uint64_t epoch = d->epoch;

    ops[0].arg1.mfn = ops[1].arg1.mfn = second_root;
    guest_put(SCRATCH, ops, sizeof(ops));
    assert_int_equal(hcall(__HYPERVISOR_mmuext_op, SCRATCH, 2, 0, DOMID_SELF), 0);
    assert_int_equal(d->epoch, epoch + 1);          /* one flush for both */
}

static void both_roots_in_two_calls(void)
{
    uint64_t word;

    new_root();
    assert_true(host_guest_read(&word, VA, 8));
    new_user_root();
}

/* MOV to CR3 by the guest's kernel */
static void mov_to_cr3(void)
{
    static const uint8_t mov[] = { 0x0f, 0x22, 0xd8 };          /* mov %rax, %cr3 */
    struct cpu_user_regs *regs = guest_regs(v);

    guest_put(GUEST_BASE + 0x300, mov, sizeof(mov));
    regs->rip = GUEST_BASE + 0x300;
    regs->rax = v->root_kernel;
    regs->error_code = 0;
    handle_guest_trap(regs, TRAP_GP, 0);
    assert_int_equal(regs->rip, GUEST_BASE + 0x300 + sizeof(mov));
}

static void another_vcpu_between(void)
{
    host_become(other->vcpu[0]);
    host_become(v);
}

/* The functions of flush.h, as they are called where a frame goes. */
static void since(void)
{
    spin_lock(&d->mm_lock);
    flush_since(d, d->epoch);
    spin_unlock(&d->mm_lock);
}

static void foreign(void)
{
    flush_foreign(d, d->epoch);
}

static void own_domain(void)
{
    flush_own_domain();
}

static void vcpu(void)
{
    flush_vcpu(v);
}

static void by_request(void)
{
    cpus[0]->requests |= REQUEST_FLUSH;
    serve_flush_requests();
    assert_int_equal(cpus[0]->requests & REQUEST_FLUSH, 0);
}

static void flushes_leave_what_may_stay(void **state)
{
    static const struct {
        const char *name;
        void (*op)(void);
        bool user, kernel;              /* it leaves such translations */
    } ops[] = {
        { "to user mode and back", mode_and_back, true, false },
        { "an update without a flush", uvmf_none, true, true },
        { "INVLPG of another page", invlpg_of_another, true, true },
        { "INVLPG", invlpg, false, false },
        { "UVMF_INVLPG", uvmf_invlpg, false, false },
        { "UVMF_TLB_FLUSH", uvmf_flush, false, false },
        { "TLB_FLUSH_LOCAL", flush_local, false, false },
        { "TLB_FLUSH_ALL", flush_all, false, false },
        { "NEW_BASEPTR", new_root, false, false },
        { "NEW_BASEPTR of the same", same_root, false, false },
        { "NEW_USER_BASEPTR", new_user_root, false, false },
        { "NEW_USER_BASEPTR of the same", same_user_root, false, false },
        { "NEW_BASEPTR and NEW_USER_BASEPTR", both_roots, false, false },
        { "the same in two calls", both_roots_in_two_calls, false, false },
        { "MOV to CR3", mov_to_cr3, false, false },
        { "another vCPU", another_vcpu_between, false, false },
        { "flush_since", since, false, false },
        { "flush_foreign", foreign, false, false },
        { "flush_own_domain", own_domain, false, false },
        { "flush_vcpu", vcpu, false, false },
        { "another CPU's request", by_request, false, false },
    };
    uint64_t page = pte_at(VA) & PTE_ADDR_MASK, word;

    (void)state;
    make_second_root();
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
        for (unsigned user = 0; user < 2; user++) {
            assert_int_equal(hcall_mmuext(MMUEXT_NEW_BASEPTR, v->root_kernel >> PAGE_SHIFT, 0), 0);
            assert_int_equal(hcall_mmuext(MMUEXT_NEW_USER_BASEPTR, v->root_kernel >> PAGE_SHIFT, 0),
                             0);
            assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, VA,
                                   page | (user ? USER : KERNEL), UVMF_INVLPG), 0);
            assert_true(host_guest_read(&word, VA, 8));
            ops[i].op();
            if ((host_tlb_find(0, VA) != NULL) != (user ? ops[i].user : ops[i].kernel))
                fail_msg("%s: a translation of the %s %s", ops[i].name, user ? "user" : "kernel",
                         host_tlb_find(0, VA) != NULL ? "has stayed" : "is gone");
            audit();
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_low_guests(user_entries_are_global),
        with_guests(pins_make_user_entries_global),
        with_guests(other_tables_have_no_global_entries),
        with_guests(first_tables_are_the_kernels),
        with_low_guests(flushes_leave_what_may_stay),
    };

    return cmocka_run_group_tests_name("pages_global", tests, NULL, NULL);
}
