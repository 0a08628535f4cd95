/* Linear page tables: entries of an L2, L3 or L4 to a table of that same level. frame_audit()
 * recounts F10 after each hypercall; the fake MMU walks through such entries as the CPU does, and
 * ends the test where the hypervisor itself would read its own memory by them. */
#include "arch/arch.h"
#include "cmocka_main.h"
#include <string.h>
#include "support.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/walk.h"
#include "xen/cpu/ioport.h"

#define RW (PTE_P | PTE_RW | PTE_US | PTE_A)
#define RO (PTE_P | PTE_US | PTE_A)
#define VIEW_SLOT 300u                  /* of the root: nothing of the guest's is there */

static struct domain *d;
static struct vcpu *v;

static int one_guest(void **state)
{
    low_machine_up(state);
    linear_tables = false;
    d = guest_make_sized(1, 1, GUEST_FRAMES, 256);
    assert_non_null(d);
    v = d->vcpu[0];
    host_become(v);
    return 0;
}

static long mmuext(unsigned cmd, mfn_t mfn)
{
    struct mmuext_op op = { .cmd = cmd, .arg1.mfn = mfn };

    guest_put(SCRATCH, &op, sizeof(op));
    return hcall(__HYPERVISOR_mmuext_op, SCRATCH, 1, 0, DOMID_SELF);
}

static long pin(unsigned level, mfn_t mfn)
{
    return mmuext(MMUEXT_PIN_L1_TABLE + level - 1, mfn);
}

static long unpin(mfn_t mfn)
{
    return mmuext(MMUEXT_UNPIN_TABLE, mfn);
}

static mfn_t pinned_table(unsigned level)
{
    mfn_t mfn = unmapped_frame();

    assert_int_equal(pin(level, mfn), 0);
    return mfn;
}

static long set(mfn_t table, unsigned slot, uint64_t entry)
{
    struct mmu_update u = { (table << PAGE_SHIFT) + 8 * slot, entry };

    guest_put(SCRATCH, &u, sizeof(u));
    return hcall(__HYPERVISOR_mmu_update, SCRATCH, 1, 0, DOMID_SELF);
}

static uint64_t to(mfn_t mfn, uint64_t flags)
{
    return mfn << PAGE_SHIFT | flags;
}

static uint64_t refs(mfn_t mfn)
{
    return mfn_to_frame(mfn)->count & FRAME_COUNT_MASK;
}

static uint64_t type_refs(mfn_t mfn)
{
    return mfn_to_frame(mfn)->type & TYPE_COUNT_MASK;
}

static uint64_t entry_of(mfn_t table, unsigned slot)
{
    return ((const uint64_t *)mfn_to_virt(table))[slot];
}

static void table_may_map_itself(void **state)
{
    (void)state;
    for (unsigned level = 2; level <= 4; level++) {
        mfn_t t = unmapped_frame(), late = pinned_table(level);

        ((uint64_t *)mfn_to_virt(t))[9] = to(t, PTE_P | PTE_RW);
        assert_int_equal(pin(level, t), -EINVAL);
        assert_int_equal(refs(t), 1);
        ((uint64_t *)mfn_to_virt(t))[9] = to(t, PTE_P);
        assert_int_equal(pin(level, t), 0);
        assert_int_equal(refs(t), 2);                   /* its owner's and the pin's */
        assert_int_equal(set(t, 9, to(t, RW)), -EINVAL);
        assert_int_equal(set(t, 10, to(t, RO)), 0);
        assert_int_equal(set(t, 10, to(t, RO | PTE_NX | PTE_D)), 0);
        assert_int_equal(set(t, 9, 0), 0);
        assert_int_equal(type_refs(t), 1);
        assert_int_equal(unpin(t), 0);
        assert_int_equal(refs(t), 1);
        assert_int_equal(type_refs(t), 0);

        assert_int_equal(set(late, 0, to(late, RW)), -EINVAL);
        assert_int_equal(entry_of(late, 0), 0);
        assert_int_equal(set(late, 0, to(late, RO)), 0);
        assert_int_equal(unpin(late), 0);
        assert_int_equal(type_refs(late), 0);
    }
}

/* The linear entry alone keeps the table's type, until the entry is removed. */
static void table_may_map_another_of_its_level(void **state)
{
    (void)state;
    for (unsigned level = 2; level <= 4; level++) {
        mfn_t a = pinned_table(level), b = pinned_table(level), child = unmapped_frame();

        assert_int_equal(set(b, 7, to(child, RW)), 0);
        assert_int_equal(set(a, 1, to(b, RW)), -EINVAL);
        assert_int_equal(set(a, 1, to(b, RO)), 0);
        assert_int_equal(set(a, 2, to(b, RO)), 0);
        assert_int_equal(refs(b), 4);
        assert_int_equal(type_refs(b), 3);
        /* no short cut for a change of flags (XSA-182) */
        assert_int_equal(set(a, 1, to(b, RW)), -EINVAL);
        assert_int_equal(set(a, 1, to(b, RO | PTE_D)), 0);
        assert_int_equal(unpin(b), 0);
        assert_int_equal(set(a, 1, 0), 0);
        assert_int_equal(mfn_to_frame(b)->type & TYPE_MASK, (uint64_t)level << TYPE_SHIFT);
        assert_int_equal(type_refs(child), 1);
        assert_int_equal(set(a, 2, 0), 0);
        assert_int_equal(type_refs(b), 0);
        assert_int_equal(type_refs(child), 0);
        assert_int_equal(refs(b), 1);

        assert_int_equal(pin(level, b), 0);
        assert_int_equal(set(a, 3, to(b, RO)), 0);
        assert_int_equal(unpin(b), 0);
        assert_int_equal(unpin(a), 0);                  /* both go, and what is below */
        assert_int_equal(refs(a) + refs(b) + refs(child), 3);
        assert_int_equal(type_refs(a) + type_refs(b) + type_refs(child), 0);
    }
}

/* XSA-240. With an entry of a for b, b may have no entry for a table of its level, and no other
 * table an entry for a. */
static void linear_entries_make_no_chains(void **state)
{
    (void)state;
    for (unsigned level = 2; level <= 4; level++) {
        mfn_t a = pinned_table(level), b = pinned_table(level), c = pinned_table(level),
            fresh = unmapped_frame();

        assert_int_equal(set(a, 0, to(b, RO)), 0);
        assert_int_equal(set(b, 0, to(c, RO)), -EINVAL);
        assert_int_equal(set(b, 0, to(a, RO)), -EINVAL);
        assert_int_equal(set(c, 0, to(a, RO)), -EINVAL);
        assert_int_equal(set(b, 0, to(b, RO)), 0);      /* its own does not count */
        assert_int_equal(set(a, 3, to(a, RO)), 0);
        assert_int_equal(set(c, 0, to(b, RO)), 0);      /* two may share one */
        assert_int_equal(set(a, 1, to(c, RO)), -EINVAL);
        ((uint64_t *)mfn_to_virt(fresh))[5] = to(b, RO);
        ((uint64_t *)mfn_to_virt(fresh))[6] = to(a, RO);
        assert_int_equal(pin(level, fresh), -EINVAL);   /* the first was taken, and is given back */
        assert_int_equal(type_refs(b), 3);
        assert_int_equal(set(a, 0, 0), 0);
        assert_int_equal(pin(level, fresh), 0);
        assert_int_equal(set(fresh, 6, 0), 0);
        assert_int_equal(set(a, 0, to(c, RO)), -EINVAL);    /* c maps b still */
        assert_int_equal(set(c, 0, 0), 0);
        assert_int_equal(set(fresh, 5, 0), 0);
        assert_int_equal(set(b, 1, to(a, RO)), 0);      /* now the other way round */
        assert_int_equal(unpin(a) | unpin(b) | unpin(c) | unpin(fresh), 0);
        assert_int_equal(type_refs(a) + type_refs(b) + type_refs(c) + type_refs(fresh), 0);
    }
}

static void linear_entry_needs_a_table_of_its_level(void **state)
{
    struct domain *other = guest_make(2, 1);
    mfn_t theirs;

    (void)state;
    assert_non_null(other);
    theirs = other->vcpu[0]->root_kernel >> PAGE_SHIFT;
    for (unsigned level = 2; level <= 4; level++) {
        mfn_t a = pinned_table(level), untyped = unmapped_frame();

        for (unsigned other_level = 1; other_level <= 4; other_level++) {
            mfn_t b = pinned_table(other_level);

            assert_int_equal(set(a, 0, to(b, RO)),
                             other_level == level || other_level == level - 1 ? 0 : -EINVAL);
            assert_int_equal(set(a, 0, 0), 0);
        }
        assert_int_equal(set(a, 0, to(theirs, RO)), -EINVAL);
        assert_int_equal(set(a, 0, to(mfn_of_va(SCRATCH), RO)), -EINVAL);
        assert_int_equal(set(a, 0, to(max_mfn, RO)), -EINVAL);
        /* becomes a table of the level below, as ever */
        assert_int_equal(set(a, 0, to(untyped, RO)), 0);
        assert_int_equal(mfn_to_frame(untyped)->type & TYPE_MASK, (level - 1ull) << TYPE_SHIFT);
    }
}

/* Both counts up to their ends. */
static void counts_do_not_overflow(void **state)
{
    mfn_t b = pinned_table(2), t = 0;
    uint64_t uses = 0;

    (void)state;
    for (unsigned n = 0; n < 32; n++) {
        t = unmapped_frame();
        for (unsigned i = 0; i < PTES_PER_TABLE; i++)
            ((uint64_t *)mfn_to_virt(t))[i] = to(b, RO);
        if (n == 31)
            break;
        assert_int_equal(pin(2, t), 0);
        uses += PTES_PER_TABLE;
        assert_int_equal(type_refs(b), uses + 1);
        assert_int_equal(set(t, 0, to(b, RO | PTE_D)), 0);  /* one more, for a moment */
    }
    assert_int_equal(pin(2, t), -EINVAL);               /* the 16,384th */
    assert_int_equal(type_refs(b), uses + 1);
    ((uint64_t *)mfn_to_virt(t))[511] = 0;
    assert_int_equal(pin(2, t), 0);
    assert_int_equal(set(t, 511, to(b, RO)), -EINVAL);
    assert_int_equal(set(t, 0, 0), 0);
    assert_int_equal(set(t, 511, to(b, RO)), 0);
}

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

static void shows_tables_read_only(void **state)
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
        struct gnttab_map_grant_ref map =
            { .host_addr = views[i], .flags = GNTMAP_host_map, .dom = 1 };

        assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, views[i], to(page, RW), UVMF_INVLPG),
                         -EINVAL);
        assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, views[i], 0, UVMF_NONE), -EINVAL);
        assert_int_equal(hcall_struct(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &map,
                                      sizeof(map)), 0);
        assert_true(map.status != GNTST_okay);
        assert_int_equal(read_guest_pte(v, views[i]), 0);
    }
    assert_int_equal(refs(page), 1);
    assert_int_equal(set(l2, 77, to(b, RO)), 0);
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, va_of(at, l3_at, 77, 0), to(page, RW),
                           0), -EINVAL);
}

/* An L4 used as a lower table contains the hypervisor's entries: neither guest nor hypervisor may
 * walk through them. */
static void hides_the_hypervisor(void **state)
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
    /* a range that begins before it, where pages are mapped */
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
static void forgets_an_entry_at_once(void **state)
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
static void ends_with_linear_tables(void **state)
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

/* Any order of anything about twelve frames. */
static void random_requests_keep_the_invariants(void **state)
{
    mfn_t pool[12];
    unsigned linear = 0;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(pool); i++)
        pool[i] = unmapped_frame();
    for (unsigned round = 0; round < 10000; round++) {
        mfn_t a = pool[host_random() % ARRAY_SIZE(pool)],
            b = pool[host_random() % ARRAY_SIZE(pool)];
        unsigned what = (unsigned)(host_random() % 16);

        if (what < 4)
            (void)pin(3 + what % 2, a);
        else if (what < 6)
            (void)unpin(a);
        else
            (void)set(a, (unsigned)(host_random() % 4),
                      host_random() % 2 &&
                      type_refs(a) ? to(b, host_random() % 8 ? RO : host_random() & RW) : 0);
        linear += (mfn_to_frame(a)->type & LINEAR_ENTRIES) != 0;
    }
    assert_in_range(linear, 300, 10000);
}

#define with_guest(test) cmocka_unit_test_setup_teardown(test, one_guest, machine_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guest(table_may_map_itself),
        with_guest(table_may_map_another_of_its_level),
        with_guest(linear_entries_make_no_chains),
        with_guest(linear_entry_needs_a_table_of_its_level),
        with_guest(counts_do_not_overflow),
        with_guest(shows_tables_read_only),
        with_guest(linear_entry_shows_no_l1),
        with_guest(hides_the_hypervisor),
        with_guest(iret_does_not_read_the_hypervisor),
        with_guest(forgets_an_entry_at_once),
        with_guest(ends_with_linear_tables),
        with_guest(random_requests_keep_the_invariants),
    };

    return cmocka_run_group_tests_name("linear", tests, NULL, NULL);
}
