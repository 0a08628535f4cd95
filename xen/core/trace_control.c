/* Which domains are traced for which classes: trace= of the hypervisor and of each module, and the
 * console key that switches it. Also the allocation of the ring, and the trace's end. Records are
 * trace.c's. Called by boot/ (options), domain.c, pv/input.c (the key), and at the machine's
 * end. */
#include "arch/arch.h"
#include "common/string.h"
#include "common/trace_format.h"
#include "xen/core/alloc.h"
#include "xen/core/claim.h"
#include "xen/core/cpu.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/log.h"
#include "xen/core/trace.h"
#include "xen/core/trace_control.h"
#include "xen/core/trace_ring.h"
#include "xen/core/trace_sink.h"

#define MIN_BLOCKS 4u

struct trace_config trace_config = { .size = 16ull << 20, .lines = 32 };

static bool enabled;                    /* the key's state */
/* The ring was allocated after trace_init(), from memory free for guests. */
static bool late;

static uint64_t (*count)(unsigned nr);  /* calls by hypercall number, below nr_counts */
static unsigned nr_counts;

void trace_register_counts(uint64_t (*count_calls)(unsigned nr), unsigned nr)
{
    count = count_calls;
    nr_counts = nr;
}

static const struct {
    const char *word;
    uint32_t classes;
} class_words[] = {
#define X(name, word, help) { word, TRACE_##name },
    TRACE_CLASSES(X)
#undef X
    { "all", TRACE_ALL }, { "hypercalls", TRACE_HYPERCALL | TRACE_ARGS }, { "off", 0 },
};

bool trace_parse(const char *words, uint32_t *classes)
{
    uint32_t parsed = *words == '-' || *words == '\0' ? TRACE_ALL : 0;

    while (*words != '\0') {
        bool minus = *words == '-';
        size_t len = 0;
        unsigned i = 0;

        words += minus;
        while (words[len] != '\0' && words[len] != ',')
            len++;
        while (i < ARRAY_SIZE(class_words) &&
               (strlen(class_words[i].word) != len ||
                strncmp(class_words[i].word, words, len) != 0))
            i++;
        if (i == ARRAY_SIZE(class_words))
            return false;
        parsed = minus ? parsed & ~class_words[i].classes : parsed | class_words[i].classes;
        words += len + (words[len] == ',');
    }
    *classes = parsed;
    return true;
}

static bool allocate(uint64_t bytes)
{
    unsigned order = 0;
    void *slots;

    while (PAGE_SIZE << order < MIN_BLOCKS * TRACE_BLOCK_BYTES || PAGE_SIZE << (order + 1) <= bytes)
        order++;
    do
        slots = alloc_pages(order);
    while (slots == NULL && PAGE_SIZE << --order >= MIN_BLOCKS * TRACE_BLOCK_BYTES);
    if (slots == NULL) {
        log_error("trace: no memory for its ring, it stays off");
        return false;
    }
    trace_rings[0].slots = slots;
    trace_header.pa = arch_static_maddr(&trace_header);
    trace_header.version = TRACE_FORMAT_VERSION;
    trace_header.ram_end = max_mfn << PAGE_SHIFT;
    trace_header.tsc_hz = arch_tsc_hz();
    trace_header.block_bytes = TRACE_BLOCK_BYTES;
    trace_header.nr_blocks = (uint32_t)((PAGE_SIZE << order) / TRACE_BLOCK_BYTES);
    trace_header.nr_cpus = 1;
    trace_header.rings[0].pa = virt_to_mfn(slots) << PAGE_SHIFT;
    barrier();
    trace_header.state = TRACE_STATE_RUNNING;
    log_info("Trace: ring of %lu KiB at %lx, described at %lx", (PAGE_SIZE << order) / 1024,
             trace_header.rings[0].pa, trace_header.pa);
    return true;
}

/* The ring is never freed: the host may read it after the last guest has ended. */
uint64_t trace_late_frames(void)
{
    return late ? (uint64_t)trace_header.nr_blocks * TRACE_BLOCK_BYTES / PAGE_SIZE : 0;
}

/* At run time the ring gets at most half of the free memory: running guests still need some for
 * ports and grants. */
bool trace_ready(void)
{
    if (enabled && trace_rings[0].slots == NULL)
        late = allocate(MIN(trace_config.size, unclaimed_frames() * PAGE_SIZE / 2));
    return enabled && trace_rings[0].slots != NULL;
}

/* Computes trace_on, and writes a record when it has changed. While it was 0, r->running was not
 * kept up to date. */
static void update(void)
{
    uint32_t classes = trace_config.classes, before = trace_on;
    struct trace_ring *r = &trace_rings[0];
    struct domain *d;

    for_each_domain(d)
        classes |= d->trace;
    if (classes != 0 && (trace_header.state == TRACE_STATE_ENDED || !trace_ready()))
        classes = 0;
    if (classes == before)
        return;
    trace_on = classes;
    if (before == 0) {
        r->running = is_idle(current) ? IDLE_WORD : VCPU_WORD(current);
        if (r->block != NULL)
            trace_write(TRC_SCHED_CONTINUE_RUNNING, &r->running, 1);
    }
    if (r->slots != NULL)
        trace_write(TRC_PARAGON_CLASSES, &classes, 1);
}

void trace_init(void)
{
    trace_records_init();
    if (nr_cpus != 1) {
        if (trace_config.wanted)
            log_warning("The trace works with one CPU only (maxcpus=1): it stays off");
        return;
    }
    if (trace_config.wanted && !allocate(trace_config.size))
        return;
    enabled = true;
    if (trace_config.classes != 0)
        update();
}

void trace_domain(struct domain *d, uint32_t classes)
{
    d->trace = classes;
    update();
}

void trace_toggle(void)
{
    struct domain *d;
    bool any = false;

    if (nr_cpus != 1) {
        log_info("The trace works with one CPU only (maxcpus=1): it stays off");
        return;
    }
    for_each_domain(d)
        any |= d->trace != 0;
    if (!any)                           /* no domain is traced: trace all classes of all domains */
        for_each_domain(d)
            d->trace = TRACE_ALL;
    enabled = !enabled || !any;
    update();
    for_each_domain(d)
        if (trace_on != 0 && d->state == DOM_RUNNING)
            trace_domain_event(d, TRACE_DOMAIN_BUILT);      /* for a reader: the domains' names */
    log_info("Trace: %s", trace_on != 0 ? "on" : "off");
}

void trace_end(void)
{
    struct trace_ring *r = &trace_rings[0];

    if (r->slots == NULL || trace_header.state == TRACE_STATE_ENDED)
        return;
    for (unsigned nr = 0; nr < nr_counts; nr++)
        if (count(nr) != 0) {
            const uint32_t counter[] = { nr, W64(count(nr)) };

            trace_write(TRC_PARAGON_COUNTER, counter, ARRAY_SIZE(counter));
        }
    trace_on = 0;
    if (r->block != NULL)
        trace_sink_block(r->block);
    barrier();
    trace_header.state = TRACE_STATE_ENDED;
    log_info("Trace: %lu records, the last %lu are in the ring", r->records,
             r->records - (trace_header.rings[0].head <= trace_header.nr_blocks ?
                           0 : trace_slot(r, trace_header.rings[0].head + 1)->first_record));
}
