/* Checks the trace ring by reading it. Knows the format from its description
 * (common/trace_format.h), not from the writer's code. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "trace_reader.h"
#include "common/trace_format.h"
#include "xen/core/alloc.h"
#include "xen/core/cpu.h"
#include "xen/core/time.h"
#include "xen/core/trace_ring.h"

#define BLOCK_ROOM (TRACE_BLOCK_BYTES - (uint32_t)sizeof(struct trace_block))
#define MUST(cond)                                                                             \
    do {                                                                                       \
        if (!(cond)) {                                                                         \
            fprintf(stderr, "%s:%d: %s\nblock %lu, offset %lu, record %lu\n", __FILE__,        \
                    __LINE__, #cond, r->block, r->offset, r->seen + r->lost);                  \
            abort();                                                                           \
        }                                                                                      \
    } while (0)

/* Every event that may occur, how many words it has, and whether it has a time. The first row whose
 * bits fit counts. */
static const struct known {
    uint32_t event, mask;
    unsigned min, max;
    bool timed;
} known[] = {
    { TRC_PV_HYPERCALL_V2, ~0u, 1, 7, true },
    { TRC_PV_HYPERCALL_SUBCALL, ~0u, 1, 7, true },
    { TRC_PARAGON_RESULT, ~0u, 5, 5, true },
    { TRC_PARAGON_COPY_IN, ~0u, 3, 7, false },
    { TRC_PARAGON_COPY_OUT, ~0u, 3, 7, false },
    { TRC_PARAGON_ARGS, ~0u, 3, 7, true },
    { TRC_SCHED_RUNSTATE_CHANGE, ~0x3f0u, 1, 1, true },
    { TRC_SCHED_CONTINUE_RUNNING, ~0u, 1, 1, true },
    { TRC_SCHED_SWITCH, ~0u, 4, 4, true },
    { TRC_SCHED_WAKE, ~0u, 2, 2, true },
    { TRC_SCHED_YIELD, ~0u, 2, 2, true },
    { TRC_SCHED_BLOCK, ~0u, 2, 2, true },
    { TRC_PV_TRAP | TRC_64_FLAG, ~0u, 3, 3, true },
    { TRC_PV_PAGE_FAULT | TRC_64_FLAG, ~0u, 5, 5, true },
    { TRC_PV_PTWR_EMULATION | TRC_64_FLAG, ~0u, 6, 6, true },
    { TRC_PV_EMULATE_PRIVOP | TRC_64_FLAG, ~0u, 2, 2, true },
    { TRC_PV_FORCED_INVALID_OP | TRC_64_FLAG, ~0u, 2, 2, true },
    { TRC_PV_GDT_LDT_MAPPING_FAULT | TRC_64_FLAG, ~0u, 4, 4, true },
    { TRC_PARAGON_EMULATED, ~0u, 7, 7, true },
    { TRC_PARAGON_SEND, ~0u, 4, 4, true },
    { TRC_PARAGON_UPCALL, ~0u, 2, 2, true },
    { TRC_PARAGON_CLOCK, ~0u, 7, 7, true },
    { TRC_PARAGON_DOMAIN, ~0u, 7, 7, true },
    { TRC_PARAGON_CLASSES, ~0u, 1, 1, true },
    { TRC_PARAGON_COUNTER, ~0u, 3, 3, true },
    { TRC_MEM_PAGE_GRANT_MAP, ~0u, 1, 7, true },
    { TRC_MEM_PAGE_GRANT_UNMAP, ~0u, 1, 7, true },
    { TRC_MEM_DECREASE_RESERVATION, ~0u, 1, 7, true },
};

static const struct known *find(uint32_t event)
{
    for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
        if ((event & known[i].mask) == known[i].event)
            return &known[i];
    return NULL;
}

void reader_forget_calls(struct trace_reader *r)
{
    for (unsigned i = 0; i < READER_VCPUS; i++) {
        r->vcpus[i].depth = 0;
        r->vcpus[i].loose = true;
    }
}

void reader_start(struct trace_reader *r, void (*on_record)(const struct trace_record *r))
{
    *r = (struct trace_reader){ .on_record = on_record };
    for (unsigned i = 0; i < READER_VCPUS; i++)
        r->vcpus[i].vcpu = NO_VCPU;
    reader_forget_calls(r);
}

/* --- Hypercalls and their results ------------------------------------------------------------- */
static struct reader_calls *calls_of(struct trace_reader *r, uint32_t vcpu)
{
    unsigned i = 0;

    MUST(vcpu != NO_VCPU && vcpu != IDLE_WORD);
    while (i < READER_VCPUS && r->vcpus[i].vcpu != vcpu && r->vcpus[i].vcpu != NO_VCPU)
        i++;
    MUST(i < READER_VCPUS);
    r->vcpus[i].vcpu = vcpu;
    return &r->vcpus[i];
}

static void call_begins(struct trace_reader *r, const struct trace_record *rec)
{
    bool member = rec->event == TRC_PV_HYPERCALL_SUBCALL;
    struct reader_calls *c;
    unsigned at = 1;

    for (unsigned i = 0; i < 6; i++) {
        unsigned width = rec->words[0] >> (20 + 2 * i) & 3;

        MUST(width < 3 && (i == 0 || width == 0 || rec->words[0] >> (20 + 2 * (i - 1)) & 3));
        at += width;
    }
    MUST(at == rec->n);
    r->calls++;
    if (!r->who_is_known)
        return;
    c = calls_of(r, rec->who);
    if (!member) {
        MUST(c->depth == 0);
        c->loose = false;               /* an outermost one: what is open now is known */
    } else {
        MUST(c->loose || (c->depth == 1 && c->nr[0] == __HYPERVISOR_multicall));
    }
    MUST(c->depth < READER_DEPTH);
    c->nr[c->depth++] = rec->words[0] & ~TRC_PV_HYPERCALL_V2_ARG_MASK;
}

static void call_ends(struct trace_reader *r, const struct trace_record *rec)
{
    struct reader_calls *c;

    r->results++;
    if (!r->who_is_known)
        return;
    c = calls_of(r, rec->who);
    MUST(c->depth != 0 || c->loose);
    if (c->depth != 0)
        MUST(c->nr[--c->depth] == (rec->words[0] & ~TRC_PV_HYPERCALL_V2_ARG_MASK));
}

/* A domain's number is used again by another domain. No vCPU of this one runs any more. */
static void domain_changes(struct trace_reader *r, uint32_t domid)
{
    for (unsigned i = 0; i < READER_VCPUS; i++)
        if (r->vcpus[i].vcpu != NO_VCPU && r->vcpus[i].vcpu >> 16 == domid) {
            r->vcpus[i].depth = 0;
            r->vcpus[i].loose = true;
        }
}

/* --- Records and blocks ----------------------------------------------------------------------- */
static void who_runs(struct trace_reader *r, const struct trace_record *rec)
{
    if (rec->event == TRC_SCHED_CONTINUE_RUNNING) {
        r->who = rec->words[0];
        r->who_is_known = true;
    } else if ((rec->event & ~0x3f0u) == TRC_SCHED_RUNSTATE_CHANGE) {
        unsigned from = rec->event >> 8 & 3, to = rec->event >> 4 & 3;

        if (from == RUNSTATE_running) {
            MUST(!r->who_is_known || r->who == rec->words[0]);
            r->who = NO_VCPU;
        } else if (to == RUNSTATE_running) {
            MUST(!r->who_is_known || r->who == NO_VCPU);
            r->who = rec->words[0];
            r->who_is_known = true;
        }
    }
}

static void judge(struct trace_reader *r, const struct trace_block *b, struct trace_record *rec,
                  bool first)
{
    uint32_t domid = rec->words[0];

    MUST((rec->event == TRC_PARAGON_CLOCK) == first);
    if (first) {
        MUST((rec->words[0] | (uint64_t)rec->words[1] << 32) == trace_header.tsc_hz);
        MUST((rec->words[2] | (uint64_t)rec->words[3] << 32) == tsc_at_boot());
        MUST(rec->words[4] == TRACE_FORMAT_VERSION);
        MUST(rec->words[5] == nr_cpus && rec->words[6] == (uint32_t)rec->index);
        MUST(rec->tsc >= b->first_tsc);
    }
    if (rec->tsc != 0) {
        MUST(rec->tsc >= r->tsc);
        r->tsc = rec->tsc;
    }
    who_runs(r, rec);
    rec->who = r->who;
    if (rec->event == TRC_PV_HYPERCALL_V2 || rec->event == TRC_PV_HYPERCALL_SUBCALL)
        call_begins(r, rec);
    else if (rec->event == TRC_PARAGON_RESULT)
        call_ends(r, rec);
    else if (rec->event == TRC_PARAGON_DOMAIN)
        domain_changes(r, domid);
    else if (rec->event == TRC_PARAGON_CLASSES)
        r->classes = rec->words[0];
    else if (rec->event == TRC_PARAGON_COPY_IN || rec->event == TRC_PARAGON_COPY_OUT)
        MUST(rec->n == 2 + ((rec->words[1] >> 16 & 0x7fff) + 3) / 4 &&
             (rec->words[1] >> 16 & 0x7fff) <= TRACE_COPY_BYTES);
}

static void read_records(struct trace_reader *r, const struct trace_block *b)
{
    uint32_t used = b->used;

    MUST(used <= BLOCK_ROOM && used % 4 == 0 && r->offset <= used);
    while (r->offset < used) {
        const uint32_t *p = (const void *)((const char *)b->records + r->offset);
        struct trace_record rec = {
            .event = TRC_HD_TO_EVENT(*p), .n = TRC_HD_EXTRA(*p), .index = r->seen + r->lost,
            .block = r->block,
        };
        bool timed = TRC_HD_INCLUDES_CYCLE_COUNT(*p);
        size_t bytes = 4 * (1 + (timed ? 2 : 0) + rec.n);
        const struct known *k = find(rec.event);

        MUST(k != NULL && k->timed == timed && rec.n >= k->min && rec.n <= k->max);
        MUST(r->offset + bytes <= used);
        rec.tsc = timed ? p[1] | (uint64_t)p[2] << 32 : 0;
        memcpy(rec.words, p + (timed ? 3 : 1), 4 * rec.n);
        judge(r, b, &rec, r->offset == 0);
        r->offset += bytes;
        r->seen++;
        if (r->on_record != NULL)
            r->on_record(&rec);
    }
}

/* Its first record is the next one to be read; or records were lost, with the blocks in between. */
static void enter_block(struct trace_reader *r, uint64_t number, bool overtaken)
{
    const struct trace_block *b = trace_slot(&trace_rings[r->cpu], number);

    r->block = number;
    r->offset = 0;
    MUST(b->first_record >= r->seen + r->lost && b->cpu == r->cpu && b->first_tsc >= r->tsc);
    MUST(overtaken || b->first_record == r->seen + r->lost);
    if (b->first_record == r->seen + r->lost)
        return;
    r->lost = b->first_record - r->seen;
    r->who = NO_VCPU;
    r->who_is_known = false;
    reader_forget_calls(r);
}

void reader_follow(struct trace_reader *r)
{
    const struct trace_ring *ring = &trace_rings[r->cpu];
    uint64_t head = trace_header.rings[r->cpu].head, nr = trace_header.nr_blocks,
        oldest = head > nr ? head - nr + 1 : 1;

    if (ring->slots == NULL || head == 0)
        return;
    for (uint64_t n = oldest; n <= head; n++)
        MUST(trace_slot(ring, n)->number == n);
    if (r->block < oldest)
        enter_block(r, oldest, true);
    read_records(r, trace_slot(ring, r->block));
    while (r->block < head) {
        enter_block(r, r->block + 1, false);
        read_records(r, trace_slot(ring, r->block));
    }
    MUST(r->seen + r->lost == ring->records);
}

static void drop(unsigned cpu)
{
    for (unsigned i = 0; trace_rings[cpu].slots != NULL && i < trace_header.nr_blocks; i++)
        free_pages((char *)trace_rings[cpu].slots + i * TRACE_BLOCK_BYTES, 2);
    trace_rings[cpu] = (struct trace_ring){ 0 };
    trace_header.rings[cpu] = (struct trace_ring_info){ 0 };
}

void reader_drop_ring(void)
{
    for (unsigned cpu = 0; cpu < TRACE_MAX_CPUS; cpu++)
        drop(cpu);
    trace_header.state = TRACE_STATE_NONE;
}
