/* --save: what was read from a ring or a pipe, as a trace file. Windows are made anew, each of one
 * CPU: one ends where a block of the ring did, or when there is nothing to do but write it out, and
 * each begins as the format wants it, with what the clock is and who runs. The records are numbered
 * as they are in the file. Called by source.c. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/compiler.h"
#include "tools/pvtrace/source.h"

#define WINDOW_BYTES 65536u
#define NOBODY (~0u)

struct window {
    uint32_t cpu;
    uint32_t running;           /* vcpu word */
    uint32_t count;             /* records of the CPU, with those that are lost */
    uint32_t len;               /* 0: it has not begun */
    uint8_t bytes[WINDOW_BYTES];
};

struct save {
    FILE *file;
    char fault[160];
    bool has_clock;
    struct record clock;
    uint64_t last_tsc;
    unsigned nr_cpus;           /* one above the highest that has a window */
    struct window *windows[MAX_CPUS];
};

struct save *save_to(FILE *file)
{
    struct save *s = xcalloc(1, sizeof(*s));

    s->file = file;
    return s;
}

struct save *save_open(const char *path, int input)
{
    struct stat in, out;
    bool same = fstat(input, &in) == 0 && stat(path, &out) == 0 && in.st_dev == out.st_dev &&
                in.st_ino == out.st_ino;
    FILE *file = same ? NULL : fopen(path, "wb");

    if (file != NULL)
        return save_to(file);
    warnx("%s: %s", path, same ? "this is what is read" : strerror(errno));
    return NULL;
}

static void check_written(struct save *s, bool good)
{
    if (!good && s->fault[0] == '\0')
        snprintf(s->fault, sizeof(s->fault), "the copy is not complete: %s", strerror(errno));
}

static void close_window(struct save *s, struct window *w)
{
    const uint32_t header[] = { TRC_TRACE_CPU_CHANGE | 2u << TRACE_EXTRA_SHIFT, w->cpu, w->len };

    if (w->len == 0)
        return;
    check_written(s, fwrite(header, sizeof(header), 1, s->file) == 1 &&
                     fwrite(w->bytes, w->len, 1, s->file) == 1);
    w->len = 0;
}

static void put(struct window *w, const struct record *r, uint64_t tsc)
{
    uint32_t header = r->event | (uint32_t)r->n << TRACE_EXTRA_SHIFT |
                      (r->has_tsc ? HEADER_CYCLES : 0), words[TRACE_EXTRA_MAX];
    uint8_t *p = w->bytes + w->len;

    memcpy(words, r->w, sizeof(words));
    if (r->event == TRC_PARAGON_CLOCK && r->n >= 7)
        words[6] = w->count;
    w->count += r->event == TRC_LOST_RECORDS ? r->w[0] : 1;
    memcpy(p, &header, 4);
    p += 4;
    if (r->has_tsc) {
        memcpy(p, &tsc, 8);
        p += 8;
    }
    memcpy(p, words, 4u * r->n);
    w->len += record_bytes(header);
}

static void begin(const struct save *s, struct window *w, const struct record *first)
{
    struct record who = { .event = TRC_SCHED_CONTINUE_RUNNING, .n = 1, .has_tsc = true };

    if (first->event == TRC_PARAGON_CLOCK || first->event == TRC_LOST_RECORDS)
        return;                        /* nobody knows who runs after a loss, and a clock follows */
    if (s->has_clock)
        put(w, &s->clock, first->tsc);
    who.w[0] = w->running;
    if (who.w[0] != NOBODY && first->event != TRC_SCHED_CONTINUE_RUNNING)
        put(w, &who, first->tsc);
}

static void follow_running(struct window *w, const struct record *r)
{
    if (r->event == TRC_SCHED_CONTINUE_RUNNING)
        w->running = r->w[0];
    else if (r->event == TRC_LOST_RECORDS)
        w->running = r->w[1] & 0x8000 ? NOBODY : r->w[1] << 16 | r->w[1] >> 16;
    else if ((r->event & ~0xff0u) == TRC_SCHED_RUNSTATE_CHANGE && (r->event >> 4 & 0xf) == 0)
        w->running = r->w[0];
    else if ((r->event & ~0xff0u) == TRC_SCHED_RUNSTATE_CHANGE && (r->event >> 8 & 0xf) == 0)
        w->running = NOBODY;
}

static struct window *window_of(struct save *s, uint16_t cpu)
{
    if (s->windows[cpu] == NULL) {
        s->windows[cpu] = xcalloc(1, sizeof(struct window));
        s->windows[cpu]->cpu = cpu;
        s->windows[cpu]->running = NOBODY;
        s->nr_cpus = MAX(s->nr_cpus, cpu + 1u);
    }
    return s->windows[cpu];
}

void save_record(struct save *s, const struct record *r)
{
    struct window *w = window_of(s, r->cpu);

    if (r->event == TRC_TRACE_CPU_CHANGE)
        return;
    if (r->event == TRC_PARAGON_CLOCK || w->len + RECORD_BYTES_MAX > WINDOW_BYTES)
        close_window(s, w);
    if (w->len == 0)
        begin(s, w, r);
    put(w, r, r->tsc);
    s->last_tsc = MAX(s->last_tsc, r->tsc);
    follow_running(w, r);
    if (r->event == TRC_PARAGON_CLOCK) {
        s->clock = *r;
        s->has_clock = true;
    }
}

void save_flush(struct save *s)
{
    for (unsigned i = 0; i < s->nr_cpus; i++)
        if (s->windows[i] != NULL)
            close_window(s, s->windows[i]);
    check_written(s, fflush(s->file) == 0);
}

const char *save_fault(const struct save *s)
{
    return s->fault[0] != '\0' ? s->fault : NULL;
}

/* A last window for each CPU, in which nothing happens. xenalyze ends a CPU behind its last window;
 * if another CPU is then still at windows that come before that one in the file, it finds it again
 * and begins the CPU anew. So no CPU ends before the others do. */
static void end_together(struct save *s)
{
    const struct record end = { .tsc = s->last_tsc };

    for (unsigned i = 0; i < s->nr_cpus; i++)
        if (s->windows[i] != NULL)
            begin(s, s->windows[i], &end);
    save_flush(s);
}

void save_close(struct save *s)
{
    save_flush(s);
    if (s->nr_cpus > 1)
        end_together(s);
    fclose(s->file);
    for (unsigned i = 0; i < s->nr_cpus; i++)
        free(s->windows[i]);
    free(s);
}
