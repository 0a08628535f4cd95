/* What happens to pages: they are cleared and copied, the TLB is flushed before a page has another
 * type or owner, stores to L1 tables are emulated; and random requests, with all audits. */
#include <stdlib.h>
#include "cmocka_main.h"
#include "xen/core/alloc.h"
#include "xen/core/frame.h"
#include "xen/cpu/exceptions.h"
#include "xen/pv/traps.h"
#include "pages_fixture.h"
#include "second_cpu.h"

static void pages_are_cleared_and_copied(void **state)
{
    mfn_t a = unmapped_frame(), b = unmapped_frame();

    (void)state;
    memset(mfn_to_virt(a), 0x5a, PAGE_SIZE);
    assert_int_equal(hcall_mmuext(MMUEXT_COPY_PAGE, b, a), 0);
    assert_memory_equal(mfn_to_virt(a), mfn_to_virt(b), PAGE_SIZE);
    assert_int_equal(hcall_mmuext(MMUEXT_CLEAR_PAGE, b, 0), 0);
    assert_int_equal(((uint8_t *)mfn_to_virt(b))[4095], 0);
    assert_int_equal(hcall_mmuext(MMUEXT_CLEAR_PAGE, v->root_kernel >> PAGE_SHIFT, 0), -EINVAL);
    assert_int_equal(hcall_mmuext(MMUEXT_COPY_PAGE, b, mfn_of_pfn(other, 3)), -EINVAL);
    assert_int_equal(hcall_mmuext(MMUEXT_COPY_PAGE, mfn_of_pfn(other, 3), b), -EINVAL);
    assert_int_equal(hcall_mmuext(MMUEXT_COPY_PAGE, b, ~0ull), -EINVAL);
}

/* F8: the guest writes through a mapping, removes it without a flush, and makes the page a table.
 * The hypervisor must flush before it sets the type; host_audit, after each hypercall here, checks
 * that. */
static void tlb_is_flushed_before_a_page_becomes_a_table(void **state)
{
    mfn_t page = mfn_of_va(FREE_PFN_VA);
    uint64_t zero = 0;

    (void)state;
    for (unsigned i = 0; i < 512; i++)
        guest_put(FREE_PFN_VA + 8 * i, &zero, 8);
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, FREE_PFN_VA, 0, UVMF_NONE), 0);
    /* the stale translation, still legal */
    assert_true(host_guest_write(FREE_PFN_VA, &zero, 8));
    assert_int_equal(hcall_mmuext(MMUEXT_PIN_L1_TABLE, page, 0), 0);
    assert_false(host_guest_write(FREE_PFN_VA, &zero, 8));
    assert_int_equal(hcall_mmuext(MMUEXT_UNPIN_TABLE, page, 0), 0);
}

/* The same when the page leaves the guest: a stale read-only translation would show the next
 * owner's data. */
static void tlb_is_flushed_before_a_page_changes_hands(void **state)
{
    static const uint64_t flags[] = { RO_FLAGS, RW_FLAGS };

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t va = FREE_PFN_VA + i * PAGE_SIZE, x;
        mfn_t page = mfn_of_va(va);
        struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
        uint64_t list = page;

        assert_int_equal(
            hcall(__HYPERVISOR_update_va_mapping, va, page << PAGE_SHIFT | flags[i],
                  UVMF_TLB_FLUSH), 0);
        guest_get(&x, va, 8);
        if (flags[i] & PTE_RW)
            guest_put(va, &x, 8);
        assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, va, 0, UVMF_NONE), 0);
        guest_put(SCRATCH + 512, &list, 8);
        set_xen_guest_handle_raw(r.extent_start, (xen_pfn_t *)(SCRATCH + 512));
        assert_int_equal(hcall_struct(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, &r,
                                      sizeof(r)), 1);
        host_leave_free(0);           /* as if the hypervisor needed it for itself */
        assert_true(mfn_to_frame(page)->owner == 0);
        assert_false(host_guest_read(&x, va, 8));
        host_free_taken();
    }
}

/* A store by the guest kernel to its own L1, mapped read-only as it must be
 * (VMASST_TYPE_writable_pagetables). */
static void stores_to_l1_tables_are_emulated(void **state)
{
    static const uint8_t mov[] = { 0x48, 0x89, 0x07 };          /* mov %rax, (%rdi) */
    struct cpu_user_regs *regs = guest_regs(v);
    uint64_t table_va = FREE_PFN_VA, mapped = FREE_PFN_VA + PAGE_SIZE;
    mfn_t target = unmapped_frame(), l1 = PTE_MFN(slot_maddr(mapped));
    uint64_t slot_va = table_va + slot_maddr(mapped) % PAGE_SIZE, handler = GUEST_BASE + 0x500;
    struct trap_info traps[2] = {
        { .vector = TRAP_PF, .cs = FLAT_KERNEL_CS64, .address = handler },
    };

    (void)state;
    guest_put(SCRATCH, traps, sizeof(traps));
    assert_int_equal(hcall(__HYPERVISOR_set_trap_table, SCRATCH), 0);
    assert_int_equal(
        hcall(__HYPERVISOR_update_va_mapping, table_va, l1 << PAGE_SHIFT | RO_FLAGS, UVMF_INVLPG),
        0);
    guest_put(GUEST_BASE + 0x300, mov, sizeof(mov));
    for (unsigned round = 0; round < 3; round++) {
        static const struct { bool assist, ok; uint64_t flags; } rounds[] = {
            { false, false, RW_FLAGS }, { true, true, RW_FLAGS },
            { true, false, RW_FLAGS | PTE_PS },
        };

        if (rounds[round].assist)
            assert_int_equal(
                hcall(__HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables),
                0);
        regs->rip = GUEST_BASE + 0x300;
        regs->rsp = SCRATCH + 0x1000;
        regs->rdi = slot_va;
        regs->rax = target << PAGE_SHIFT | rounds[round].flags;
        regs->error_code = 3;           /* write, present */
        handle_guest_trap(regs, TRAP_PF, slot_va);
        audit();
        assert_int_equal(regs->rip, rounds[round].ok ? GUEST_BASE + 0x303 : handler);
        if (rounds[round].ok)
            assert_int_equal(mfn_of_va(mapped), target);
        else
            assert_int_equal(v->cr2, slot_va);
    }
}

/* Other vCPUs of the guest, which may wait for its mm_lock, go on while CPUs are flushed because
 * the guest asked for it. */
static void flushes_that_a_guest_asks_for_hold_no_lock(void **state)
{
    static const unsigned commands[] = {
        MMUEXT_TLB_FLUSH_ALL, MMUEXT_TLB_FLUSH_MULTI, MMUEXT_INVLPG_ALL, MMUEXT_INVLPG_MULTI,
    };
    unsigned failed = 0, asked = 0;

    (void)state;
    second_cpu_up(d->vcpu[1]);
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
        failed += hcall_mmuext(commands[i], FREE_PFN_VA, SCRATCH + 512) != 0;
        asked += second_asked == i + 1;
    }
    failed += hcall_mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0) != 0;
    failed += hcall(__HYPERVISOR_update_va_mapping, FREE_PFN_VA, 0, UVMF_INVLPG | UVMF_ALL) != 0;
    second_cpu_down();
    assert_int_equal(failed, 0);
    assert_int_equal(asked, ARRAY_SIZE(commands));
    assert_int_equal(second_asked, ARRAY_SIZE(commands) + 1);
    assert_int_equal(second_asked_locked, 0);
}

/* A frame that its owner has given back is freed by the domain whose mapping of it was the last:
 * the owner's CPUs are flushed, and its epoch stays, as its mm_lock is not held. */
static void last_put_by_another_domain_flushes_the_owner(void **state)
{
    struct frame *f = mfn_to_frame(unmapped_frame());
    uint64_t epoch = d->epoch;

    (void)state;
    assert_true(get_page(f, d));
    spin_lock(&d->mm_lock);
    assert_true(release_domain_frame(f));
    spin_unlock(&d->mm_lock);
    f->stamp = epoch;
    d->vcpu[1]->flushed = epoch;
    host_become(other->vcpu[0]);
    second_cpu_up(d->vcpu[1]);
    put_page(f);
    second_cpu_down();
    assert_int_equal(second_asked, 1);
    assert_int_equal(d->epoch, epoch);
    assert_int_equal(f->owner, 0);
    audit();
}

static void cpu_writes_meanwhile(uint64_t *slot)
{
    host.on_cmpxchg = NULL;
    *slot |= PTE_D;
}

/* The guest executes the instruction, which stores to the entry at slot_maddr(mapped) by the
 * page's mapping at table_va; meanwhile the CPU sets D there. The bit is to be set in RAX then. */
static void store_while_the_cpu_sets_d(const void *insn, size_t len)
{
    struct cpu_user_regs *regs = guest_regs(v);
    uint64_t table_va = FREE_PFN_VA, mapped = FREE_PFN_VA + PAGE_SIZE;
    mfn_t old = mfn_of_va(mapped), l1 = PTE_MFN(slot_maddr(mapped)), next = unmapped_frame();
    uint64_t slot_va = table_va + slot_maddr(mapped) % PAGE_SIZE;

    assert_int_equal(
        hcall(__HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    assert_int_equal(
        hcall(__HYPERVISOR_update_va_mapping, table_va, l1 << PAGE_SHIFT | RO_FLAGS, UVMF_INVLPG),
        0);
    assert_int_equal(
        hcall(__HYPERVISOR_update_va_mapping, mapped, old << PAGE_SHIFT | RW_FLAGS, UVMF_INVLPG),
        0);
    guest_put(GUEST_BASE + 0x300, insn, len);
    regs->rip = GUEST_BASE + 0x300;
    regs->rdi = slot_va;
    regs->rcx = regs->rax = next << PAGE_SHIFT | RW_FLAGS;
    if (len != 3)                   /* CMPXCHG: it would succeed if D were not set */
        regs->rax = old << PAGE_SHIFT | RW_FLAGS | PTE_G;
    regs->error_code = 3;           /* write, present */
    host.on_cmpxchg = cpu_writes_meanwhile;
    handle_guest_trap(regs, TRAP_PF, slot_va);
    audit();
    assert_null(host.on_cmpxchg);
    assert_int_equal(regs->rip, GUEST_BASE + 0x300 + len);
    assert_int_equal(regs->rax, old << PAGE_SHIFT | RW_FLAGS | PTE_G | PTE_D);
    assert_int_equal(mfn_of_va(mapped), len == 3 ? next : old);
}

/* Another vCPU writes through an entry while this one exchanges it: the D bit that its CPU sets
 * between the hypervisor's read and its store is in what the instruction returns. */
static void dirty_bit_set_during_an_exchange_is_returned(void **state)
{
    static const uint8_t xchg[] = { 0x48, 0x87, 0x07 };         /* xchg %rax, (%rdi) */

    (void)state;
    store_while_the_cpu_sets_d(xchg, sizeof(xchg));
}

/* The second look finds another value than the instruction compares with: nothing is stored. */
static void comparison_fails_by_a_dirty_bit(void **state)
{
    static const uint8_t cmpxchg[] = { 0xf0, 0x48, 0x0f, 0xb1, 0x0f };  /* %rcx, (%rdi) */

    (void)state;
    store_while_the_cpu_sets_d(cmpxchg, sizeof(cmpxchg));
    assert_false(guest_regs(v)->rflags & 0x40);
}

/* Random requests about a few frames, of many domains: whatever the answers, all counts are
 * right. */
static void random_requests_keep_all_counts(void **state)
{
    mfn_t pool[12];
    unsigned good = 0;

    (void)state;
    for (unsigned i = 0; i < 12; i++)
        pool[i] = unmapped_frame();
    for (unsigned round = 0; round < 4000; round++) {
        mfn_t a = pool[host_random() % 12], b = pool[host_random() % 12];
        uint64_t entry =
            b << PAGE_SHIFT | (host_random() & (PTE_P | PTE_RW | PTE_US)) |
            (host_random() % 8 ? PTE_P : 0);
        unsigned what = (unsigned)(host_random() % 16), slot = (unsigned)(host_random() % 4);
        long rc;

        if (what < 4)
            rc = hcall_mmuext(MMUEXT_PIN_L1_TABLE + what, a, 0);
        else if (what < 8)
            rc = hcall_mmuext(MMUEXT_UNPIN_TABLE, a, 0);
        else if (what < 15)
            rc = hcall_mmu_update((a << PAGE_SHIFT) + slot * 8, entry);
        else
            rc = hcall_mmuext(MMUEXT_CLEAR_PAGE, a, 0);
        good += rc == 0;
    }
    assert_in_range(good, 1000, 3900);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guests(pages_are_cleared_and_copied),
        with_guests(tlb_is_flushed_before_a_page_becomes_a_table),
        with_guests(tlb_is_flushed_before_a_page_changes_hands),
        with_guests(flushes_that_a_guest_asks_for_hold_no_lock),
        with_guests(last_put_by_another_domain_flushes_the_owner),
        with_guests(stores_to_l1_tables_are_emulated),
        with_guests(dirty_bit_set_during_an_exchange_is_returned),
        with_guests(comparison_fails_by_a_dirty_bit),
        cmocka_unit_test_setup_teardown(random_requests_keep_all_counts, two_low_guests,
                                        machine_down),
    };

    return cmocka_run_group_tests_name("pages flush", tests, NULL, NULL);
}
