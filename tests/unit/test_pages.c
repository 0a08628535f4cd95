/* Page types: tables that are pinned, entries that are validated or refused, batches, roots. Not
 * here: flushes, emulated stores and random requests (test_pages_flush.c), linear entries
 * (test_linear.c). */
#include "cmocka_main.h"
#include "xen/core/alloc.h"
#include "xen/core/frame.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/pagetype.h"
#include "pages_fixture.h"

static void set_entry(mfn_t table, unsigned i, uint64_t entry)
{
    ((uint64_t *)mfn_to_virt(table))[i] = entry;
}

static void table_is_pinned_and_unpinned(void **state)
{
    static const unsigned pin[] = {MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE, MMUEXT_PIN_L3_TABLE,
                                   MMUEXT_PIN_L4_TABLE};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        mfn_t mfn = unmapped_frame();

        assert_int_equal(hcall_mmuext(MMUEXT_UNPIN_TABLE, mfn, 0), -EINVAL);
        assert_int_equal(hcall_mmuext(pin[i], mfn, 0), 0);
        assert_int_equal(mfn_to_frame(mfn)->word,
                         (i + 1ull) << TYPE_SHIFT | TYPE_PINNED | TYPE_VALIDATED |
                             FRAME_ALLOCATED | FRAME_COUNTED | TYPE_REF | 2);
        assert_int_equal(frame_refs(mfn), 2);
        for (unsigned j = 0; j < 4; j++)
            assert_int_equal(hcall_mmuext(pin[j], mfn, 0), -EINVAL);
        assert_int_equal(frame_refs(mfn), 2);
        assert_int_equal(hcall_mmuext(MMUEXT_UNPIN_TABLE, mfn, 0), 0);
        assert_int_equal(frame_refs(mfn), 1);
        assert_int_equal(hcall_mmuext(MMUEXT_UNPIN_TABLE, mfn, 0), -EINVAL);
    }
}

static void frames_of_other_kinds_are_not_pinned(void **state)
{
    mfn_t theirs = mfn_of_pfn(other, 3);

    (void)state;
    /* mapped writable */
    assert_int_equal(hcall_mmuext(MMUEXT_PIN_L1_TABLE, mfn_of_va(FREE_PFN_VA), 0), -EINVAL);
    assert_int_equal(hcall_mmuext(MMUEXT_PIN_L1_TABLE, theirs, 0), -EINVAL);
    assert_int_equal(hcall_mmuext(MMUEXT_PIN_L1_TABLE, max_mfn, 0), -EINVAL);
    assert_int_equal(hcall_mmuext(MMUEXT_PIN_L1_TABLE, ~0ull, 0), -EINVAL);
    /* no RAM */
    assert_int_equal(hcall_mmuext(MMUEXT_PIN_L1_TABLE, 1, 0), -EINVAL);
    assert_int_equal(hcall_mmuext(MMUEXT_PIN_L1_TABLE, d->shared_mfn, 0), -EINVAL);
    assert_int_equal(hcall_mmuext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(host_vcpu(v)->token), 0),
                     -EINVAL);
}

static void l1_entries_are_validated(void **state)
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
        uint64_t before = frame_refs(mine), types = frame_type_refs(mine);
        long rc;

        set_entry(l1, 0, mine << PAGE_SHIFT | RW_FLAGS);    /* undone when a later one is refused */
        set_entry(l1, 511, table_of[i].entry);
        rc = hcall_mmuext(MMUEXT_PIN_L1_TABLE, l1, 0);
        if (rc != table_of[i].rc)
            fail_msg("row %u, entry %lx, by pin: %ld", i, table_of[i].entry, rc);
        if (rc == 0)
            assert_int_equal(hcall_mmuext(MMUEXT_UNPIN_TABLE, l1, 0), 0);
        assert_int_equal(frame_refs(mine), before);
        assert_int_equal(frame_type_refs(mine), types);

        set_entry(l1, 511, 0);
        assert_int_equal(hcall_mmuext(MMUEXT_PIN_L1_TABLE, l1, 0), 0);
        rc = hcall_mmu_update((l1 << PAGE_SHIFT) + 511 * 8, table_of[i].entry);
        if (rc != table_of[i].rc)
            fail_msg("row %u, entry %lx, by mmu_update: %ld", i, table_of[i].entry, rc);
        assert_int_equal(((uint64_t *)mfn_to_virt(l1))[511] & PTE_P,
                         rc == 0 ? table_of[i].entry & PTE_P : 0);
        rc = hcall(__HYPERVISOR_update_va_mapping, FREE_PFN_VA, table_of[i].entry, UVMF_INVLPG);
        if (rc != table_of[i].rc)
            fail_msg("row %u, entry %lx, by update_va_mapping: %ld", i, table_of[i].entry, rc);
        assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, FREE_PFN_VA, 0, UVMF_TLB_FLUSH), 0);
        assert_int_equal(hcall_mmuext(MMUEXT_UNPIN_TABLE, l1, 0), 0);
        assert_int_equal(frame_refs(mine), before);
        host_become(v);
    }
}

static void table_entries_are_validated(void **state)
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
            rc = hcall_mmuext(MMUEXT_PIN_L1_TABLE + level - 1, t, 0);
            if (rc != rows[i].rc)
                fail_msg("L%u row %u by pin: %ld", level, i, rc);
            if (rc == 0)
                assert_int_equal(hcall_mmuext(MMUEXT_UNPIN_TABLE, t, 0), 0);
            assert_int_equal(frame_refs(child), 1);
            assert_int_equal(frame_type_refs(child), 0);

            memset(mfn_to_virt(t), 0, PAGE_SIZE);
            assert_int_equal(hcall_mmuext(MMUEXT_PIN_L1_TABLE + level - 1, t, 0), 0);
            rc = hcall_mmu_update((t << PAGE_SHIFT) + 9 * 8, rows[i].entry);
            if (rc != rows[i].rc)
                fail_msg("L%u row %u by mmu_update: %ld", level, i, rc);
            assert_int_equal(hcall_mmuext(MMUEXT_UNPIN_TABLE, t, 0), 0);
            assert_int_equal(frame_refs(child), 1);
        }
        for (unsigned slot = HOLE_FIRST_SLOT; level == 4 && slot <= HOLE_LAST_SLOT; slot++) {
            set_entry(t, slot, 0x123456789067);     /* ignored, overwritten */
            assert_int_equal(hcall_mmuext(MMUEXT_PIN_L4_TABLE, t, 0), 0);
            assert_int_equal(hcall_mmu_update((t << PAGE_SHIFT) + slot * 8, 0), -EINVAL);
            assert_int_equal(hcall_mmuext(MMUEXT_UNPIN_TABLE, t, 0), 0);
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
    assert_int_equal(hcall_mmuext(MMUEXT_PIN_L1_TABLE, l1, 0), 0);
    guest_put(SCRATCH, u, sizeof(u));
    assert_int_equal(hcall(__HYPERVISOR_mmu_update, SCRATCH, 3, SCRATCH + 256, DOMID_SELF), -EBUSY);
    guest_get(&done, SCRATCH + 256, 4);
    assert_int_equal(done, 1);
    assert_int_equal(frame_refs(page), 2);
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
    assert_int_equal(hcall_mmu_update((page << PAGE_SHIFT) + 40, 0x1122334455667788), 0);
    assert_int_equal(((uint64_t *)mfn_to_virt(page))[5], 0x1122334455667788);
    assert_int_equal(hcall_mmu_update((page << PAGE_SHIFT) + 44, 1), -ENOSYS);
    assert_int_equal(hcall_mmu_update(mfn_of_pfn(other, 3) << PAGE_SHIFT, 1), -EINVAL);
    assert_int_equal(hcall_mmu_update(max_mfn << PAGE_SHIFT, 1), -EINVAL);
    assert_int_equal(hcall_mmu_update(~7ull, 1), -EINVAL);
    assert_int_equal(hcall_mmu_update(page << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, 4711), 0);
    assert_int_equal(m2p_table[page], 4711);
    assert_int_equal(hcall_mmu_update(mfn_of_pfn(other, 3) << PAGE_SHIFT | MMU_MACHPHYS_UPDATE,
                                      4711),
                     -EINVAL);
}

static void accessed_and_dirty_bits_are_kept(void **state)
{
    uint64_t slot = slot_maddr(FREE_PFN_VA), pte;

    (void)state;
    guest_put(FREE_PFN_VA, "x", 1);             /* the CPU sets A and D */
    pte = pte_at(FREE_PFN_VA);
    assert_true((pte & PTE_D) && (pte & PTE_A));
    assert_int_equal(hcall_mmu_update(slot | MMU_PT_UPDATE_PRESERVE_AD, pte & ~(PTE_A | PTE_D)), 0);
    assert_int_equal(pte_at(FREE_PFN_VA), pte);
    assert_int_equal(hcall_mmu_update(slot, pte & ~(PTE_A | PTE_D)), 0);
    assert_int_equal(pte_at(FREE_PFN_VA), pte & ~(PTE_A | PTE_D));
}

static mfn_t copy_of_l4(void)
{
    mfn_t l4 = unmapped_frame();

    memcpy(mfn_to_virt(l4), mfn_to_virt(v->root_kernel >> PAGE_SHIFT), PAGE_SIZE);
    return l4;
}

static void new_root_releases_the_old_one(void **state)
{
    mfn_t first = v->root_kernel >> PAGE_SHIFT, l4 = copy_of_l4(), user = copy_of_l4();

    (void)state;
    assert_int_equal(hcall_mmuext(MMUEXT_NEW_BASEPTR, 0, 0), -EINVAL);
    assert_int_equal(hcall_mmuext(MMUEXT_NEW_BASEPTR, mfn_of_va(SCRATCH), 0), -EINVAL);
    assert_int_equal(hcall_mmuext(MMUEXT_NEW_BASEPTR, mfn_of_pfn(other, 3), 0), -EINVAL);
    assert_int_equal(host.cr3, first << PAGE_SHIFT);
    assert_int_equal(hcall_mmuext(MMUEXT_NEW_BASEPTR, l4, 0), 0);
    assert_int_equal(host.cr3, l4 << PAGE_SHIFT);
    assert_int_equal(hcall_mmuext(MMUEXT_NEW_USER_BASEPTR, user, 0), 0);
    assert_int_equal(v->root_user, user << PAGE_SHIFT);
    /* the old root is released, as no vCPU runs on it */
    assert_int_equal(hcall_mmuext(MMUEXT_UNPIN_TABLE, first, 0), 0);
    assert_int_equal(frame_type_refs(first), 0);
    assert_int_equal(hcall_mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0);
    assert_int_equal(frame_type_refs(user), 0);
    assert_int_equal(hcall_mmuext(MMUEXT_NEW_BASEPTR, first, 0), 0);
    assert_int_equal(frame_type_refs(l4), 0);
}

/* A frame with 2^26 references and one gets no further one, of no kind. */
static void full_counts_are_refused(void **state)
{
    mfn_t mfn = unmapped_frame();
    struct frame *f = mfn_to_frame(mfn), *got;
    uint64_t va = FREE_PFN_VA, ro = mfn << PAGE_SHIFT | RO_FLAGS, word = f->word;

    (void)state;
    f->word += FRAME_COUNT_GUARD - 1;
    assert_int_equal(do_update_va_mapping(va, ro, UVMF_INVLPG), 0);
    assert_int_equal(f->word, word + FRAME_COUNT_GUARD);
    assert_int_equal(do_update_va_mapping(va + PAGE_SIZE, ro, UVMF_INVLPG), -EBUSY);
    assert_int_equal(do_update_va_mapping(va + PAGE_SIZE, ro | PTE_RW, UVMF_INVLPG), -EBUSY);
    assert_int_equal(get_page_and_type(mfn, d, TYPE_WRITABLE, &got), -EINVAL);
    assert_int_equal(get_page_and_type(mfn, d, TYPE_L1, &got), -EINVAL);
    assert_false(get_page(f, d));
    assert_int_equal(f->word, word + FRAME_COUNT_GUARD);
    f->word -= FRAME_COUNT_GUARD - 1;
    assert_int_equal(do_update_va_mapping(va, 0, UVMF_INVLPG), 0);
    assert_int_equal(f->word, word);
    audit();
}

/* By mmu_update, to a page that is no table: mapped for writing, for reading, not at all. Its
 * references are afterwards what they were (the audits of hcall). */
static void stores_to_ordinary_pages(void **state)
{
    static const uint64_t flags[] = { RW_FLAGS, RO_FLAGS, 0, RW_FLAGS };
    mfn_t page = mfn_of_va(FREE_PFN_VA), foreign = mfn_of_pfn(other, 3);
    uint64_t *word = (uint64_t *)mfn_to_virt(page) + 5, before;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
        uint64_t entry = flags[i] != 0 ? page << PAGE_SHIFT | flags[i] : 0;

        assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, FREE_PFN_VA, entry, UVMF_INVLPG), 0);
        before = mfn_to_frame(page)->word;
        assert_int_equal(hcall_mmu_update((page << PAGE_SHIFT) + 5 * 8, 0x1234567 + i), 0);
        assert_int_equal(*word, 0x1234567 + i);
        assert_int_equal(mfn_to_frame(page)->word, before);
        before = mfn_to_frame(foreign)->word;
        assert_int_equal(hcall_mmu_update(foreign << PAGE_SHIFT, i), -EINVAL);
        assert_int_equal(mfn_to_frame(foreign)->word, before);
    }
    /* ... and to one that was a table, and is none any more. */
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, FREE_PFN_VA, 0, UVMF_INVLPG), 0);
    memset(mfn_to_virt(page), 0, PAGE_SIZE);
    assert_int_equal(hcall_mmuext(MMUEXT_PIN_L1_TABLE, page, 0), 0);
    assert_int_equal(hcall_mmuext(MMUEXT_UNPIN_TABLE, page, 0), 0);
    assert_int_equal(hcall_mmu_update((page << PAGE_SHIFT) + 5 * 8, 0x1234567), 0);
    assert_int_equal(*word, 0x1234567);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guests(stores_to_ordinary_pages),
        with_guests(table_is_pinned_and_unpinned),
        with_guests(frames_of_other_kinds_are_not_pinned),
        with_guests(l1_entries_are_validated),
        with_guests(table_entries_are_validated),
        with_guests(batches_stop_where_they_fail),
        with_guests(ordinary_pages_take_plain_stores),
        with_guests(accessed_and_dirty_bits_are_kept),
        with_guests(new_root_releases_the_old_one),
        with_guests(full_counts_are_refused),
    };

    return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
