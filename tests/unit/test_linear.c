/* Linear entries, by which a page table maps a table of its own level: which are allowed, how
 * they are counted, and random requests. What a guest sees through them: test_linear_view.c. */
#include "cmocka_main.h"
#include "xen/core/alloc.h"
#include "linear_fixture.h"

static void table_may_map_itself(void **state)
{
    (void)state;
    for (unsigned level = 2; level <= 4; level++) {
        mfn_t t = unmapped_frame(), late = pinned_table(level);

        ((uint64_t *)mfn_to_virt(t))[9] = to(t, PTE_P | PTE_RW);
        assert_int_equal(pin(level, t), -EINVAL);
        assert_int_equal(frame_refs(t), 1);
        ((uint64_t *)mfn_to_virt(t))[9] = to(t, PTE_P);
        assert_int_equal(pin(level, t), 0);
        assert_int_equal(frame_refs(t), 2);                   /* its owner's and the pin's */
        assert_int_equal(set(t, 9, to(t, RW)), -EINVAL);
        assert_int_equal(set(t, 10, to(t, RO)), 0);
        assert_int_equal(set(t, 10, to(t, RO | PTE_NX | PTE_D)), 0);
        assert_int_equal(set(t, 9, 0), 0);
        assert_int_equal(frame_type_refs(t), 1);
        assert_int_equal(unpin(t), 0);
        assert_int_equal(frame_refs(t), 1);
        assert_int_equal(frame_type_refs(t), 0);

        assert_int_equal(set(late, 0, to(late, RW)), -EINVAL);
        assert_int_equal(entry_of(late, 0), 0);
        assert_int_equal(set(late, 0, to(late, RO)), 0);
        assert_int_equal(unpin(late), 0);
        assert_int_equal(frame_type_refs(late), 0);
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
        assert_int_equal(frame_refs(b), 4);
        assert_int_equal(frame_type_refs(b), 3);
        /* no short cut for a change of flags (XSA-182) */
        assert_int_equal(set(a, 1, to(b, RW)), -EINVAL);
        assert_int_equal(set(a, 1, to(b, RO | PTE_D)), 0);
        assert_int_equal(unpin(b), 0);
        assert_int_equal(set(a, 1, 0), 0);
        assert_int_equal(frame_type(mfn_to_frame(b)), (uint64_t)level << TYPE_SHIFT);
        assert_int_equal(frame_type_refs(child), 1);
        assert_int_equal(set(a, 2, 0), 0);
        assert_int_equal(frame_type_refs(b), 0);
        assert_int_equal(frame_type_refs(child), 0);
        assert_int_equal(frame_refs(b), 1);

        assert_int_equal(pin(level, b), 0);
        assert_int_equal(set(a, 3, to(b, RO)), 0);
        assert_int_equal(unpin(b), 0);
        assert_int_equal(unpin(a), 0);                  /* both tables end, and those below */
        assert_int_equal(frame_refs(a) + frame_refs(b) + frame_refs(child), 3);
        assert_int_equal(frame_type_refs(a) + frame_type_refs(b) + frame_type_refs(child), 0);
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
        assert_int_equal(set(b, 0, to(b, RO)), 0);      /* its own entry does not count */
        assert_int_equal(set(a, 3, to(a, RO)), 0);
        assert_int_equal(set(c, 0, to(b, RO)), 0);      /* two may share one */
        assert_int_equal(set(a, 1, to(c, RO)), -EINVAL);
        ((uint64_t *)mfn_to_virt(fresh))[5] = to(b, RO);
        ((uint64_t *)mfn_to_virt(fresh))[6] = to(a, RO);
        /* the first reference was taken, and is dropped again */
        assert_int_equal(pin(level, fresh), -EINVAL);
        assert_int_equal(frame_type_refs(b), 3);
        assert_int_equal(set(a, 0, 0), 0);
        assert_int_equal(pin(level, fresh), 0);
        assert_int_equal(set(fresh, 6, 0), 0);
        assert_int_equal(set(a, 0, to(c, RO)), -EINVAL);    /* c maps b still */
        assert_int_equal(set(c, 0, 0), 0);
        assert_int_equal(set(fresh, 5, 0), 0);
        assert_int_equal(set(b, 1, to(a, RO)), 0);      /* now the other way round */
        assert_int_equal(unpin(a) | unpin(b) | unpin(c) | unpin(fresh), 0);
        assert_int_equal(frame_type_refs(a) + frame_type_refs(b) + frame_type_refs(c) +
                         frame_type_refs(fresh), 0);
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
        /* becomes a table of the level below, as without linear entries */
        assert_int_equal(set(a, 0, to(untyped, RO)), 0);
        assert_int_equal(frame_type(mfn_to_frame(untyped)), (level - 1ull) << TYPE_SHIFT);
    }
}

/* Both counts up to their limits. */
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
        assert_int_equal(frame_type_refs(b), uses + 1);
        assert_int_equal(set(t, 0, to(b, RO | PTE_D)), 0);  /* one more, which is dropped again */
    }
    assert_int_equal(pin(2, t), -EINVAL);               /* the 16,384th */
    assert_int_equal(frame_type_refs(b), uses + 1);
    ((uint64_t *)mfn_to_virt(t))[511] = 0;
    assert_int_equal(pin(2, t), 0);
    assert_int_equal(set(t, 511, to(b, RO)), -EINVAL);
    assert_int_equal(set(t, 0, 0), 0);
    assert_int_equal(set(t, 511, to(b, RO)), 0);
}

/* Random requests about twelve frames, in any order. */
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
                      frame_type_refs(a) ? to(b, host_random() % 8 ? RO : host_random() & RW) : 0);
        linear += (mfn_to_frame(a)->linear & LINEAR_ENTRIES) != 0;
    }
    assert_in_range(linear, 300, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guest(table_may_map_itself),
        with_guest(table_may_map_another_of_its_level),
        with_guest(linear_entries_make_no_chains),
        with_guest(linear_entry_needs_a_table_of_its_level),
        with_guest(counts_do_not_overflow),
        with_guest(random_requests_keep_the_invariants),
    };

    return cmocka_run_group_tests_name("linear", tests, NULL, NULL);
}
