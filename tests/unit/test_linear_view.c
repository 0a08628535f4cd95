/* What a guest sees through its linear entries: its own tables, read-only, and nothing of the
 * hypervisor. */
#include "cmocka_main.h"
#include "arch/arch.h"
#include "xen/cpu/ioport.h"
#include "linear_fixture.h"

#define VIEW_SLOT 300u                  /* of the root, where the guest has nothing */

/* The address by which the CPU reaches these slots, level by level. */
static uint64_t va_of(uint64_t l4, uint64_t l3, uint64_t l2, uint64_t l1)
{
    uint64_t va = l4 << 39 | l3 << 30 | l2 << 21 | l1 << 12;

    return l4 & 256 ? va | 0xffffull << 48 : va;
}

static mfn_t root_with_view(void)
{
    mfn_t root = v->root_kernel >> PAGE_SHIFT;

    assert_int_equal(set(root, VIEW_SLOT, to(root, RO)), 0);
    return root;
}

static void linear_view_is_read_only(void **state)
{
    mfn_t root = root_with_view();
    unsigned at = table_index(GUEST_BASE, 4);
    uint64_t self = va_of(VIEW_SLOT, VIEW_SLOT, VIEW_SLOT, VIEW_SLOT), word;
    uint64_t l1 = va_of(VIEW_SLOT, at, table_index(GUEST_BASE, 3), table_index(GUEST_BASE, 2)) +
                  8 * table_index(SCRATCH, 1);

    (void)state;
    guest_get(&word, self + 8 * VIEW_SLOT, 8);
    assert_int_equal(PTE_MFN(word), root);
    guest_get(&word, l1, 8);
    assert_int_equal(word | PTE_D, pte_at(SCRATCH) | PTE_D);
    assert_false(host_guest_write(self, &word, 8));
    assert_false(host_guest_write(l1, &word, 8));
    /* hypercalls read through it, too, but do not write */
    /* of domain 0 */
    assert_int_equal(hcall(__HYPERVISOR_memory_op, XENMEM_current_reservation, self + 8), -EPERM);
    assert_int_equal(hcall(__HYPERVISOR_memory_op, XENMEM_machphys_mapping, self), -EFAULT);
}

/* The CPU would use another table as an L1 here: the hypervisor must not store to it as to an
 * L1. */
static void linear_entry_shows_no_l1(void **state)
{
    mfn_t root = root_with_view(), page = unmapped_frame(), l2, b = pinned_table(2);
    unsigned at = table_index(GUEST_BASE, 4), l3_at = table_index(GUEST_BASE, 3);
    const uint64_t views[] = {
        va_of(VIEW_SLOT, VIEW_SLOT, VIEW_SLOT, VIEW_SLOT),
        va_of(VIEW_SLOT, VIEW_SLOT, VIEW_SLOT, 0),
        va_of(VIEW_SLOT, VIEW_SLOT, VIEW_SLOT, at), va_of(VIEW_SLOT, VIEW_SLOT, at, l3_at),
        va_of(VIEW_SLOT, at, l3_at, 5), va_of(at, l3_at, 77, 0), va_of(at, l3_at, 77, 77),
    };

    (void)state;
    l2 = PTE_MFN(entry_of(PTE_MFN(entry_of(root, at)), l3_at));
    assert_int_equal(set(l2, 77, to(l2, RO)), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(views); i++) {
        struct gnttab_map_grant_ref map = {
            .host_addr = views[i], .flags = GNTMAP_host_map, .dom = 1,
        };

        assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, views[i], to(page, RW), UVMF_INVLPG),
                         -EINVAL);
        assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, views[i], 0, UVMF_NONE), -EINVAL);
        assert_int_equal(hcall_struct(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &map,
                                      sizeof(map)), 0);
        assert_true(map.status != GNTST_okay);
        assert_int_equal(read_guest_pte(v, views[i]), 0);
    }
    assert_int_equal(frame_refs(page), 1);
    assert_int_equal(set(l2, 77, to(b, RO)), 0);
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, va_of(at, l3_at, 77, 0), to(page, RW),
                           0), -EINVAL);
}

/* An L4 used as a lower table contains the hypervisor's entries: neither guest nor hypervisor may
 * walk through them. */
static void linear_view_hides_the_hypervisor(void **state)
{
    mfn_t root = root_with_view(), b = pinned_table(4);
    uint8_t byte, bytes[3 * PAGE_SIZE];

    (void)state;
    assert_int_equal(set(root, VIEW_SLOT + 1, to(b, RO)), 0);
    for (unsigned slot = HOLE_FIRST_SLOT; slot <= HOLE_LAST_SLOT; slot++) {
        const uint64_t hidden[] = {
            va_of(VIEW_SLOT, slot, 3, 4) + 16, va_of(VIEW_SLOT, VIEW_SLOT, slot, 4),
            va_of(VIEW_SLOT, VIEW_SLOT, VIEW_SLOT, slot) + 4088, va_of(VIEW_SLOT + 1, slot, 0, 0),
            va_of(VIEW_SLOT, VIEW_SLOT + 1, slot, 0),
            va_of(VIEW_SLOT, VIEW_SLOT, VIEW_SLOT + 1, slot),
        };

        for (unsigned i = 0; i < ARRAY_SIZE(hidden); i++) {
            assert_false(host_guest_read(&byte, hidden[i], 1));
            assert_int_equal(hcall(__HYPERVISOR_memory_op, XENMEM_current_reservation, hidden[i]),
                             -EFAULT);
            assert_int_equal(hcall(__HYPERVISOR_mmu_update, hidden[i], 1, 0, DOMID_SELF), -EFAULT);
            assert_int_equal(hcall(__HYPERVISOR_multicall, hidden[i], 1), -EFAULT);
            v->iobmp = hidden[i];
            v->iobmp_ports = 65536;
            assert_false(guest_io_allowed(v, 0x80, 1));
        }
    }
    /* a range that begins in mapped pages before it */
    assert_int_equal(set(root, 255, to(pinned_table(3), RW)), 0);
    assert_int_equal(arch_copy_from_guest(bytes, va_of(VIEW_SLOT, VIEW_SLOT, VIEW_SLOT, 255),
                                          sizeof(bytes)),
                     sizeof(bytes));
    assert_int_equal(arch_copy_from_guest(bytes, va_of(VIEW_SLOT, VIEW_SLOT, VIEW_SLOT, 271) + 8,
                                          1), 1);
}

/* entry.S reads the frame of IRET, and must leave it to do_iret from the first linear entry on. */
static void iret_does_not_read_the_hypervisor(void **state)
{
    uint64_t frame[9] = { 99, 0, 0, 0, GUEST_BASE, 0xe030, 0x200, SCRATCH, 0xe02b };

    (void)state;
    assert_int_equal(v->iret_slow, 0);
    root_with_view();
    assert_int_equal(v->iret_slow, 1);
    guest_put(SCRATCH + 512, frame, sizeof(frame));
    guest_regs(v)->rsp = SCRATCH + 512;
    assert_int_equal(hcall(__HYPERVISOR_iret, 0), 99);
    assert_int_equal(v->iret_slow, 1);
    guest_regs(v)->rsp = va_of(VIEW_SLOT, 262, 0, 0);
    hcall(__HYPERVISOR_iret, 0);
    assert_true(d->crash_reason[0] != '\0');
}

/* Until the next flush the CPU may still use a linear entry of an L4 from its caches. The
 * hypervisor walks the tables itself, so they and the TLB must agree before it reads. */
static void removed_linear_entry_is_not_used(void **state)
{
    mfn_t root = root_with_view(), b = pinned_table(4), c = pinned_table(3);
    uint64_t before;

    (void)state;
    before = host.full_flushes;
    assert_int_equal(set(root, VIEW_SLOT, to(c, RW)), 0);
    assert_true(host.full_flushes > before);
    assert_int_equal(set(root, VIEW_SLOT, to(b, RO)), 0);
    before = host.full_flushes;
    assert_int_equal(set(root, VIEW_SLOT, 0), 0);
    assert_true(host.full_flushes > before);
}

/* A domain that ends with its tables in any state leaves no frame behind: machine_down counts. */
static void domain_with_linear_tables_loses_no_frame(void **state)
{
    (void)state;
    root_with_view();
    for (unsigned level = 2; level <= 4; level++) {
        mfn_t a = pinned_table(level), b = pinned_table(level);

        assert_int_equal(set(b, 0, to(b, RO)), 0);
        assert_int_equal(set(a, 0, to(a, RO)), 0);
        assert_int_equal(set(a, 1, to(b, RO)), 0);
        assert_int_equal(set(a, 2, to(b, RO)), 0);
        if (level == 3)
            assert_int_equal(unpin(b), 0);
        if (level == 4)
            assert_int_equal(set(v->root_kernel >> PAGE_SHIFT, 5, to(b, RO)), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guest(linear_view_is_read_only),
        with_guest(linear_entry_shows_no_l1),
        with_guest(linear_view_hides_the_hypervisor),
        with_guest(iret_does_not_read_the_hypervisor),
        with_guest(removed_linear_entry_is_not_used),
        with_guest(domain_with_linear_tables_loses_no_frame),
    };

    return cmocka_run_group_tests_name("linear view", tests, NULL, NULL);
}
