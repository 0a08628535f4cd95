/* The trace's records of hypercalls, word for word: arguments, results, and what was copied from
 * and to guest memory. The ring that holds them is tested by test_trace_ring.c. */
#include "cmocka_main.h"
#include "xen/core/alloc.h"
#include "xen/core/trace.h"
#include "xen/core/trace_control.h"
#include "xen/core/trace_ring.h"
#include "xen/pv/hypercall_counts.h"
#include "trace_records.h"

#define SUB TRC_PV_HYPERCALL_SUBCALL
#define CALLS (SCRATCH + 2048)

static const struct {
    uint64_t nr;
    /* words of the record; the first argument is in ARGS; 0: there is no record */
    unsigned n, rest;
    uint32_t words[7];
} calls[] = {
    { __HYPERVISOR_iret, 1, 0, { 23 } },
    { __HYPERVISOR_fpu_taskswitch, 2, 0, { 5 | W(1, 0, 0, 0, 0, 0), 0x10 } },
    { __HYPERVISOR_set_timer_op, 3, 0, { 15 | W(2, 0, 0, 0, 0, 0), 0x10, 0x11 } },
    { __HYPERVISOR_xen_version, 4, 0, { 17 | W(1, 2, 0, 0, 0, 0), 0x10, 0x20, 0x21 } },
    { __HYPERVISOR_set_gdt, 4, 0, { 2 | W(2, 1, 0, 0, 0, 0), 0x10, 0x11, 0x20 } },
    { __HYPERVISOR_vm_assist, 3, 0, { 21 | W(1, 1, 0, 0, 0, 0), 0x10, 0x20 } },
    { __HYPERVISOR_console_io, 5, 0, { 18 | W(1, 1, 2, 0, 0, 0), 0x10, 0x20, 0x30, 0x31 } },
    { __HYPERVISOR_grant_table_op, 5, 0, { 20 | W(1, 2, 1, 0, 0, 0), 0x10, 0x20, 0x21, 0x30 } },
    { __HYPERVISOR_mmu_update, 7, 0,
      { 1 | W(2, 1, 2, 1, 0, 0), 0x10, 0x11, 0x20, 0x30, 0x31, 0x40 } },
    { __HYPERVISOR_mmuext_op, 7, 0,
      { 26 | W(2, 1, 2, 1, 0, 0), 0x10, 0x11, 0x20, 0x30, 0x31, 0x40 } },
    { __HYPERVISOR_set_callbacks, 7, 0,
      { 4 | W(2, 2, 2, 0, 0, 0), 0x10, 0x11, 0x20, 0x21, 0x30, 0x31 } },
    { __HYPERVISOR_update_va_mapping, 7, 0,
      { 14 | W(2, 2, 2, 0, 0, 0), 0x10, 0x11, 0x20, 0x21, 0x30, 0x31 } },
    { __HYPERVISOR_update_va_mapping_otherdomain, 7, 3,
      { 22 | W(2, 2, 2, 0, 0, 0), 0x10, 0x11, 0x20, 0x21, 0x30, 0x31 } },
    { __HYPERVISOR_hypfs_op, 6, 3, { 42 | W(1, 2, 2, 0, 0, 0), 0x10, 0x20, 0x21, 0x30, 0x31 } },
    { __HYPERVISOR_dm_op, 5, 0, { 41 | W(1, 1, 2, 0, 0, 0), 0x10, 0x20, 0x30, 0x31 } },
    /* a number without a hypercall */
    { 63, 7, 3, { 63 | W(2, 2, 2, 0, 0, 0), 0x10, 0x11, 0x20, 0x21, 0x30, 0x31 } },
    { 64, 7, 3, { 64 | W(2, 2, 2, 0, 0, 0), 0x10, 0x11, 0x20, 0x21, 0x30, 0x31 } },
    { 4711, 7, 3, { 4711 | W(2, 2, 2, 0, 0, 0), 0x10, 0x11, 0x20, 0x21, 0x30, 0x31 } },
    { 0x1200345678, 7, 3, { 0xfffff | W(2, 2, 2, 0, 0, 0), 0x10, 0x11, 0x20, 0x21, 0x30, 0x31 } },
};

static void call_has_its_words(void **state)
{
    (void)state;
    start(TRACE_HYPERCALL);
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(calls); i++) {
        bool member = i >= ARRAY_SIZE(calls);
        typeof(&calls[0]) c = &calls[i % ARRAY_SIZE(calls)];
        uint64_t nr = member ? __HYPERVISOR_multicall : c->nr,
            begin = trace_hypercall(nr, arguments, false);

        if (member) {
            EXPECT(V2, 13 | W(2, 1, 0, 0, 0, 0), 0x10, 0x11, 0x20);
            begin = trace_hypercall(c->nr, arguments, true);
        }
        expect_record(__LINE__, member ? SUB : V2, c->words, c->n);
        assert_int_equal(seen[next_seen - 1].tsc, begin);
        assert_int_equal(begin, host.tsc - (c->rest != 0 ? host.tsc_step : 0));
        assert_int_equal(seen[next_seen - 1].who, A0);
        if (c->rest != 0)
            EXPECT(TRC_PARAGON_ARGS, 3, 0x40, 0x41, 0x50, 0x51, 0x60, 0x61);
        host.tsc += 0x5000000000;
        trace_result(c->nr, -0x3344, begin);
        EXPECT(RESULT, (uint32_t)MIN(c->nr, 0xfffffull), V64(-0x3344), V64(host.tsc - 7 - begin));
        if (member) {
            trace_result(nr, 0, begin);
            EXPECT(RESULT, 13, V64(0), V64(host.tsc - 7 - begin));
        }
    }
    EXPECT_END();
}

static void put_call(unsigned i, uint64_t op, uint64_t x, uint64_t y)
{
    struct multicall_entry e = { .op = op, .args = { x, y, 0x31, 0x41, 0x51, 0x61 } };

    guest_put(CALLS + i * sizeof(e), &e, sizeof(e));
}

/* Real hypercalls, and unserved numbers, alone and as members of an array. */
static void call_has_its_result(void **state)
{
    uint64_t versions = hypercall_count(17), refused = hypercall_count(63);
    long version;

    (void)state;
    start(TRACE_HYPERCALL);
    version = TRACED(__HYPERVISOR_xen_version, XENVER_version);
    assert_true(version > 0);
    EXPECT(V2, 17 | W(1, 2, 0, 0, 0, 0), XENVER_version, 0, 0);
    EXPECT(RESULT, 17, V64(version), 7, 0);             /* two readings of the clock */
    assert_int_equal(TRACED(63, 1), -ENOSYS);
    EXPECT(V2, 63 | W(2, 2, 2, 0, 0, 0), 1, 0, 0, 0, 0, 0);
    EXPECT(TRC_PARAGON_ARGS, 3, 0, 0, 0, 0, 0, 0);
    EXPECT(RESULT, 63, V64(-ENOSYS), ANY, 0);
    assert_int_equal(TRACED(0x1200345678, 1), -ENOSYS);
    EXPECT(V2, 0xfffff | W(2, 2, 2, 0, 0, 0), 1, 0, 0, 0, 0, 0);
    EXPECT(TRC_PARAGON_ARGS, 3, 0, 0, 0, 0, 0, 0);
    EXPECT(RESULT, 0xfffff, V64(-ENOSYS), ANY, 0);

    put_call(0, __HYPERVISOR_xen_version, XENVER_version, 0);
    put_call(1, __HYPERVISOR_multicall, CALLS, 1);
    put_call(2, 4711, 1, 2);
    put_call(3, 63, 1, 2);
    assert_int_equal(TRACED(__HYPERVISOR_multicall, CALLS, 4), 0);
    EXPECT(V2, 13 | W(2, 1, 0, 0, 0, 0), V64(CALLS), 4);
    EXPECT(SUB, 17 | W(1, 2, 0, 0, 0, 0), XENVER_version, 0, 0);
    EXPECT(RESULT, 17, V64(version), 7, 0);
    EXPECT(SUB, 13 | W(2, 1, 0, 0, 0, 0), V64(CALLS), 1);
    EXPECT(RESULT, 13, V64(-EINVAL), ANY, 0);
    EXPECT(SUB, 4711 | W(2, 2, 2, 0, 0, 0), 1, 0, 2, 0, 0x31, 0);
    EXPECT(TRC_PARAGON_ARGS, 3, 0x41, 0, 0x51, 0, 0x61, 0);
    EXPECT(RESULT, 4711, V64(-ENOSYS), ANY, 0);
    EXPECT(SUB, 63 | W(2, 2, 2, 0, 0, 0), 1, 0, 2, 0, 0x31, 0);
    EXPECT(TRC_PARAGON_ARGS, 3, 0x41, 0, 0x51, 0, 0x61, 0);
    EXPECT(RESULT, 63, V64(-ENOSYS), ANY, 0);
    EXPECT(RESULT, 13, V64(0), ANY, 0);
    EXPECT_END();
    /* counted as they are without a trace */
    assert_int_equal(hypercall_count(17) - versions, 2);
    assert_int_equal(hypercall_count(63) - refused, 2);
}

static void check_copy(uint32_t event, uint64_t va, const uint8_t *bytes, size_t len)
{
    size_t kept = len < 1024 ? len : 1024;

    for (size_t done = 0; done < kept;) {
        const struct trace_record *r = next_record((int)len);
        size_t n = kept - done < 20 ? kept - done : 20;
        bool cut = len > 1024 && done + n == kept;

        assert_int_equal(r->event, event);
        assert_int_equal(r->tsc, 0);
        assert_int_equal(r->words[0], (uint32_t)(va + done));
        assert_int_equal(r->words[1],
                         ((va + done) >> 32 & 0xffff) | n << 16 | (cut ? 0x80000000u : 0));
        assert_int_equal(r->n, 2 + (n + 3) / 4);
        assert_memory_equal(&r->words[2], bytes + done, n);
        for (size_t i = n; i % 4 != 0; i++)     /* not the previous contents */
            assert_int_equal(((const uint8_t *)&r->words[2])[i], 0);
        done += n;
    }
}

static void copies_show_guest_memory(void **state)
{
    static const size_t sizes[] = {
        1, 2, 3, 4, 5, 7, 8, 19, 20, 21, 23, 24, 39, 40, 41, 1019, 1020, 1021, 1023, 1024, 1025,
        1044, 4096,
    };
    static const uint64_t addresses[] = {
        SCRATCH, 0x12345678fff8, 0x0000fffffff5, 0xffff8880fffffffc,
    };
    uint8_t bytes[4096];

    (void)state;
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(1 + i * 7 % 255);
    start(TRACE_ARGS);
    /* the previous contents, of another block */
    memset(trace_rings[0].pos, 0xee, TRACE_BLOCK_BYTES / 2);
    memset((char *)trace_rings[0].slots + TRACE_BLOCK_BYTES, 0xee, 3 * TRACE_BLOCK_BYTES);
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
        for (unsigned j = 0; j < ARRAY_SIZE(addresses); j++) {
            uint32_t event = (i + j) % 2 ? TRC_PARAGON_COPY_IN : TRC_PARAGON_COPY_OUT;

            trace_copy(event, addresses[j], bytes, sizes[i]);
            check_copy(event, addresses[j], bytes, sizes[i]);
            EXPECT_END();
        }
    trace_copy(TRC_PARAGON_COPY_IN, SCRATCH, bytes, 0);
    trace_domain(a, TRACE_ALL & ~TRACE_ARGS);
    EXPECT(TRC_PARAGON_CLASSES, TRACE_ALL & ~TRACE_ARGS);
    trace_copy(TRC_PARAGON_COPY_IN, SCRATCH, bytes, 8);
    EXPECT_END();
}

static void copies_follow_their_call(void **state)
{
    struct mmu_update u = {
        (mfn_of_va(SCRATCH) << PAGE_SHIFT) | MMU_MACHPHYS_UPDATE, m2p_table[mfn_of_va(SCRATCH)],
    };
    struct trap_info traps[2] = {
        { .vector = 6, .flags = 1, .cs = FLAT_KERNEL_CS64, .address = CODE },
    };
    struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF, .remote_dom = 2 };
    static const char text[] = "written to the console\n";
    char extra[16];
    unsigned one = 1;

    (void)state;
    start(TRACE_ARGS);
    guest_put(SCRATCH, &u, sizeof(u));
    assert_int_equal(hcall(__HYPERVISOR_mmu_update, SCRATCH, 1, SCRATCH + 64, DOMID_SELF), 0);
    check_copy(TRC_PARAGON_COPY_IN, SCRATCH, (void *)&u, sizeof(u));
    check_copy(TRC_PARAGON_COPY_OUT, SCRATCH + 64, (void *)&one, sizeof(one));
    EXPECT_END();

    guest_put(SCRATCH, traps, sizeof(traps));
    assert_int_equal(hcall(__HYPERVISOR_set_trap_table, SCRATCH), 0);
    check_copy(TRC_PARAGON_COPY_IN, SCRATCH, (void *)&traps[0], 16);
    check_copy(TRC_PARAGON_COPY_IN, SCRATCH + 16, (void *)&traps[1], 16);
    EXPECT_END();

    guest_put(SCRATCH, text, sizeof(text));
    assert_int_equal(hcall(__HYPERVISOR_console_io, CONSOLEIO_write, sizeof(text), SCRATCH), 0);
    check_copy(TRC_PARAGON_COPY_IN, SCRATCH, (const void *)text, sizeof(text));
    EXPECT_END();

    assert_int_equal(hcall_struct(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &alloc,
                                  sizeof(alloc)), 0);
    assert_int_not_equal(alloc.port, 0);
    check_copy(TRC_PARAGON_COPY_IN, SCRATCH,
               (void *)&(struct evtchn_alloc_unbound){ DOMID_SELF, 2, 0 }, 8);
    check_copy(TRC_PARAGON_COPY_OUT, SCRATCH, (void *)&alloc, 8);
    EXPECT_END();

    assert_int_equal(hcall(__HYPERVISOR_xen_version, XENVER_extraversion, SCRATCH), 0);
    guest_get(extra, SCRATCH, 16);
    check_copy(TRC_PARAGON_COPY_OUT, SCRATCH, (void *)extra, 16);
    EXPECT_END();

    assert_int_equal(hcall(__HYPERVISOR_xen_version, XENVER_extraversion, HOLE_START), -EFAULT);
    assert_int_equal(hcall(__HYPERVISOR_set_trap_table, 0x1000), -EFAULT);
    assert_int_equal(hcall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, 0x1000), -EFAULT);
    EXPECT_END();                       /* what could not be copied has no record */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_trace(call_has_its_words),
        with_trace(call_has_its_result),
        with_trace(copies_show_guest_memory),
        with_trace(copies_follow_their_call),
    };

    return cmocka_run_group_tests_name("trace calls", tests, NULL, NULL);
}
