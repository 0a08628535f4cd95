/* What is traced: the words of trace=, the classes of each domain, the key, and the ring's share of
 * memory when guests are built. */
#include <stdlib.h>
#include "cmocka_main.h"
#include "xen/boot/boot_info.h"
#include "xen/boot/modules.h"
#include "xen/core/alloc.h"
#include "xen/core/claim.h"
#include "xen/core/domain_list.h"
#include "xen/core/sched.h"
#include "xen/core/trace_control.h"
#include "trace_ring_fixture.h"

static void trace_words_are_parsed(void **state)
{
    static const struct { const char *words; bool ok; uint32_t classes; } table[] = {
        { "", true, TRACE_ALL },
        { "all", true, TRACE_ALL },
        { "off", true, 0 },
        { "hypercall", true, TRACE_HYPERCALL },
        { "hypercalls", true, TRACE_HYPERCALL | TRACE_ARGS },
        { "args", true, TRACE_ARGS }, { "trap", true, TRACE_TRAP }, { "emul", true, TRACE_EMUL },
        { "event", true, TRACE_EVENT }, { "sched", true, TRACE_SCHED }, { "mem", true, TRACE_MEM },
        { "trap,event,mem", true, TRACE_TRAP | TRACE_EVENT | TRACE_MEM },
        { "-sched", true, TRACE_ALL & ~TRACE_SCHED },
        { "-sched,-mem", true, TRACE_ALL & ~TRACE_SCHED & ~TRACE_MEM },
        { "all,-args", true, TRACE_ALL & ~TRACE_ARGS },
        { "hypercalls,-args,trap", true, TRACE_HYPERCALL | TRACE_TRAP },
        { "-hypercalls,args", true, TRACE_ALL & ~TRACE_HYPERCALL },
        { "-all", true, 0 }, { "off,trap", true, TRACE_TRAP }, { "trap,trap", true, TRACE_TRAP },
        { "everything", false, 0 }, { "hypercal", false, 0 }, { "hypercallss", false, 0 },
        { "ALL", false, 0 },
        { "trap,", true, TRACE_TRAP }, { ",trap", false, 0 }, { "trap,,mem", false, 0 },
        { ",", false, 0 },
        { "-", false, 0 }, { "--trap", false, 0 }, { "+trap", false, 0 }, { "trap mem", false, 0 },
        { "trap;mem", false, 0 }, { "trap,bogus", false, 0 }, { "0", false, 0 },
        { " trap", false, 0 },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        uint32_t classes = 0x5555;

        if (trace_parse(table[i].words, &classes) != table[i].ok)
            fail_msg("\"%s\" was%s taken", table[i].words, table[i].ok ? " not" : "");
        /* a wrong list changes nothing, not even by its correct words */
        if (classes != (table[i].ok ? table[i].classes : 0x5555))
            fail_msg("\"%s\": %x", table[i].words, classes);
    }
}

static void each_domain_has_its_own_classes(void **state)
{
    (void)state;
    start(TRACE_HYPERCALL);
    assert_int_equal(trace_on, TRACE_HYPERCALL);
    trace_domain(b, TRACE_TRAP);
    EXPECT(TRC_PARAGON_CLASSES, TRACE_HYPERCALL | TRACE_TRAP);
    (void)version();
    EXPECT(TRC_PV_HYPERCALL_V2, ANY, XENVER_version, 0, 0);
    EXPECT(TRC_PARAGON_RESULT, 17, ANY, ANY, ANY, 0);
    TRACE(TRACE_TRAP, TRC_PV_TRAP | TRC_64_FLAG, 1, 2, 3);
    EXPECT_END();
    become(b->vcpu[0]);
    EXPECT(CHANGE(running, blocked), A0);
    EXPECT(CHANGE(blocked, runnable), B0);
    EXPECT(CHANGE(runnable, running), B0);
    (void)version();
    EXPECT_END();
    TRACE(TRACE_TRAP, TRC_PV_TRAP | TRC_64_FLAG, 1, 2, 3);
    EXPECT(TRC_PV_TRAP | TRC_64_FLAG, 1, 2, 3);
    trace_domain(a, 0);
    EXPECT(TRC_PARAGON_CLASSES, TRACE_TRAP);
    trace_domain(b, 0);
    EXPECT(TRC_PARAGON_CLASSES, 0);
    assert_int_equal(trace_on, 0);
    TRACE(TRACE_TRAP, TRC_PV_TRAP | TRC_64_FLAG, 1, 2, 3);
    become(a->vcpu[0]);
    (void)version();
    EXPECT_END();
}

static void add_module(const void *data, size_t size, const char *string)
{
    struct boot_module *m = &boot_info.modules[boot_info.nr_modules++];
    mfn_t mfn = alloc_frames(1);

    memcpy(mfn_to_virt(mfn), data, size);
    m->start = mfn << PAGE_SHIFT;
    m->size = size;
    strcpy(m->string, string);
}

static void module_words_choose_classes(void **state)
{
    static struct tiny_elf kernel;

    (void)state;
    become(cpus[0]->idle);
    guests_end();
    elf_make(&kernel);
    strcpy(boot_info.loader, "GRUB 2.06");
    boot_info.nr_modules = 0;
    trace_config.classes = TRACE_EVENT;
    add_module(&kernel, sizeof(kernel), "name=as-all mem=4M --");
    add_module(&kernel, sizeof(kernel), "name=own mem=4M trace=hypercalls,-args -- trace=all");
    add_module(&kernel, sizeof(kernel), "name=none mem=4M trace=off --");
    add_module(&kernel, sizeof(kernel), "name=bad mem=4M trace=hypercall,bogus --");
    build_all_domains();
    assert_int_equal(domain_by_id(1)->trace, TRACE_EVENT);
    assert_int_equal(domain_by_id(2)->trace, TRACE_HYPERCALL);
    assert_int_equal(domain_by_id(3)->trace, 0);
    assert_null(domain_by_id(4));
    assert_true(console_has("module word \"trace=hypercall,bogus\": not a value for it"));
    assert_int_equal(trace_on, TRACE_EVENT | TRACE_HYPERCALL);
    boot_info.nr_modules = 0;
    boot_info.loader[0] = '\0';
}

/* The ring of a module's own trace= is not taken from the memory that guests without mem= share. */
static void ring_is_not_in_guests_shares(void **state)
{
    const uint64_t ring = (1 << 20) / PAGE_SIZE;        /* the smallest size that changes a share */
    static struct tiny_elf kernel;
    uint64_t free;

    (void)state;
    become(cpus[0]->idle);
    guests_end();
    elf_make(&kernel);
    boot_info.nr_modules = 0;
    trace_config.size = 1 << 20;
    add_module(&kernel, sizeof(kernel), "trace=event --");
    free = nr_free_frames();
    build_all_domains();
    assert_int_equal(trace_late_frames(), ring);
    assert_non_null(domain_by_id(1));
    assert_int_equal(domain_by_id(1)->max_frames,
                     (free - ring - 512 - (64 + 16 + DOMAIN_RESERVE)) & ~255ull);
    boot_info.nr_modules = 0;
}

static void key_switches_tracing_on_and_off(void **state)
{
    uint64_t free = nr_free_frames();

    (void)state;
    trace_toggle();                     /* without trace= that is all classes of all domains */
    assert_int_equal(nr_free_frames(), free - 16);
    assert_int_equal(trace_on, TRACE_ALL);
    assert_int_equal(a->trace, TRACE_ALL);
    assert_int_equal(b->trace, TRACE_ALL);
    assert_true(console_has("Trace: on\n") && !console_has("Trace: off"));
    EXPECT(TRC_PARAGON_CLASSES, TRACE_ALL);
    EXPECT(TRC_PARAGON_DOMAIN, a->id, TRACE_DOMAIN_BUILT, ANY, ANY, ANY, ANY, ANY);
    EXPECT(TRC_PARAGON_DOMAIN, b->id, TRACE_DOMAIN_BUILT, ANY, ANY, ANY, ANY, ANY);
    assert_int_equal(reader.who, A0);   /* a ran when the key came */
    (void)version();
    EXPECT(TRC_PV_HYPERCALL_V2, ANY, XENVER_version, 0, 0);
    EXPECT(TRC_PARAGON_RESULT, 17, ANY, ANY, ANY, 0);
    trace_toggle();
    assert_int_equal(trace_on, 0);
    assert_true(console_has("Trace: off\n"));
    EXPECT(TRC_PARAGON_CLASSES, 0);
    (void)version();
    become(b->vcpu[0]);
    EXPECT_END();
    trace_toggle();
    /* not a, which ran when tracing was switched off */
    EXPECT(TRC_SCHED_CONTINUE_RUNNING, B0);
    EXPECT(TRC_PARAGON_CLASSES, TRACE_ALL);
    EXPECT(TRC_PARAGON_DOMAIN, a->id, TRACE_DOMAIN_BUILT, ANY, ANY, ANY, ANY, ANY);
    EXPECT(TRC_PARAGON_DOMAIN, b->id, TRACE_DOMAIN_BUILT, ANY, ANY, ANY, ANY, ANY);
    (void)version();
    EXPECT(TRC_PV_HYPERCALL_V2, ANY, XENVER_version, 0, 0);
    assert_int_equal(seen[next_seen - 1].who, B0);
    assert_int_equal(nr_free_frames(), free - 16);
}

/* A call that began before tracing was switched off has no result; nor has one that began before it
 * was switched on. */
static void trace_may_be_switched_during_a_call(void **state)
{
    uint64_t begin;

    (void)state;
    start(TRACE_HYPERCALL);
    begin = trace_hypercall(__HYPERVISOR_xen_version, (const uint64_t[6]){ 0 }, false);
    EXPECT(TRC_PV_HYPERCALL_V2, ANY, 0, 0, 0);
    trace_toggle();
    trace_result(__HYPERVISOR_xen_version, 0, begin);
    EXPECT(TRC_PARAGON_CLASSES, 0);
    EXPECT_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_trace(trace_words_are_parsed),
        with_trace(each_domain_has_its_own_classes),
        with_trace(module_words_choose_classes),
        with_trace(ring_is_not_in_guests_shares),
        with_trace(key_switches_tracing_on_and_off),
        with_trace(trace_may_be_switched_during_a_call),
    };

    return cmocka_run_group_tests_name("trace control", tests, NULL, NULL);
}
