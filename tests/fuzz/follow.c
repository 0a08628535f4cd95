/* Tracing in half of the worlds, of some classes and domains, which change now and then. A
 * reader (tests/unit/trace_reader.c) follows the ring, in some worlds so seldom that it wraps,
 * and ends the process if a record is impossible. The ring is moved to memory whose ends
 * AddressSanitizer guards. Called by world.c and, after each hypercall, by guest.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/fuzz/choice.h"
#include "tests/fuzz/follow.h"
#include "tests/fuzz/world.h"
#include "trace_reader.h"
#include "xen/core/domain_list.h"
#include "xen/core/trace.h"
#include "xen/core/trace_control.h"
#include "xen/core/trace_ring.h"
#include "xen/core/trace_show.h"

static struct trace_reader reader;
static void *ring_of_ram;
/* hypercalls between two readings; 0: this world is not traced */
static unsigned reads_one_in;

static uint32_t some_classes(void)
{
    return one_in(2) ? TRACE_ALL : one_in(3) ? 0 : (uint32_t)below(TRACE_ALL + 1);
}

static void move_ring(void *to)
{
    struct trace_ring *r = &trace_rings[0];
    ptrdiff_t by = (char *)to - (char *)r->slots;

    memcpy(to, r->slots, (size_t)trace_header.nr_blocks * TRACE_BLOCK_BYTES);
    r->slots = to;
    r->block = (void *)((char *)r->block + by);
    r->pos = (void *)((char *)r->pos + by);
    r->limit = (void *)((char *)r->limit + by);
}

static void change(void)
{
    struct domain *d;

    for_each_domain(d)
        if (one_in(2))
            trace_domain(d, some_classes());
    if (one_in(4))
        trace_toggle();
}

/* The change has a record in the ring; results after it may be of calls that began untraced. */
void follow_change_now_and_then(void)
{
    if (reads_one_in == 0 || !one_in(200))
        return;
    reader_follow(&reader);
    change();
    reader_follow(&reader);
    reader_forget_calls(&reader);
}

void follow_begin(void)
{
    reads_one_in = one_in(2) ? 0 : one_in(2) ? 1 : one_in(2) ? 40 : 2000;
    if (world.nr_cpus > 1)
        reads_one_in = 0;               /* the reader follows one ring */
    trace_config = (struct trace_config){ .size = 64 << 10, .lines = (unsigned)below(40) };
    if (reads_one_in == 0)
        return;
    trace_config.classes = TRACE_ALL;
    trace_init();
    ring_of_ram = trace_rings[0].slots;
    move_ring(malloc((size_t)trace_header.nr_blocks * TRACE_BLOCK_BYTES));
    reader_start(&reader, NULL);
}

void follow_now_and_then(void)
{
    if (reads_one_in != 0 && one_in(reads_one_in))
        reader_follow(&reader);
}

/* The last records are the counts; records seen and records lost are together all that were
 * written. */
void follow_finish(void)
{
    uint64_t records = trace_rings[0].records;
    void *fenced = trace_rings[0].slots;

    if (reads_one_in == 0)
        return;
    trace_show();
    reader_follow(&reader);
    if (reader.seen + reader.lost != records) {
        fprintf(stderr, "fuzz: %lu records, seen %lu, lost %lu\n", records, reader.seen,
                reader.lost);
        abort();
    }
    world.result.records += reader.seen;
    world.result.lost += reader.lost;
    move_ring(ring_of_ram);
    free(fenced);
    trace_end();
    reader_drop_ring();
}

void follow_domain(struct domain *d)
{
    if (reads_one_in != 0)
        trace_domain(d, some_classes());
}
