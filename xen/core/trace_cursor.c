/* Reads the rings of all CPUs in the order of time, while other CPUs may go on writing theirs: a
 * record counts only if its block is still the same after it was copied. Nothing that is read is
 * used for more than a number to print, for the host may have written it (T2 of trace.c). Called by
 * trace_show.c, on one CPU at a time. */
#include "common/string.h"
#include "common/trace_format.h"
#include "xen/core/trace_cursor.h"
#include "xen/core/trace_ring.h"

/* Copies the record at c. False: there is none in this block, or it is overwritten. */
static bool copy(const struct trace_block *b, struct trace_cursor *c)
{
    uint32_t used = MIN(b->used, TRACE_BLOCK_BYTES - (uint32_t)sizeof(*b)), bytes;
    const char *from = (const char *)b->records + c->at;

    if (c->block == c->last)
        used = MIN(used, c->last_used);
    if (b->number != c->block || c->at >= used)
        return false;
    memcpy(c->record, from, 4);
    bytes = 4 * (1 + 2 * TRC_HD_INCLUDES_CYCLE_COUNT(c->record[0]) + TRC_HD_EXTRA(c->record[0]));
    if (bytes > used - c->at)
        return false;
    memcpy(c->record + 1, from + 4, bytes - 4);
    barrier();
    if (b->number != c->block)
        return false;
    c->at += bytes;
    return true;
}

static void next_record(const struct trace_ring *r, struct trace_cursor *c)
{
    c->has_record = false;
    while (c->block <= c->last && !c->has_record) {
        c->has_record = copy(trace_slot(r, c->block), c);
        if (!c->has_record) {
            c->block++;
            c->at = 0;
        }
    }
    if (c->has_record && TRC_HD_INCLUDES_CYCLE_COUNT(c->record[0]))
        c->tsc = c->record[1] | (uint64_t)c->record[2] << 32;
}

static unsigned lines_of_block(struct trace_ring *r, uint64_t number, bool (*has_line)(uint32_t))
{
    struct trace_cursor *c = &r->shown;
    unsigned lines = 0;

    c->block = number;
    c->at = 0;
    for (next_record(r, c); c->has_record && c->block == number; next_record(r, c))
        lines += has_line(TRC_HD_TO_EVENT(c->record[0]));
    return lines;
}

unsigned trace_cursor_set(unsigned cpu, unsigned wanted, bool (*has_line)(uint32_t event))
{
    struct trace_ring *r = &trace_rings[cpu];
    uint64_t head = trace_header.rings[cpu].head, first = head;
    struct trace_cursor *c = &r->shown;
    unsigned lines;

    *c = (struct trace_cursor){ .last = head, .running = NO_VCPU };
    if (head == 0)
        return 0;
    c->last_used = trace_slot(r, head)->used;
    lines = lines_of_block(r, first, has_line);
    while (lines < wanted && first > 1 && head - first + 1 < trace_header.nr_blocks) {
        first--;                        /* each block is read once here: many may have no line */
        lines += lines_of_block(r, first, has_line);
    }
    c->block = first;
    c->at = 0;
    next_record(r, c);
    return lines;
}

struct trace_cursor *trace_cursor_oldest(unsigned *cpu)
{
    struct trace_cursor *best = NULL;

    for (unsigned i = 0; i < trace_header.nr_cpus; i++) {
        struct trace_cursor *c = &trace_rings[i].shown;

        if (c->has_record && (best == NULL || c->tsc < best->tsc)) {
            best = c;
            *cpu = i;
        }
    }
    return best;
}

void trace_cursor_advance(unsigned cpu)
{
    next_record(&trace_rings[cpu], &trace_rings[cpu].shown);
}
