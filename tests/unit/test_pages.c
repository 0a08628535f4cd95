/* Page types and page tables, by the hypercalls that a guest makes. frame_audit() recounts
 * everything after each of them, and host_audit() looks for translations that should have been
 * flushed. */
#include "arch/arch.h"
#include "cmocka_main.h"
#include <stdlib.h>
#include <string.h>
#include "support.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/walk.h"
#include "xen/cpu/exceptions.h"
#include "xen/pv/traps.h"

#define RW_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A)
#define RO_FLAGS (PTE_P | PTE_US | PTE_A)

static struct domain *d, *other;
static struct vcpu *v;

static int make_two_guests(void)
{
    d = guest_make(1, 2);
    other = guest_make(2, 1);
    assert_true(d != NULL && other != NULL);
    v = d->vcpu[0];
    host_become(v);
    return 0;
}

static int two_guests(void **state)
{
    machine_up(state);
    return make_two_guests();
}

/* A machine whose audits are quick, for a test that makes thousands of them. */
static int two_low_guests(void **state)
{
    low_machine_up(state);
    return make_two_guests();
}

static long mmuext(unsigned cmd, uint64_t arg1, uint64_t arg2)
{
    struct mmuext_op op = { .cmd = cmd };

    op.arg1.linear_addr = arg1;
    op.arg2.src_mfn = arg2;
    guest_put(SCRATCH, &op, sizeof(op));
    return hcall(__HYPERVISOR_mmuext_op, SCRATCH, 1, 0, DOMID_SELF);
}

static long mmu_update(uint64_t ptr, uint64_t val)
{
    struct mmu_update u = { ptr, val };

    guest_put(SCRATCH, &u, sizeof(u));
    return hcall(__HYPERVISOR_mmu_update, SCRATCH, 1, 0, DOMID_SELF);
}

static void set_entry(mfn_t table, unsigned i, uint64_t entry)
{
    ((uint64_t *)mfn_to_virt(table))[i] = entry;
}

static uint64_t refs(mfn_t mfn)
{
    return mfn_to_frame(mfn)->count & FRAME_COUNT_MASK;
}

static uint64_t type_refs(mfn_t mfn)
{
    return mfn_to_frame(mfn)->type & TYPE_COUNT_MASK;
}

static void pins_and_unpins(void **state)
{
    static const unsigned pin[] = {MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE, MMUEXT_PIN_L3_TABLE,
                                   MMUEXT_PIN_L4_TABLE};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        mfn_t mfn = unmapped_frame();

        assert_int_equal(mmuext(MMUEXT_UNPIN_TABLE, mfn, 0), -EINVAL);
        assert_int_equal(mmuext(pin[i], mfn, 0), 0);
        assert_int_equal(mfn_to_frame(mfn)->type,
                         (i + 1ull) << TYPE_SHIFT | TYPE_PINNED | TYPE_VALIDATED | 1);
        assert_int_equal(refs(mfn), 2);
        for (unsigned j = 0; j < 4; j++)
            assert_int_equal(mmuext(pin[j], mfn, 0), -EINVAL);
        assert_int_equal(refs(mfn), 2);
        assert_int_equal(mmuext(MMUEXT_UNPIN_TABLE, mfn, 0), 0);
        assert_int_equal(refs(mfn), 1);
        assert_int_equal(mmuext(MMUEXT_UNPIN_TABLE, mfn, 0), -EINVAL);
    }
}

static void refuses_to_pin(void **state)
{
    mfn_t theirs = mfn_of_pfn(other, 3);

    (void)state;
    /* mapped writable */
    assert_int_equal(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of_va(FREE_PFN_VA), 0), -EINVAL);
    assert_int_equal(mmuext(MMUEXT_PIN_L1_TABLE, theirs, 0), -EINVAL);
    assert_int_equal(mmuext(MMUEXT_PIN_L1_TABLE, max_mfn, 0), -EINVAL);
    assert_int_equal(mmuext(MMUEXT_PIN_L1_TABLE, ~0ull, 0), -EINVAL);
    /* no RAM */
    assert_int_equal(mmuext(MMUEXT_PIN_L1_TABLE, 1, 0), -EINVAL);
    assert_int_equal(mmuext(MMUEXT_PIN_L1_TABLE, d->shared_mfn, 0), -EINVAL);
    assert_int_equal(mmuext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(host_vcpu(v)->token), 0), -EINVAL);
}

static void judges_l1_entries(void **state)
{
    const mfn_t mine = unmapped_frame(), table = v->root_kernel >> PAGE_SHIFT,
                ours = virt_to_mfn(host_vcpu(v)->token);
    const struct { uint64_t entry; long rc; } table_of[] = {
        { 0, 0 },
        { ~1ull, 0 },
        { mine << PAGE_SHIFT | RW_FLAGS, 0 },
        { mine << PAGE_SHIFT | RO_FLAGS | PTE_NX | PTE_D, 0 },
        { mine << PAGE_SHIFT | PTE_P, 0 },
        { mine << PAGE_SHIFT | RW_FLAGS | 0xeull << 8, 0 },
        { table << PAGE_SHIFT | RO_FLAGS, 0 },
        { table << PAGE_SHIFT | RW_FLAGS, -EBUSY },
        { d->shared_mfn << PAGE_SHIFT | RW_FLAGS, 0 },
        { mfn_of_pfn(other, 3) << PAGE_SHIFT | RO_FLAGS, -EBUSY },
        { other->shared_mfn << PAGE_SHIFT | RO_FLAGS, -EBUSY },
        { ours << PAGE_SHIFT | RO_FLAGS, -EBUSY },
        { mine << PAGE_SHIFT | RW_FLAGS | PTE_PS, -EINVAL },
        { mine << PAGE_SHIFT | RW_FLAGS | PTE_PCD, -EINVAL },
        { mine << PAGE_SHIFT | RW_FLAGS | PTE_PWT, -EINVAL },
        { mine << PAGE_SHIFT | RW_FLAGS | 1ull << 51, -EPERM },
        { 1ull << PAGE_SHIFT | RO_FLAGS, -EPERM },          /* no RAM */
        { max_mfn << PAGE_SHIFT | RO_FLAGS, -EPERM },
        { PTE_ADDR_MASK | RO_FLAGS, -EINVAL },
        { PTE_ADDR_MASK | RO_FLAGS | PTE_PCD, -EINVAL },
        { max_mfn << PAGE_SHIFT | RO_FLAGS | PTE_PCD, -EINVAL },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table_of); i++) {
        mfn_t l1 = unmapped_frame();
        uint64_t before = refs(mine), types = type_refs(mine);
        long rc;

        set_entry(l1, 0, mine << PAGE_SHIFT | RW_FLAGS);    /* undone when a later one is refused */
        set_entry(l1, 511, table_of[i].entry);
        rc = mmuext(MMUEXT_PIN_L1_TABLE, l1, 0);
        if (rc != table_of[i].rc)
            fail_msg("row %u, entry %lx, by pin: %ld", i, table_of[i].entry, rc);
        if (rc == 0)
            assert_int_equal(mmuext(MMUEXT_UNPIN_TABLE, l1, 0), 0);
        assert_int_equal(refs(mine), before);
        assert_int_equal(type_refs(mine), types);

        set_entry(l1, 511, 0);
        assert_int_equal(mmuext(MMUEXT_PIN_L1_TABLE, l1, 0), 0);
        rc = mmu_update((l1 << PAGE_SHIFT) + 511 * 8, table_of[i].entry);
        if (rc != table_of[i].rc)
            fail_msg("row %u, entry %lx, by mmu_update: %ld", i, table_of[i].entry, rc);
        assert_int_equal(((uint64_t *)mfn_to_virt(l1))[511] & PTE_P,
                         rc == 0 ? table_of[i].entry & PTE_P : 0);
        rc = hcall(__HYPERVISOR_update_va_mapping, FREE_PFN_VA, table_of[i].entry, UVMF_INVLPG);
        if (rc != table_of[i].rc)
            fail_msg("row %u, entry %lx, by update_va_mapping: %ld", i, table_of[i].entry, rc);
        assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, FREE_PFN_VA, 0, UVMF_TLB_FLUSH), 0);
        assert_int_equal(mmuext(MMUEXT_UNPIN_TABLE, l1, 0), 0);
        assert_int_equal(refs(mine), before);
        host_become(v);
    }
}

static void judges_table_entries(void **state)
{
    (void)state;
    for (unsigned level = 2; level <= 4; level++) {
        mfn_t child = unmapped_frame(), t = unmapped_frame();
        const struct { uint64_t entry; long rc; } rows[] = {
            { child << PAGE_SHIFT | RW_FLAGS, 0 },
            { child << PAGE_SHIFT | PTE_P, 0 },
            { ~1ull, 0 },
            { child << PAGE_SHIFT | RW_FLAGS | PTE_PS, -EINVAL },
            { child << PAGE_SHIFT | RW_FLAGS | PTE_G, -EINVAL },
            { t << PAGE_SHIFT | RW_FLAGS, -EINVAL },
            { mfn_of_va(SCRATCH) << PAGE_SHIFT | RW_FLAGS, -EINVAL },
            { mfn_of_pfn(other, 3) << PAGE_SHIFT | RW_FLAGS, -EINVAL },
            { max_mfn << PAGE_SHIFT | RW_FLAGS, -EINVAL },
            { d->shared_mfn << PAGE_SHIFT | RW_FLAGS, -EINVAL },
            { child << PAGE_SHIFT | RW_FLAGS | 1ull << 51, -EINVAL },
        };

        for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
            long rc;

            memset(mfn_to_virt(t), 0, PAGE_SIZE);
            set_entry(t, 7, child << PAGE_SHIFT | RW_FLAGS);
            set_entry(t, 9, rows[i].entry);
            rc = mmuext(MMUEXT_PIN_L1_TABLE + level - 1, t, 0);
            if (rc != rows[i].rc)
                fail_msg("L%u row %u by pin: %ld", level, i, rc);
            if (rc == 0)
                assert_int_equal(mmuext(MMUEXT_UNPIN_TABLE, t, 0), 0);
            assert_int_equal(refs(child), 1);
            assert_int_equal(type_refs(child), 0);

            memset(mfn_to_virt(t), 0, PAGE_SIZE);
            assert_int_equal(mmuext(MMUEXT_PIN_L1_TABLE + level - 1, t, 0), 0);
            rc = mmu_update((t << PAGE_SHIFT) + 9 * 8, rows[i].entry);
            if (rc != rows[i].rc)
                fail_msg("L%u row %u by mmu_update: %ld", level, i, rc);
            assert_int_equal(mmuext(MMUEXT_UNPIN_TABLE, t, 0), 0);
            assert_int_equal(refs(child), 1);
        }
        for (unsigned slot = HOLE_FIRST_SLOT; level == 4 && slot <= HOLE_LAST_SLOT; slot++) {
            set_entry(t, slot, 0x123456789067);     /* ignored, overwritten */
            assert_int_equal(mmuext(MMUEXT_PIN_L4_TABLE, t, 0), 0);
            assert_int_equal(mmu_update((t << PAGE_SHIFT) + slot * 8, 0), -EINVAL);
            assert_int_equal(mmuext(MMUEXT_UNPIN_TABLE, t, 0), 0);
        }
    }
}

/* All updates of the batch before the bad one are made and counted. */
static void batches_stop_where_they_fail(void **state)
{
    mfn_t l1 = unmapped_frame(), page = unmapped_frame();
    struct mmu_update u[3] = {
        { (l1 << PAGE_SHIFT) + 8, page << PAGE_SHIFT | RO_FLAGS },
        { (l1 << PAGE_SHIFT) + 16, l1 << PAGE_SHIFT | RW_FLAGS },
        { (l1 << PAGE_SHIFT) + 24, page << PAGE_SHIFT | RO_FLAGS },
    };
    unsigned done = 77;

    (void)state;
    assert_int_equal(mmuext(MMUEXT_PIN_L1_TABLE, l1, 0), 0);
    guest_put(SCRATCH, u, sizeof(u));
    assert_int_equal(hcall(__HYPERVISOR_mmu_update, SCRATCH, 3, SCRATCH + 256, DOMID_SELF), -EBUSY);
    guest_get(&done, SCRATCH + 256, 4);
    assert_int_equal(done, 1);
    assert_int_equal(refs(page), 2);
    assert_int_equal(hcall(__HYPERVISOR_mmu_update, SCRATCH, 1, 0, DOMID_SELF), 0);
    assert_int_equal(hcall(__HYPERVISOR_mmu_update, SCRATCH + 4 * PAGE_SIZE * 1024, 1, 0,
                           DOMID_SELF),
                     -EFAULT);
    assert_int_equal(hcall(__HYPERVISOR_mmu_update, HOLE_START, 1, 0, DOMID_SELF), -EFAULT);
    assert_int_equal(hcall(__HYPERVISOR_mmu_update, SCRATCH, ~0u, 0, DOMID_SELF) < 0, 1);
    assert_int_equal(hcall(__HYPERVISOR_mmu_update, SCRATCH, 1, 0, 2), -EPERM);
    assert_int_equal(hcall(__HYPERVISOR_mmu_update, SCRATCH, 1, 0, 99), -ESRCH);
}

static void ordinary_pages_take_plain_stores(void **state)
{
    mfn_t page = unmapped_frame();

    (void)state;
    assert_int_equal(mmu_update((page << PAGE_SHIFT) + 40, 0x1122334455667788), 0);
    assert_int_equal(((uint64_t *)mfn_to_virt(page))[5], 0x1122334455667788);
    assert_int_equal(mmu_update((page << PAGE_SHIFT) + 44, 1), -ENOSYS);
    assert_int_equal(mmu_update(mfn_of_pfn(other, 3) << PAGE_SHIFT, 1), -EINVAL);
    assert_int_equal(mmu_update(max_mfn << PAGE_SHIFT, 1), -EINVAL);
    assert_int_equal(mmu_update(~7ull, 1), -EINVAL);
    assert_int_equal(mmu_update(page << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, 4711), 0);
    assert_int_equal(m2p_table[page], 4711);
    assert_int_equal(mmu_update(mfn_of_pfn(other, 3) << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, 4711),
                     -EINVAL);
}

static void keeps_accessed_and_dirty(void **state)
{
    uint64_t slot = slot_maddr(FREE_PFN_VA), pte;

    (void)state;
    guest_put(FREE_PFN_VA, "x", 1);             /* the CPU sets A and D */
    pte = pte_at(FREE_PFN_VA);
    assert_true((pte & PTE_D) && (pte & PTE_A));
    assert_int_equal(mmu_update(slot | MMU_PT_UPDATE_PRESERVE_AD, pte & ~(PTE_A | PTE_D)), 0);
    assert_int_equal(pte_at(FREE_PFN_VA), pte);
    assert_int_equal(mmu_update(slot, pte & ~(PTE_A | PTE_D)), 0);
    assert_int_equal(pte_at(FREE_PFN_VA), pte & ~(PTE_A | PTE_D));
}

static mfn_t copy_of_l4(void)
{
    mfn_t l4 = unmapped_frame();

    memcpy(mfn_to_virt(l4), mfn_to_virt(v->root_kernel >> PAGE_SHIFT), PAGE_SIZE);
    return l4;
}

static void changes_roots(void **state)
{
    mfn_t first = v->root_kernel >> PAGE_SHIFT, l4 = copy_of_l4(), user = copy_of_l4();

    (void)state;
    assert_int_equal(mmuext(MMUEXT_NEW_BASEPTR, 0, 0), -EINVAL);
    assert_int_equal(mmuext(MMUEXT_NEW_BASEPTR, mfn_of_va(SCRATCH), 0), -EINVAL);
    assert_int_equal(mmuext(MMUEXT_NEW_BASEPTR, mfn_of_pfn(other, 3), 0), -EINVAL);
    assert_int_equal(host.cr3, first << PAGE_SHIFT);
    assert_int_equal(mmuext(MMUEXT_NEW_BASEPTR, l4, 0), 0);
    assert_int_equal(host.cr3, l4 << PAGE_SHIFT);
    assert_int_equal(mmuext(MMUEXT_NEW_USER_BASEPTR, user, 0), 0);
    assert_int_equal(v->root_user, user << PAGE_SHIFT);
    /* the old one goes; nobody runs on it */
    assert_int_equal(mmuext(MMUEXT_UNPIN_TABLE, first, 0), 0);
    assert_int_equal(type_refs(first), 0);
    assert_int_equal(mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0);
    assert_int_equal(type_refs(user), 0);
    assert_int_equal(mmuext(MMUEXT_NEW_BASEPTR, first, 0), 0);
    assert_int_equal(type_refs(l4), 0);
}

static void clears_and_copies(void **state)
{
    mfn_t a = unmapped_frame(), b = unmapped_frame();

    (void)state;
    memset(mfn_to_virt(a), 0x5a, PAGE_SIZE);
    assert_int_equal(mmuext(MMUEXT_COPY_PAGE, b, a), 0);
    assert_memory_equal(mfn_to_virt(a), mfn_to_virt(b), PAGE_SIZE);
    assert_int_equal(mmuext(MMUEXT_CLEAR_PAGE, b, 0), 0);
    assert_int_equal(((uint8_t *)mfn_to_virt(b))[4095], 0);
    assert_int_equal(mmuext(MMUEXT_CLEAR_PAGE, v->root_kernel >> PAGE_SHIFT, 0), -EINVAL);
    assert_int_equal(mmuext(MMUEXT_COPY_PAGE, b, mfn_of_pfn(other, 3)), -EINVAL);
    assert_int_equal(mmuext(MMUEXT_COPY_PAGE, mfn_of_pfn(other, 3), b), -EINVAL);
    assert_int_equal(mmuext(MMUEXT_COPY_PAGE, b, ~0ull), -EINVAL);
}

/* F8: the guest writes through a mapping, removes it without a flush, and makes the page a table.
 * The hypervisor must flush before it sets the type; host_audit, after each hypercall here, checks
 * that. */
static void flushes_before_a_page_becomes_a_table(void **state)
{
    mfn_t page = mfn_of_va(FREE_PFN_VA);
    uint64_t zero = 0;

    (void)state;
    for (unsigned i = 0; i < 512; i++)
        guest_put(FREE_PFN_VA + 8 * i, &zero, 8);
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, FREE_PFN_VA, 0, UVMF_NONE), 0);
    /* the stale translation, still legal */
    assert_true(host_guest_write(FREE_PFN_VA, &zero, 8));
    assert_int_equal(mmuext(MMUEXT_PIN_L1_TABLE, page, 0), 0);
    assert_false(host_guest_write(FREE_PFN_VA, &zero, 8));
    assert_int_equal(mmuext(MMUEXT_UNPIN_TABLE, page, 0), 0);
}

/* The same when the page leaves the guest: a stale read-only translation would show the next
 * owner's data. */
static void flushes_before_a_page_changes_hands(void **state)
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
static void emulates_stores_to_l1_tables(void **state)
{
    static const uint8_t mov[] = { 0x48, 0x89, 0x07 };          /* mov %rax, (%rdi) */
    struct cpu_user_regs *regs = guest_regs(v);
    uint64_t table_va = FREE_PFN_VA, mapped = FREE_PFN_VA + PAGE_SIZE;
    mfn_t target = unmapped_frame(), l1 = PTE_MFN(slot_maddr(mapped));
    uint64_t slot_va = table_va + slot_maddr(mapped) % PAGE_SIZE, handler = GUEST_BASE + 0x500;
    struct trap_info traps[2] =
        { { .vector = TRAP_PF, .cs = FLAT_KERNEL_CS64, .address = handler } };

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

/* A freed frame keeps its contents until it is allocated again, which flushes first. Its type word
 * then holds the order of the free block that begins with it. */
static void a_free_table_may_be_remembered(void **state)
{
    char *block = alloc_pages(4), *half = block + 8 * PAGE_SIZE;
    mfn_t table = virt_to_mfn(half);

    (void)state;
    host_tlb_set(3, GUEST_BASE, table, true, NULL);
    assert_false(host_walkable(table, 3, true));
    free_pages(half, 3);
    assert_int_equal(mfn_to_frame(table)->type & TYPE_COUNT_MASK, 3);
    assert_true(host_walkable(table, 3, true));
    host_tlb_audit();
    free_pages(block, 3);
}

/* Random requests about a few frames, of many domains: whatever the answers, all counts are
 * right. */
static void survives_random_requests(void **state)
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
            rc = mmuext(MMUEXT_PIN_L1_TABLE + what, a, 0);
        else if (what < 8)
            rc = mmuext(MMUEXT_UNPIN_TABLE, a, 0);
        else if (what < 15)
            rc = mmu_update((a << PAGE_SHIFT) + slot * 8, entry);
        else
            rc = mmuext(MMUEXT_CLEAR_PAGE, a, 0);
        good += rc == 0;
    }
    assert_in_range(good, 1000, 3900);
}

#define with_guests(test) cmocka_unit_test_setup_teardown(test, two_guests, machine_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guests(pins_and_unpins),
        with_guests(refuses_to_pin),
        with_guests(judges_l1_entries),
        with_guests(judges_table_entries),
        with_guests(batches_stop_where_they_fail),
        with_guests(ordinary_pages_take_plain_stores),
        with_guests(keeps_accessed_and_dirty),
        with_guests(changes_roots),
        with_guests(clears_and_copies),
        with_guests(flushes_before_a_page_becomes_a_table),
        with_guests(flushes_before_a_page_changes_hands),
        with_guests(a_free_table_may_be_remembered),
        with_guests(emulates_stores_to_l1_tables),
        cmocka_unit_test_setup_teardown(survives_random_requests, two_low_guests, machine_down),
    };

    return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
