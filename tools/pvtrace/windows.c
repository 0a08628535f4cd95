/* A file with the records of several CPUs, in the order of time. Each CPU's windows are in that
 * order, but a window comes to the file when it is full, so that those of a CPU that did little
 * come long after what others did meanwhile. So the file is read twice: stream.c finds all that is
 * a record, whatever damage there is; here is kept where the records of each CPU are. Then they
 * are read again, beginning with the oldest. Called by source.c.
 *
 * What is kept takes some bytes for each window. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/compiler.h"
#include "tools/pvtrace/source.h"

#define BUFFER_BYTES 16384u
#define EXTENT_MAX (1u << 30)

/* Records of one CPU, without anything between them. */
struct extent {
    uint64_t at;
    uint32_t len;
    uint32_t next;              /* of the same CPU; 0: none */
};

struct cursor {
    uint16_t cpu;
    uint32_t first, last;       /* extents; 0: none */
    uint64_t at;                /* offset of the record after `next` */
    uint32_t left;              /* bytes of the extent from there on */
    uint32_t pos, end;          /* in buffer; pos is at `at` */
    uint64_t tsc;
    struct record next;
    uint8_t buffer[BUFFER_BYTES];
};

struct windows {
    int fd;
    uint64_t base;              /* where in the file the trace begins */
    struct fault *fault;
    bool ended;
    struct extent *extents;     /* [0] is not used */
    uint32_t nr_extents, room;
    unsigned nr_cursors;
    struct cursor *of_cpu[MAX_CPUS], *cursors[MAX_CPUS];
    struct merge merge;
};

/* --- Where records are ------------------------------------------------------------------------ */
static struct cursor *cursor_of(struct windows *w, uint16_t cpu)
{
    if (w->of_cpu[cpu] == NULL) {
        w->of_cpu[cpu] = w->cursors[w->nr_cursors++] = xcalloc(1, sizeof(struct cursor));
        w->of_cpu[cpu]->cpu = cpu;
    }
    return w->of_cpu[cpu];
}

static void new_extent(struct windows *w, struct cursor *c, uint64_t at)
{
    if (w->nr_extents == w->room) {
        w->room = w->room * 2 + 64;
        w->extents = realloc(w->extents, w->room * sizeof(w->extents[0]));
        if (w->extents == NULL)
            errx(EXIT_TROUBLE, "out of memory");
    }
    w->extents[w->nr_extents] = (struct extent){ .at = at };
    if (c->last != 0)
        w->extents[c->last].next = w->nr_extents;
    else
        c->first = w->nr_extents;
    c->last = w->nr_extents++;
}

static void add_record(struct windows *w, const struct record *r)
{
    uint32_t size = 4u * (1 + 2 * r->has_tsc + r->n);
    struct cursor *c = cursor_of(w, r->cpu);
    struct extent *e = &w->extents[c->last];

    if (c->last == 0 || e->at + e->len != r->offset || e->len > EXTENT_MAX) {
        new_extent(w, c, r->offset);
        e = &w->extents[c->last];
    }
    e->len += size;
}

/* Format 1 had one CPU, and later ones say how many. */
static bool is_of_one_cpu(const struct record *r)
{
    return r->event == TRC_PARAGON_CLOCK && r->n >= 5 && (r->n < 6 || r->w[5] == 1);
}

/* False: there is one CPU only. */
static bool find_records(struct windows *w, struct stream *st)
{
    struct record r;
    bool any_clock = false;

    w->room = 64;
    w->extents = xcalloc(w->room, sizeof(w->extents[0]));
    w->nr_extents = 1;
    while (stream_next(st, &r) != NEXT_END) {
        if (r.event == TRC_TRACE_CPU_CHANGE)
            continue;
        if (!any_clock && is_of_one_cpu(&r))
            return false;
        any_clock |= r.event == TRC_PARAGON_CLOCK;
        add_record(w, &r);
    }
    return w->nr_cursors > 1;
}

/* --- Reading them ----------------------------------------------------------------------------- */
static bool load(struct windows *w, struct cursor *c)
{
    size_t len = MIN(c->left, BUFFER_BYTES);
    ssize_t n = pread(w->fd, c->buffer, len, (off_t)(w->base + c->at));

    if (n != (ssize_t)len)
        fault_set(w->fault, "offset %lu: %s", c->at,
                  n < 0 ? strerror(errno) : "the file was cut while it was read");
    c->pos = 0;
    c->end = n > 0 ? (uint32_t)n : 0;
    return n == (ssize_t)len;
}

/* The next record of the CPU; false: there is none. */
static bool advance(struct windows *w, struct cursor *c)
{
    uint32_t size;

    while (c->left == 0) {
        const struct extent *e = &w->extents[c->first];

        if (c->first == 0)
            return false;
        c->at = e->at;
        c->left = e->len;
        c->first = e->next;
        c->pos = c->end = 0;
    }
    if (c->end - c->pos < MIN(c->left, RECORD_BYTES_MAX) && !load(w, c))
        return false;
    size = record_bytes(load32(c->buffer + c->pos));
    if (size > c->left) {               /* it was found there before: somebody writes the file */
        fault_set(w->fault, "offset %lu: the file was changed while it was read", c->at);
        return false;
    }
    c->next.offset = c->at;
    c->next.cpu = c->cpu;
    record_decode(&c->next, c->buffer + c->pos, &c->tsc);
    c->pos += size;
    c->at += size;
    c->left -= size;
    return true;
}

static void step(struct windows *w, unsigned i)
{
    w->merge.head[i] = advance(w, w->cursors[i]) ? &w->cursors[i]->next : NULL;
}

enum next windows_next(struct windows *w, struct record *r)
{
    if (w->ended || (!merge_goes_on(&w->merge) && !merge_choose(&w->merge)))
        return NEXT_END;
    *r = *w->merge.head[w->merge.last];
    step(w, w->merge.last);
    return NEXT_RECORD;
}

void windows_stop(struct windows *w)
{
    w->ended = true;
}

void windows_close(struct windows *w)
{
    for (unsigned i = 0; i < w->nr_cursors; i++)
        free(w->cursors[i]);
    free(w->extents);
    close(w->fd);
    free(w);
}

struct windows *windows_open(int fd, struct fault *fault)
{
    struct windows *w = xcalloc(1, sizeof(*w));
    off_t base = lseek(fd, 0, SEEK_CUR);
    struct stream *st = stream_open(dup(fd), false, fault);
    struct fault before = *fault;
    bool several;

    w->fd = dup(fd);
    w->fault = fault;
    w->base = base > 0 ? (uint64_t)base : 0;
    several = find_records(w, st);
    stream_close(st);
    if (!several) {
        *fault = before;
        lseek(fd, base, SEEK_SET);
        windows_close(w);
        return NULL;
    }
    merge_begin(&w->merge, w->nr_cursors);
    for (unsigned i = 0; i < w->nr_cursors; i++)
        step(w, i);
    return w;
}
