/* The trace's ring: blocks and how far a reader on the host may trust them at any instant, losses
 * when it wraps, whose records are kept, memory allocated and freed, what the console shows of it
 * and what is sent to another port. The records are tested by test_trace.c. */
#include "arch/arch.h"
#include "cmocka_main.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <x86intrin.h>
#include "trace_fixture.h"
#include "common/trace_format.h"
#include "xen/boot/boot_info.h"
#include "xen/boot/modules.h"
#include "xen/core/alloc.h"
#include "xen/core/bug.h"
#include "xen/core/claim.h"
#include "xen/core/domain_list.h"
#include "xen/core/sched.h"
#include "xen/core/trace.h"
#include "xen/core/trace_control.h"
#include "xen/core/trace_ring.h"
#include "xen/core/trace_show.h"
#include "xen/core/trace_sink.h"
#include "xen/pv/hypercall_counts.h"
#include "xen/pv/hypercalls.h"

#define BLOCK_ROOM (TRACE_BLOCK_BYTES - sizeof(struct trace_block))
#define BEGIN_BYTES (8 * 4 + 4 * 4)     /* CLOCK and who runs */
#define WIDE_BYTES (10 * 4)             /* a record of seven words */
#define WIDE_EVENT TRC_PARAGON_EMULATED

static struct trace_block *slot(unsigned i)
{
    return trace_slot(&trace_rings[0], i + 1);
}

static uint32_t nr_wide;                /* so far; each of them carries its number */

static void put_wide(unsigned n)
{
    while (n-- != 0) {
        const uint32_t words[7] = { nr_wide, ~nr_wide };

        trace_put(TRACE_EMUL, WIDE_EVENT, words, 7);
        nr_wide++;
    }
}

static long version(void)
{
    return TRACED(__HYPERVISOR_xen_version, XENVER_version);
}

/* --- Off -------------------------------------------------------------------------------------- */
static void busy(void)
{
    struct evtchn_bind_ipi ipi = { .vcpu = 0 };

    (void)version();
    assert_int_equal(hcall_struct(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, &ipi,
                                  sizeof(ipi)), 0);
    guest_put(SCRATCH, &ipi.port, 4);
    assert_int_equal(hcall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, SCRATCH), 0);
    become(b->vcpu[0]);
    become(a->vcpu[0]);
}

/* No ring; or a ring as the allocator gave it, whose memory is allocated to nobody else. */
static void trace_off_writes_nothing(void **state)
{
    uint64_t free = nr_free_frames();
    size_t said;

    (void)state;
    busy();
    assert_int_equal(trace_on, 0);
    assert_int_equal(nr_free_frames(), free);
    assert_null(trace_rings[0].slots);
    assert_int_equal(trace_header.state, TRACE_STATE_NONE);
    said = host.console_len;
    trace_show();
    trace_end();
    assert_int_equal(host.console_len, said);

    trace_boot((struct trace_config){ .size = 64 << 10, .wanted = true });
    assert_int_equal(nr_free_frames(), free - 16);
    assert_int_equal(trace_header.state, TRACE_STATE_RUNNING);
    busy();
    trace_show();
    assert_int_equal(trace_on, 0);
    assert_int_equal(trace_rings[0].records, 0);
    assert_int_equal(trace_header.rings[0].head, 0);
    for (unsigned i = 0; i < (64 << 10) / 8; i++)
        assert_int_equal(((uint64_t *)trace_rings[0].slots)[i], 0);
    trace_end();
    assert_int_equal(nr_free_frames(), free - 16);
    assert_int_equal(trace_late_frames(), 0);   /* it was never counted as free */
}

/* --- Blocks ----------------------------------------------------------------------------------- */
static void header_says_where_the_ring_is(void **state)
{
    const struct trace_header *h = &trace_header;

    (void)state;
    assert_int_equal((uintptr_t)h % PAGE_SIZE, 0);
    assert_int_equal(h->pa, 0);
    start(TRACE_HYPERCALL);
    assert_memory_equal(h->magic, "PARAGON-TRACE-01", 16);
    assert_int_equal(h->pa, arch_static_maddr(h));
    assert_int_equal(h->version, 1);
    assert_int_equal(h->state, TRACE_STATE_RUNNING);
    assert_int_equal(h->ram_end, max_mfn << PAGE_SHIFT);
    assert_int_equal(h->tsc_hz, arch_tsc_hz());
    assert_int_equal(h->block_bytes, 16384);
    assert_int_equal(h->nr_blocks, 4);
    assert_int_equal(h->nr_cpus, 1);
    assert_ptr_equal(mfn_to_virt(h->rings[0].pa >> PAGE_SHIFT), trace_rings[0].slots);
    assert_int_equal(h->rings[0].head, 1);
    for (unsigned i = 1; i < TRACE_MAX_CPUS; i++)
        assert_int_equal(h->rings[i].pa, 0);
}

/* The longest record has seven words: as many fit as the first two leave room for, and not one
 * more. */
static void ring_wraps_and_counts_losses(void **state)
{
    const unsigned per_block = (BLOCK_ROOM - BEGIN_BYTES) / WIDE_BYTES;
    /* a record of the classes as well */
    const unsigned in_first = (BLOCK_ROOM - BEGIN_BYTES - 4 * 4) / WIDE_BYTES;
    unsigned counters = 0;
    char says[80];

    (void)state;
    nr_wide = 0;
    start(TRACE_EMUL);
    assert_int_equal(per_block, 407);
    put_wide(in_first);
    assert_int_equal(trace_header.rings[0].head, 1);
    put_wide(1);
    assert_int_equal(trace_header.rings[0].head, 2);
    put_wide(per_block - 1 + 8 * per_block);
    assert_int_equal(trace_header.rings[0].head, 10);
    for (unsigned n = 7; n <= 10; n++) {
        const struct trace_block *block = slot((n - 1) % 4);

        assert_ptr_equal(block, (char *)trace_rings[0].slots + (n - 1) % 4 * 16384);
        assert_int_equal(block->number, n);
        assert_int_equal(block->first_record, in_first + 3 + (n - 2) * (per_block + 2));
        assert_int_equal(block->used, BEGIN_BYTES + per_block * WIDE_BYTES);
        assert_int_equal(block->cpu, 0);
        assert_int_equal(TRC_HD_TO_EVENT(block->records[0]), TRC_PARAGON_CLOCK);
        assert_int_equal(TRC_HD_TO_EVENT(block->records[8]), TRC_SCHED_CONTINUE_RUNNING);
        assert_int_equal(block->records[11], A0);
        assert_true(n == 7 || block->first_tsc > slot((n - 2) % 4)->first_tsc);
    }
    reader_follow(&reader);             /* it had seen three: CLOCK, who runs, the classes */
    assert_int_equal(reader.lost, in_first + 5 * (per_block + 2));
    assert_int_equal(reader.seen, 3 + 4 * (per_block + 2));
    for (unsigned i = next_seen; i < nr_seen; i++) {
        assert_int_equal(seen[i].words[0] + 1 + 2 * seen[i].block, seen[i].index);
        assert_int_equal(seen[i].words[1], ~seen[i].words[0]);
    }
    hypercall_counts[17]++;
    for (unsigned nr = 0; nr < NR_HYPERCALLS; nr++)
        counters += hypercall_counts[nr] != 0;
    trace_end();                        /* their counts begin another block */
    snprintf(says, sizeof(says), "Trace: %u records, the last %u are in the ring\n",
             in_first + 3 + 9 * (per_block + 2) + 2 + counters, 3 * (per_block + 2) + 2 + counters);
    assert_true(console_has(says));
}

/* Records of all lengths: none crosses a block's end, and none is lost to a reader that keeps
 * up. */
static void records_of_all_lengths_fit(void **state)
{
    static const uint32_t words[7] = { 1, 2, 3, 4, 5, 6, 7 };
    static const uint8_t bytes[64];
    unsigned records = 0;

    (void)state;
    start(TRACE_ALL);
    while (trace_header.rings[0].head < 40) {
        switch (host_random() % 6) {
        case 0:
            trace_put(TRACE_EVENT, TRC_PARAGON_UPCALL, words, 2);
            break;
        case 1:
            trace_put(TRACE_EVENT, TRC_PARAGON_SEND, words, 4);
            break;
        case 2:
            put_wide(1);
            break;
        case 3:
            trace_copy(TRC_PARAGON_COPY_IN, SCRATCH, bytes, 1 + host_random() % 20);
            break;
        case 4:
            trace_result(63, 0, trace_hypercall(63, (const uint64_t[6]){ 0 }, false));
            records += 2;
            break;
        default:
            trace_result(29, 0, trace_hypercall(29, (const uint64_t[6]){ 0 }, false));
            records++;
        }
        records++;
        reader_follow(&reader);
        nr_seen = 0;
    }
    assert_int_equal(reader.lost, 0);
    assert_int_equal(reader.seen, records + 2 * 40 + 1);
}

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
    assert_true(host_sees.zeroes > 4);  /* it was seen to be nobody's */
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
    /* somebody outside writes all over the ring */
    for (unsigned round = 0; round < 4; round++) {
        memset(trace_rings[0].slots, round % 2 ? 0xff : 0, 4 * TRACE_BLOCK_BYTES);
        put_wide(1);
        records++;
        assert_int_equal(trace_rings[0].records, records);
        assert_int_equal(slot(0)->used, BEGIN_BYTES + 16 + (11 + round) * WIDE_BYTES);
    }
    put_wide(407);                      /* and the next block is as good as ever */
    records += 407 + 2;
    assert_int_equal(slot(1)->number, 2);
    assert_int_equal(slot(1)->first_record, 3 + 407);
    assert_int_equal(slot(1)->used, BEGIN_BYTES + 14 * WIDE_BYTES);
    assert_int_equal(trace_rings[0].records, records);
}

/* --- Whose, and when -------------------------------------------------------------------------- */
static void parses_words(void **state)
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
        /* half of a bad one is not taken either */
        if (classes != (table[i].ok ? table[i].classes : 0x5555))
            fail_msg("\"%s\": %x", table[i].words, classes);
    }
}

static void each_domain_has_its_own(void **state)
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
    become(boot_cpu.idle);
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
    const uint64_t ring = (1 << 20) / PAGE_SIZE;        /* the least that changes a share */
    static struct tiny_elf kernel;
    uint64_t free;

    (void)state;
    become(boot_cpu.idle);
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

static void the_key_toggles(void **state)
{
    uint64_t free = nr_free_frames();

    (void)state;
    trace_toggle();                     /* nobody asked for anything: all of everybody */
    assert_int_equal(nr_free_frames(), free - 16);
    assert_int_equal(trace_on, TRACE_ALL);
    assert_int_equal(a->trace, TRACE_ALL);
    assert_int_equal(b->trace, TRACE_ALL);
    assert_true(console_has("Trace: on\n") && !console_has("Trace: off"));
    EXPECT(TRC_PARAGON_CLASSES, TRACE_ALL);
    EXPECT(TRC_PARAGON_DOMAIN, a->id, TRACE_DOMAIN_BUILT, ANY, ANY, ANY, ANY, ANY);
    EXPECT(TRC_PARAGON_DOMAIN, b->id, TRACE_DOMAIN_BUILT, ANY, ANY, ANY, ANY, ANY);
    assert_int_equal(reader.who, A0);   /* it was a who ran when that key came */
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
    EXPECT(TRC_SCHED_CONTINUE_RUNNING, B0);             /* not a, who ran when it went off */
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

/* --- Memory ----------------------------------------------------------------------------------- */
static void without_memory_there_is_no_trace(void **state)
{
    (void)state;
    host_leave_free(15);              /* the smallest ring has sixteen frames */
    trace_domain(a, TRACE_ALL);
    assert_int_equal(trace_on, 0);
    assert_null(trace_rings[0].slots);
    assert_int_equal(trace_header.state, TRACE_STATE_NONE);
    assert_int_equal(nr_free_frames(), 15);
    assert_true(console_has("trace: no memory for its ring, it stays off"));
    (void)TRACED(__HYPERVISOR_xen_version, XENVER_version);
    trace_show();
    trace_end();
    host_free_taken();
    trace_domain(a, TRACE_ALL);         /* and then there is */
    assert_int_equal(trace_on, TRACE_ALL);
    assert_int_equal(trace_header.nr_blocks, 4);
}

/* The machine's RAM consists of pieces of 1 MiB: a ring of 16 MiB gets one. */
static void ring_shrinks_to_what_is_free(void **state)
{
    uint64_t free = nr_free_frames();

    (void)state;
    trace_config.size = 16 << 20;
    start(TRACE_EMUL);
    assert_int_equal(trace_header.nr_blocks, 64);
    assert_int_equal(nr_free_frames(), free - 256);
    put_wide(407 * 70);
    assert_int_equal(trace_header.rings[0].head, 70);
    nr_seen = next_seen = 0;
    reader.on_record = NULL;
    reader_follow(&reader);
    assert_true(reader.lost > 0);
}

/* Sizes between two powers of two are rounded down; sizes that are too small are raised to the
 * minimum. */
static void ring_sizes_are_rounded_down(void **state)
{
    static const struct { uint64_t bytes; unsigned blocks; } table[] = {
        { 0, 4 }, { 65536, 4 }, { 131071, 4 }, { 131072, 8 }, { 200000, 8 }, { 1 << 20, 64 },
    };
    uint64_t free = nr_free_frames();

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        trace_config.size = table[i].bytes;
        trace_domain(a, TRACE_EMUL);
        assert_int_equal(trace_header.nr_blocks, table[i].blocks);
        assert_int_equal(nr_free_frames(), free - table[i].blocks * 4);
        a->trace = 0;
        trace_end();
        assert_int_equal(trace_header.state, TRACE_STATE_ENDED);
        assert_int_equal(trace_header.rings[0].head, 1);
        /* the count of lost frames includes them */
        assert_int_equal(nr_free_frames() + trace_late_frames(), free);
        reader_drop_ring();
    }
}

/* --- On the console --------------------------------------------------------------------------- */
static void put_call(unsigned i, uint64_t nr, uint64_t x, uint64_t y)
{
    struct multicall_entry e = { .op = nr, .args = { x, y } };

    guest_put(SCRATCH + 2048 + i * sizeof(e), &e, sizeof(e));
}

/* What was said since then. */
static const char *shown(size_t since)
{
    return host.console + since;
}

static unsigned lines_of(const char *text)
{
    unsigned n = 0;

    for (const char *p = text; (p = strstr(p, "[d")) != NULL; p++)
        n++;
    return n;
}

/* Run last: a machine panics once. */
static void a_panic_shows_it(void **state)
{
    (void)state;
    start(TRACE_ALL);
    (void)version();
    if (HOST_CATCH_END() == 0)
        panic("on purpose");
    assert_true(console_has("on purpose"));
    assert_true(console_has("Trace: the last "));
    assert_true(console_has("] xen_version(XENVER_version, NULL) = "));
    assert_int_equal(trace_header.state, TRACE_STATE_ENDED);
}

static void shows_lines(void **state)
{
    static const char *const lines[] = {
        "] xen_version(XENVER_version, NULL) = 262161 <7>\n",
        "] mmu_update(0xffffffff80010000, 0, NULL, DOMID_SELF) = 0 <",
        "] multicall(0xffffffff80010800, 2)\n[d1v0 0.0000",
        "]     hypercall_63(0x1, 0x2, NULL) = -38 <",
        "]     xen_version(XENVER_pagesize, NULL) = 4096 <7>\n",
        "] ... multicall = 0 <",
        "] vm_assist(VMASST_CMD_enable, 77) = -22 <",
        "] hypercall_4711(NULL, NULL, NULL) = -38 <",
        "] set_timer_op(-1) = 0 <",
        "] page fault at 1234567890 [0003] rip ffffffff80000300\n",
        "] trap 13 [0018] rip ffffffff80000300\n",
        "] event from VIRQ 1 to d1v1 port 7\n",
        "] upcall\n",
        "] emulated at rip ffffffff80000300\n",
        "] store to page table at 7000: 8067 rip ffffffff80000300\n",
    };
    const char *at;
    size_t since;

    (void)state;
    start(TRACE_ALL & ~TRACE_ARGS);
    (void)version();
    (void)TRACED(__HYPERVISOR_mmu_update, SCRATCH, 0, 0, DOMID_SELF);
    put_call(0, 63, 1, 2);
    put_call(1, __HYPERVISOR_xen_version, XENVER_pagesize, 0);
    (void)TRACED(__HYPERVISOR_multicall, SCRATCH + 2048, 2);
    (void)TRACED(__HYPERVISOR_vm_assist, VMASST_CMD_enable, 77);
    (void)TRACED(4711, 0);
    (void)TRACED(__HYPERVISOR_set_timer_op, ~0ull);
    TRACE(TRACE_TRAP, TRC_PV_PAGE_FAULT | TRC_64_FLAG, V64(0xffffffff80000300), V64(0x1234567890),
          3);
    TRACE(TRACE_TRAP, TRC_PV_TRAP | TRC_64_FLAG, V64(0xffffffff80000300),
          13 | 1 << 15 | 0x18 << 16);
    TRACE(TRACE_EVENT, TRC_PARAGON_SEND, TRACE_SEND_VIRQ, 1, A1, 7);
    TRACE(TRACE_EVENT, TRC_PARAGON_UPCALL, V64(0xffffffff80000500));
    trace_emulated(TRC_PV_EMULATE_PRIVOP, 0xffffffff80000300, (const uint8_t *)"\x0f\x06", 2);
    TRACE(TRACE_EMUL, TRC_PV_PTWR_EMULATION | TRC_64_FLAG, V64(0x8067), V64(0x7000),
          V64(0xffffffff80000300));
    since = host.console_len;
    trace_show();
    at = shown(since);
    assert_non_null(strstr(at, "Trace: the last 14 of "));
    for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
        const char *found = strstr(at, lines[i]);

        if (found == NULL)
            fail_msg("\"%s\" is not in, or not behind:\n%s", lines[i], at);
        at = found;
    }
    assert_int_equal(lines_of(shown(since)), ARRAY_SIZE(lines));
}

/* The oldest lines are left out, whole; and lines come from blocks before the last, if that has
 * few. */
static void shows_the_youngest(void **state)
{
    char want[64];
    size_t since;

    (void)state;
    trace_config.lines = 5;
    start(TRACE_HYPERCALL);
    for (unsigned i = 0; i < 7000; i++) {
        (void)hypercall_traced(63, (const uint64_t[6]){ i });
        if (i % 37 != 0 && trace_header.rings[0].head * TRACE_BLOCK_BYTES < 90000)
            continue;
        since = host.console_len = 0;
        trace_show();
        assert_int_equal(lines_of(shown(since)), MIN(i + 1, 5u));
        snprintf(want, sizeof(want), "hypercall_63(0x%x, NULL, NULL) = -38 <", i);
        assert_true(i == 0 || console_has(want));
        snprintf(want, sizeof(want), "hypercall_63(0x%x, NULL, NULL) = -38 <", i - 4);
        assert_true(i < 5 || console_has(want));
        snprintf(want, sizeof(want), "hypercall_63(0x%x, NULL, NULL)", i - 5);
        assert_false(i > 5 && console_has(want));
        assert_false(console_has("..."));
        if (trace_header.rings[0].head > 8)
            break;
    }
    assert_true(trace_header.rings[0].head > 8);        /* it has wrapped */
    trace_config.lines = 0;
    host.console_len = 0;
    trace_show();
    assert_int_equal(lines_of(shown(0)), 0);
    trace_config.lines = 100000;        /* more than there are: all that there are */
    host.console_len = 0;
    trace_show();
    assert_true(lines_of(shown(0)) > 300);
}

/* A call that has not ended is shown without a result; it comes later on a line of its own, and
 * never on another guest's. */
static void shows_late_results(void **state)
{
    uint64_t asleep, awake;
    const char *at;

    (void)state;
    trace_domain(b, TRACE_HYPERCALL);
    start(TRACE_HYPERCALL);
    asleep = trace_hypercall(__HYPERVISOR_sched_op, (const uint64_t[6]){ SCHEDOP_block }, false);
    become(b->vcpu[0]);
    awake = trace_hypercall(__HYPERVISOR_vcpu_op, (const uint64_t[6]){ VCPUOP_is_up, 1 }, false);
    become(a->vcpu[0]);
    trace_result(__HYPERVISOR_sched_op, 0, asleep);
    become(b->vcpu[0]);
    trace_result(__HYPERVISOR_vcpu_op, -2, awake);
    become(a->vcpu[0]);
    (void)trace_hypercall(__HYPERVISOR_sched_op, (const uint64_t[6]){ SCHEDOP_yield }, false);
    host.console_len = 0;
    trace_show();
    at = shown(0);
    assert_non_null(at = strstr(at, "] sched_op(SCHEDOP_block, NULL)\n[d2v0 "));
    assert_non_null(at = strstr(at, "] vcpu_op(VCPUOP_is_up, 1, NULL)\n[d1v0 "));
    assert_non_null(at = strstr(at, "] ... sched_op = 0 <"));
    assert_non_null(at = strstr(at, "\n[d2v0 "));
    assert_non_null(at = strstr(at, "] ... vcpu_op = -2 <"));
    assert_non_null(at = strstr(at, "\n[d1v0 "));
    assert_non_null(strstr(at, "] sched_op(SCHEDOP_yield, NULL)\n"));
}

/* --- Another port ----------------------------------------------------------------------------- */
static void sink_words_are_parsed(void **state)
{
    static const struct { const char *value; bool ok; } table[] = {
        { "debugcon", true }, { "debugcon,0x402", true }, { "com2", true }, { "com1,0x3e8", false },
        { "com2,", false },
        { "com2,0x10000", false }, { "com2,xyz", false }, { "com2,0x2f8,1", false },
        { "com3", false }, { "", false },
        { "debug", false }, { "debugconx", false },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
        if (trace_sink_parse(table[i].value) != table[i].ok)
            fail_msg("trace_to=%s", table[i].value);
}

/* The bytes are a trace file: windows of whole records, the same as a reader of the ring saw, from
 * first to last. */
static void sink_output_is_a_trace_file(void **state)
{
    size_t at = 0, windows = 0;
    uint64_t records = 0, clocks = 0, total;

    (void)state;
    assert_true(trace_sink_parse("debugcon"));
    reader.on_record = NULL;
    start(TRACE_HYPERCALL | TRACE_EMUL);
    put_wide(2 * 407 + 100);
    for (unsigned i = 0; i < 30; i++)
        (void)version();
    assert_int_equal(trace_header.rings[0].head, 3);
    reader_follow(&reader);
    assert_int_equal(reader.lost, 0);
    total = reader.seen;
    for (unsigned nr = 0; nr < NR_HYPERCALLS; nr++)
        total += hypercall_counts[nr] != 0;
    trace_end();
    assert_true(host.sink_len < sizeof(host.sink));
    while (at < host.sink_len) {
        uint32_t window[3], left;

        assert_true(at + sizeof(window) <= host.sink_len);
        memcpy(window, host.sink + at, sizeof(window));
        at += sizeof(window);
        assert_int_equal(window[0], TRC_TRACE_CPU_CHANGE | 2 << TRACE_EXTRA_SHIFT);
        assert_int_equal(window[1], 0);
        assert_true(window[2] != 0 && window[2] % 4 == 0 && at + window[2] <= host.sink_len);
        for (left = window[2]; left != 0; records++) {
            uint32_t head, bytes;

            memcpy(&head, host.sink + at, 4);
            bytes = 4 * (1 + (TRC_HD_INCLUDES_CYCLE_COUNT(head) ? 2 : 0) + TRC_HD_EXTRA(head));
            assert_true(bytes <= left);
            assert_int_equal(TRC_HD_TO_EVENT(head) == TRC_PARAGON_CLOCK, left == window[2]);
            clocks += TRC_HD_TO_EVENT(head) == TRC_PARAGON_CLOCK;
            at += bytes;
            left -= bytes;
        }
        windows++;
    }
    assert_int_equal(windows, 3);
    assert_int_equal(clocks, 3);
    assert_int_equal(records, total);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_trace(trace_off_writes_nothing),
        /* first, as its second ring is one from boot, and later ones are not */
        with_trace(header_says_where_the_ring_is),
        with_trace(ring_wraps_and_counts_losses),
        with_trace(records_of_all_lengths_fit),
        with_trace(ring_is_readable_at_any_instant),
        with_trace(nothing_is_read_back),
        with_trace(parses_words),
        with_trace(each_domain_has_its_own),
        with_trace(module_words_choose_classes),
        with_trace(ring_is_not_in_guests_shares),
        with_trace(the_key_toggles),
        with_trace(trace_may_be_switched_during_a_call),
        with_trace(without_memory_there_is_no_trace),
        with_trace(ring_shrinks_to_what_is_free),
        with_trace(ring_sizes_are_rounded_down),
        with_trace(shows_lines),
        with_trace(shows_the_youngest),
        with_trace(shows_late_results),
        with_trace(sink_words_are_parsed),
        with_trace(sink_output_is_a_trace_file),
        with_trace(a_panic_shows_it),
    };

    return cmocka_run_group_tests_name("trace ring", tests, NULL, NULL);
}
