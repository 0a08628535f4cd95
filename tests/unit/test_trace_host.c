/* The trace's ring as others see it in memory: a reader on the host may trust it after every single
 * instruction of the hypervisor (T1), and the hypervisor reads nothing back of it (T2). */
#include <signal.h>
#include <x86intrin.h>
#include "cmocka_main.h"
#include "trace_ring_fixture.h"

/* --- T1: what a host may believe at any instant ----------------------------------------------- */
static struct {
    bool on, failed;
    unsigned instants, zeroes;
    struct {
        uint64_t number, first_record, first_tsc;
        uint32_t used;
        uint8_t bytes[TRACE_BLOCK_BYTES];
    } slots[4];
} host_sees;

/* At every instruction: a slot with a number holds that block, and what was once covered never
 * changes. */
static void __attribute__((no_sanitize("address", "undefined"))) read_ring(int sig)
{
    (void)sig;
    host_sees.instants++;
    for (unsigned i = 0; i < 4; i++) {
        const struct trace_block *block = slot(i);
        typeof(&host_sees.slots[0]) s = &host_sees.slots[i];
        uint32_t used = block->used;

        if (block->number == 0) {
            host_sees.zeroes++;
            continue;
        }
        if (block->number != s->number) {
            host_sees.failed |= block->number < s->number || (block->number - 1) % 4 != i;
            s->number = block->number;
            s->first_record = block->first_record;
            s->first_tsc = block->first_tsc;
            s->used = 0;
        }
        host_sees.failed |= block->first_record != s->first_record ||
            block->first_tsc != s->first_tsc ||
                            used < s->used || used > BLOCK_ROOM;
        if (host_sees.failed)
            return;
        for (uint32_t j = used > s->used + 200 ? 0 : s->used; j < used; j++)
            s->bytes[j] = ((const uint8_t *)block->records)[j];
        s->used = used;
        for (uint32_t j = used > 400 ? used - 400 : 0; j < used; j++)
            host_sees.failed |= ((const uint8_t *)block->records)[j] != s->bytes[j];
    }
}

/* The CPU stops after each instruction; the handler then sees what a host could see. */
static void __attribute__((no_sanitize("address", "undefined"))) step(bool on)
{
    unsigned long flags = __builtin_ia32_readeflags_u64();

    __builtin_ia32_writeeflags_u64(on ? flags | 0x100 : flags & ~0x100ul);
}

static void ring_is_readable_at_any_instant(void **state)
{
    static const uint64_t args[6] = { 1, 2, 3, 4, 5, 6 };
    struct sigaction act = { .sa_handler = read_ring }, old;
    uint64_t head;

    (void)state;
    start(TRACE_EMUL | TRACE_HYPERCALL | TRACE_ARGS);
    put_wide(407 * 5);
    memset(&host_sees, 0, sizeof(host_sees));
    read_ring(0);
    sigaction(SIGTRAP, &act, &old);
    for (unsigned blocks = 0; blocks < 2; blocks++) {
        head = trace_header.rings[0].head;
        /* three more and it is full */
        while (trace_rings[0].pos <= trace_rings[0].limit - 30)
            put_wide(1);
        read_ring(0);
        step(true);
        while (trace_header.rings[0].head == head) {
            put_wide(1);
            trace_copy(TRC_PARAGON_COPY_IN, SCRATCH, args, sizeof(args));
        }
        trace_result(63, 0, trace_hypercall(63, args, false));
        step(false);
    }
    sigaction(SIGTRAP, &old, NULL);
    assert_false(host_sees.failed);
    assert_true(host_sees.instants > 1000);
    assert_true(host_sees.zeroes > 4);  /* the slot was seen without a number */
    reader_follow(&reader);
}

/* --- T2 --------------------------------------------------------------------------------------- */
static void nothing_is_read_back(void **state)
{
    uint64_t records;

    (void)state;
    start(TRACE_EMUL);
    put_wide(10);
    records = trace_rings[0].records;
    /* as if others overwrote the ring */
    for (unsigned round = 0; round < 4; round++) {
        memset(trace_rings[0].slots, round % 2 ? 0xff : 0, 4 * TRACE_BLOCK_BYTES);
        put_wide(1);
        records++;
        assert_int_equal(trace_rings[0].records, records);
        assert_int_equal(slot(0)->used, BEGIN_BYTES + 16 + (11 + round) * WIDE_BYTES);
    }
    put_wide(407);                      /* and the next block is correct */
    records += 407 + 2;
    assert_int_equal(slot(1)->number, 2);
    assert_int_equal(slot(1)->first_record, 3 + 407);
    assert_int_equal(slot(1)->used, BEGIN_BYTES + 14 * WIDE_BYTES);
    assert_int_equal(trace_rings[0].records, records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_trace(ring_is_readable_at_any_instant),
        with_trace(nothing_is_read_back),
    };

    return cmocka_run_group_tests_name("trace host", tests, NULL, NULL);
}
