/* Writes the trace's records into the rings (common/trace_format.h): each CPU into its own, without
 * a lock. The places that write records are all over xen/, mostly TRACE() of trace.h. Which domains
 * are traced for which classes is trace_control.c's; trace_show.c prints records on the console;
 * the host reads the rings with tools/pvtrace.
 *
 *   T1  a record is complete in memory before its block's `used` covers it, and a block's number is
 *       0 while its header and records are being replaced: the host may read the ring at any time
 *       and knows which records are valid
 *   T2  the hypervisor never depends on anything that it reads from the ring: the host may have
 *       written it
 *   T3  while trace_on is not 0, every CPU has a ring
 *   T4  a ring is written by its own CPU only. While trace_on is 0 it is not recorded who runs, so
 *       the ring is closed; the first record after that opens it, and records of who runs and of
 *       what is traced come before it */
#include "arch/arch.h"
#include "common/abi_names.h"
#include "common/string.h"
#include "common/trace_format.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/sched.h"
#include "xen/core/time.h"
#include "xen/core/trace.h"
#include "xen/core/trace_control.h"
#include "xen/core/trace_ring.h"
#include "xen/core/trace_sink.h"

#define COPY_MAX 1024u                  /* bytes of one copy that are recorded; the rest is cut */
#define HEADER(event, n) ((uint32_t)(event) | (uint32_t)(n) << TRACE_EXTRA_SHIFT)
#define CYCLES (1u << 31)

uint32_t trace_on;
struct trace_ring trace_rings[TRACE_MAX_CPUS];
struct trace_header trace_header __attribute__((aligned(PAGE_SIZE)));

/* 32-bit words of each argument; 0: no such argument */
static uint8_t arg_words[ABI_HYPERCALLS][6];

struct trace_block *trace_slot(const struct trace_ring *r, uint64_t number)
{
    return (void *)((char *)r->slots + (number - 1) % trace_header.nr_blocks * TRACE_BLOCK_BYTES);
}

static inline void commit(struct trace_ring *r, uint32_t *end)
{
    r->pos = end;
    r->records++;
    barrier();                          /* T1 */
    r->block->used = (uint32_t)((char *)end - (char *)r->block->records);
}

static inline uint32_t *stamp(uint32_t *p, uint32_t header)
{
    uint64_t tsc = arch_tsc();

    p[0] = header | CYCLES;
    p[1] = (uint32_t)tsc;
    p[2] = (uint32_t)(tsc >> 32);
    return p + 3;
}

static void put_words(struct trace_ring *r, uint32_t event, const uint32_t *words, unsigned n)
{
    uint32_t *p = stamp(r->pos, HEADER(event, n));

    for (unsigned i = 0; i < n; i++)
        p[i] = words[i];
    commit(r, p + n);
}

/* A record of any size may begin below it. */
static uint32_t *limit_of(struct trace_block *b)
{
    return (uint32_t *)((char *)b + TRACE_BLOCK_BYTES) - TRACE_RECORD_WORDS + 1;
}

/* Begins a block with records of the clock and of the running vCPU, so that each block can be
 * decoded by itself. */
static void next_block(struct trace_ring *r)
{
    struct trace_ring_info *info = &trace_header.rings[r - trace_rings];
    uint64_t number = info->head + 1, zero = tsc_at_boot();
    const uint32_t clock[] = { W64(trace_header.tsc_hz), W64(zero), TRACE_FORMAT_VERSION,
                               nr_cpus, (uint32_t)r->records };
    struct trace_block *b = trace_slot(r, number);

    if (r->block != NULL)
        trace_sink_block(r->block);
    b->number = 0;
    barrier();
    b->first_record = r->records;
    b->used = 0;
    b->cpu = (uint32_t)(r - trace_rings);
    b->first_tsc = arch_tsc();
    barrier();
    b->number = number;
    r->block = b;
    r->pos = b->records;
    r->limit = limit_of(b);
    put_words(r, TRC_PARAGON_CLOCK, clock, ARRAY_SIZE(clock));
    if (r->running != NO_VCPU)
        put_words(r, TRC_SCHED_CONTINUE_RUNNING, &r->running, 1);
    info->head = number;
}

/* T4. `current` is not asked who runs: while the CPU switches to another vCPU, it lags behind the
 * records. While nothing is traced, only the counters are written that end the trace. */
static void open_ring(struct trace_ring *r)
{
    const struct vcpu *v = this_cpu()->running;
    uint32_t classes = READ_ONCE(trace_on);
    bool begins = r->block == NULL;

    r->open = true;
    r->running = VCPU_WORD(v);
    r->limit = begins ? r->pos : limit_of(r->block);
    if (classes == r->classes)
        return;
    r->classes = classes;
    if (r->pos >= r->limit)
        next_block(r);
    if (!begins)
        put_words(r, TRC_SCHED_CONTINUE_RUNNING, &r->running, 1);
    if (r->pos >= r->limit)
        next_block(r);
    put_words(r, TRC_PARAGON_CLASSES, &classes, 1);
}

static void __attribute__((noinline)) make_room(struct trace_ring *r)
{
    if (!r->open)
        open_ring(r);
    if (r->pos >= r->limit)
        next_block(r);
}

static inline struct trace_ring *ring_with_room(void)
{
    struct trace_ring *r = &trace_rings[current->cpu->id];

    if (unlikely(r->pos >= r->limit))
        make_room(r);
    return r;
}

void trace_close(void)
{
    struct trace_ring *r = &trace_rings[current->cpu->id];

    r->open = false;
    r->limit = r->pos;
}

void trace_note_classes(void)
{
    struct trace_ring *r = &trace_rings[current->cpu->id];
    uint32_t classes = READ_ONCE(trace_on);

    if (r->open && classes != r->classes) {
        r->classes = classes;
        trace_write(TRC_PARAGON_CLASSES, &classes, 1);
    } else if (!r->open && classes != 0) {
        make_room(r);
    }
    if (classes == 0)
        trace_close();
}

void trace_write(uint32_t event, const uint32_t *words, unsigned n)
{
    put_words(ring_with_room(), event, words, n);
}

void trace_put(uint32_t class, uint32_t event, const uint32_t *words, unsigned n)
{
    const struct vcpu *v = current;

    if (is_idle(v) || (v->domain->trace & class))
        put_words(ring_with_room(), event, words, n);
}

void trace_put_of(const struct domain *d, uint32_t class, uint32_t event, const uint32_t *words,
                  unsigned n)
{
    if (d->trace & class)
        put_words(ring_with_room(), event, words, n);
}

/* A hypercall's number has 20 bits in the record; larger numbers are recorded as the largest. */
static inline uint32_t op_word(uint64_t nr)
{
    return (uint32_t)MIN(nr, (uint64_t)(uint32_t)~TRC_PV_HYPERCALL_V2_ARG_MASK);
}

void trace_records_init(void)
{
    for (unsigned nr = 0; nr < ABI_HYPERCALLS; nr++) {
        const char *kinds = abi_argument_kinds(nr);

        for (unsigned i = 0; kinds[i] != '\0'; i++)
            arg_words[nr][i] = (uint8_t)abi_kind_words(kinds[i]);
    }
}

/* Arguments as in Xen's record: one word for a 32-bit number, two for a pointer. Those that do not
 * fit into the record are written in a second one, TRC_PARAGON_ARGS. */
uint64_t trace_hypercall(uint64_t nr, const uint64_t args[6], bool member)
{
    static const uint8_t unknown[6] = { 2, 2, 2, 2, 2, 2 };
    const uint8_t *words = likely(nr < ABI_HYPERCALLS) ? arg_words[nr] : unknown;
    struct trace_ring *r = ring_with_room();
    uint32_t *start = r->pos,
             *p = stamp(start, member ? TRC_PV_HYPERCALL_SUBCALL : TRC_PV_HYPERCALL_V2), *op = p++;
    uint64_t begin = start[1] | (uint64_t)start[2] << 32;
    unsigned i = 0;

    *op = op_word(nr);
    for (; i < 6 && words[i] != 0 && p + words[i] <= op + TRACE_EXTRA_MAX; i++) {
        *op |= (uint32_t)words[i] << (20 + 2 * i);
        *p++ = (uint32_t)args[i];
        if (words[i] == 2)
            *p++ = (uint32_t)(args[i] >> 32);
    }
    *start |= HEADER(0, p - op);
    commit(r, p);
    if (unlikely(i < 6 && words[i] != 0)) {
        const uint32_t rest[] = { i, W64(args[i]), W64(args[MIN(i + 1, 5u)]),
                                 W64(args[MIN(i + 2, 5u)])};

        put_words(ring_with_room(), TRC_PARAGON_ARGS, rest, 1 + 2 * MIN(6 - i, 3u));
    }
    return begin;
}

void trace_result(uint64_t nr, int64_t result, uint64_t begin)
{
    uint64_t ticks = arch_tsc() - begin;
    const uint32_t words[] = { op_word(nr), W64(result), W64(ticks) };

    if (tracing(TRACE_HYPERCALL))       /* tracing may have been switched off during the call */
        trace_put(TRACE_HYPERCALL, TRC_PARAGON_RESULT, words, ARRAY_SIZE(words));
}

/* Without a time: the record of the hypercall has it. */
void trace_copy(uint32_t event, uint64_t va, const void *bytes, size_t len)
{
    size_t left = MIN(len, COPY_MAX);
    bool cut = left != len;

    if (is_idle(current) || !(current->domain->trace & TRACE_ARGS))
        return;
    for (const char *from = bytes; left != 0;) {
        struct trace_ring *r = ring_with_room();
        uint32_t n = (uint32_t)MIN(left, TRACE_COPY_BYTES), nr_words = (n + 3) / 4, *p = r->pos;

        left -= n;
        p[0] = HEADER(event, 2 + nr_words);
        p[1] = (uint32_t)va;
        p[2] = (uint32_t)(va >> 32 & 0xffff) | (n | (cut && left == 0 ? TRACE_COPY_CUT : 0)) << 16;
        p[2 + nr_words] = 0;
        memcpy(&p[3], from, n);
        commit(r, p + 3 + nr_words);
        from += n;
        va += n;
    }
}

void trace_emulated(uint32_t event, uint64_t rip, const uint8_t *bytes, unsigned len)
{
    uint32_t words[7] = { W64(rip), len };

    trace_put(TRACE_EMUL, event | TRC_64_FLAG, words, 2);
    memcpy(&words[3], bytes, MIN(len, 16u));
    trace_put(TRACE_EMUL, TRC_PARAGON_EMULATED, words, 7);
}

void trace_runstate(const struct vcpu *v, int from, int to)
{
    struct trace_ring *r = ring_with_room();
    uint32_t who = VCPU_WORD(v);

    put_words(r, TRC_SCHED_RUNSTATE_CHANGE | (uint32_t)from << 8 | (uint32_t)to << 4, &who, 1);
    if (to == RUNSTATE_running)
        r->running = who;
    else if (from == RUNSTATE_running)
        r->running = NO_VCPU;
}

void trace_domain_event(const struct domain *d, enum trace_domain what)
{
    uint32_t words[7] = { d->id, what };

    memcpy(&words[2], d->name, 20);
    trace_put(TRACE_ALL, TRC_PARAGON_DOMAIN, words, ARRAY_SIZE(words));
}
