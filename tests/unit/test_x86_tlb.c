/* The loads of CR3 and the flushes of arch/x86_64/tlb.c, on a CPU that caches at every instant
 * whatever it may: after each write of a control register, a translation from the loaded root, by
 * the old tables if it walked them before, global if PGE is on. */
#include "cmocka_main.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/features.h"
#include "xen/core/domain.h"
#include "xen/core/sched.h"
#include "support.h"

#define OLD_ROOT 0x1000u
#define NEW_ROOT 0x2000u

static uint64_t loaded_root, flags;
static bool cached[2][2];               /* by root: that of NEW_ROOT, global */
struct cpu_features cpu_features;
static struct domain dom;
static struct vcpu runs;

static void cache(void)
{
    cached[loaded_root == NEW_ROOT][0] = true;
    if (flags & CR4_PGE)
        cached[loaded_root == NEW_ROOT][1] = true;
}

static void drop(bool global)
{
    for (unsigned root = 0; root < 2; root++) {
        cached[root][0] = false;
        if (global)
            cached[root][1] = false;
    }
}

/* Another CPU advances the epoch meanwhile. */
static void write_fake_cr3(uint64_t value)
{
    assert_int_equal(value & 0xfff, 0);
    drop(!(flags & CR4_PGE));
    loaded_root = value;
    dom.epoch++;
    cache();
}

static void write_fake_cr4(uint64_t value)
{
    assert_int_equal((value ^ flags) & ~CR4_PGE, 0);
    if (value != flags)
        drop(true);
    flags = value;
    cache();
}

static uint64_t read_fake_cr3(void)
{
    return loaded_root;
}

static uint64_t read_fake_cr4(void)
{
    return flags;
}

#define write_cr3 write_fake_cr3
#define write_cr4 write_fake_cr4
#define read_cr3 read_fake_cr3
#define read_cr4 read_fake_cr4
#define arch_flush_all x86_flush_all
#define arch_load_root x86_load_root
#define arch_load_root_and_flush x86_load_root_and_flush
#define arch_flush_tlb_one x86_flush_tlb_one
void x86_flush_all(void);
void x86_load_root(struct vcpu *v);
void x86_load_root_and_flush(struct vcpu *v);
void x86_flush_tlb_one(uint64_t va);
#include "arch/x86_64/tlb.c"

/* With the old root and all that it can have cached. */
static void begin(bool pge)
{
    loaded_root = OLD_ROOT;
    flags = 0x6a0 & (pge ? ~0ul : ~CR4_PGE);
    dom = (struct domain){ .epoch = 5 };
    runs = (struct vcpu){ .domain = &dom, .root_kernel = NEW_ROOT, .root_user = OLD_ROOT,
                       .kernel_mode = true, .flushed = 1 };
    drop(true);
    cache();
    current = &runs;
    cpu_features.pge = pge;
}

static void check(uint64_t root, bool pge, uint64_t flushed)
{
    assert_int_equal(loaded_root, root);
    assert_int_equal(flags, 0x6a0 & (pge ? ~0ul : ~CR4_PGE));
    assert_int_equal(runs.flushed, flushed);
    current = NULL;
}

static void mode_changes_keep_global_translations(void **state)
{
    (void)state;
    for (unsigned pge = 0; pge < 2; pge++) {
        begin(pge);
        x86_load_root(&runs);
        assert_false(cached[0][0]);
        assert_int_equal(cached[0][1], pge);
        check(NEW_ROOT, pge, 1);
        begin(pge);
        runs.kernel_mode = false;
        x86_load_root(&runs);
        check(OLD_ROOT, pge, 1);
    }
}

static void a_root_is_loaded_and_nothing_is_left(void **state)
{
    (void)state;
    for (unsigned pge = 0; pge < 2; pge++) {
        begin(pge);
        x86_load_root_and_flush(&runs);
        assert_false(cached[0][0] || cached[0][1]);
        check(NEW_ROOT, pge, 5);
        begin(pge);
        load_root_and_flush(&runs, NEW_ROOT);
        assert_false(cached[0][0] || cached[0][1]);
        check(NEW_ROOT, pge, 5);
    }
}

/* The root stays: what it had cached before must go once, at any moment after the call began. */
static void a_flush_leaves_nothing(void **state)
{
    (void)state;
    for (unsigned pge = 0; pge < 2; pge++) {
        begin(pge);
        cached[1][0] = true;            /* stands for what was cached by the tables as they were */
        cached[1][1] = pge;
        x86_flush_all();
        assert_false(cached[1][0] || cached[1][1]);
        check(OLD_ROOT, pge, 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mode_changes_keep_global_translations),
        cmocka_unit_test(a_root_is_loaded_and_nothing_is_left),
        cmocka_unit_test(a_flush_leaves_nothing),
    };

    return cmocka_run_group_tests_name("x86_tlb", tests, NULL, NULL);
}
