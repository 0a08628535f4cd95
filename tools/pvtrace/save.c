/* --save: what was read from a ring or a pipe, as a trace file. Windows are made anew: one ends
 * where a block of the ring did, or when there is nothing to do but write it out, and each begins
 * as the format wants it, with what the clock is and who runs. Called by source.c. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tools/pvtrace/source.h"

#define WINDOW_BYTES 65536u
#define NOBODY (~0u)

struct save {
    FILE *file;
    char fault[160];
    bool has_clock;
    struct record clock;
    uint16_t cpu;               /* of the window */
    uint32_t len;               /* 0: none is open */
    uint32_t running[MAX_CPUS]; /* vcpu words */
    uint8_t window[WINDOW_BYTES];
};

struct save *save_open(const char *path, int input)
{
    struct save *s = xcalloc(1, sizeof(*s));
    struct stat in, out;
    bool same = fstat(input, &in) == 0 && stat(path, &out) == 0 && in.st_dev == out.st_dev &&
                in.st_ino == out.st_ino;

    s->file = same ? NULL : fopen(path, "wb");
    if (s->file == NULL) {
        warnx("%s: %s", path, same ? "this is what is read" : strerror(errno));
        free(s);
        return NULL;
    }
    memset(s->running, 0xff, sizeof(s->running));
    return s;
}

static void check_written(struct save *s, bool good)
{
    if (!good && s->fault[0] == '\0')
        snprintf(s->fault, sizeof(s->fault), "the copy is not complete: %s", strerror(errno));
}

static void close_window(struct save *s)
{
    const uint32_t header[] = { TRC_TRACE_CPU_CHANGE | 2u << TRACE_EXTRA_SHIFT, s->cpu, s->len };

    if (s->len == 0)
        return;
    check_written(s, fwrite(header, sizeof(header), 1, s->file) == 1 &&
                     fwrite(s->window, s->len, 1, s->file) == 1);
    s->len = 0;
}

static void put(struct save *s, const struct record *r, uint64_t tsc)
{
    uint32_t header = r->event | (uint32_t)r->n << TRACE_EXTRA_SHIFT |
                      (r->has_tsc ? HEADER_CYCLES : 0);
    uint8_t *p = s->window + s->len;

    memcpy(p, &header, 4);
    p += 4;
    if (r->has_tsc) {
        memcpy(p, &tsc, 8);
        p += 8;
    }
    memcpy(p, r->w, 4u * r->n);
    s->len += record_bytes(header);
}

static void open_window(struct save *s, const struct record *first)
{
    struct record who = { .event = TRC_SCHED_CONTINUE_RUNNING, .n = 1, .has_tsc = true };

    s->cpu = first->cpu;
    if (first->event == TRC_PARAGON_CLOCK || first->event == TRC_LOST_RECORDS)
        return;                        /* nobody knows who runs after a loss, and a clock follows */
    if (s->has_clock)
        put(s, &s->clock, first->tsc);
    who.w[0] = s->running[first->cpu];
    if (who.w[0] != NOBODY && first->event != TRC_SCHED_CONTINUE_RUNNING)
        put(s, &who, first->tsc);
}

static void follow_running(struct save *s, const struct record *r)
{
    uint32_t *running = &s->running[r->cpu];

    if (r->event == TRC_SCHED_CONTINUE_RUNNING)
        *running = r->w[0];
    else if (r->event == TRC_LOST_RECORDS)
        *running = r->w[1] & 0x8000 ? NOBODY : r->w[1] << 16 | r->w[1] >> 16;
    else if ((r->event & ~0xff0u) == TRC_SCHED_RUNSTATE_CHANGE && (r->event >> 4 & 0xf) == 0)
        *running = r->w[0];
    else if ((r->event & ~0xff0u) == TRC_SCHED_RUNSTATE_CHANGE && (r->event >> 8 & 0xf) == 0)
        *running = NOBODY;
}

void save_record(struct save *s, const struct record *r)
{
    if (r->event == TRC_TRACE_CPU_CHANGE)
        return;
    if (s->len > 0 && (r->cpu != s->cpu || r->event == TRC_PARAGON_CLOCK ||
                       s->len + RECORD_BYTES_MAX > WINDOW_BYTES))
        close_window(s);
    if (s->len == 0)
        open_window(s, r);
    put(s, r, r->tsc);
    follow_running(s, r);
    if (r->event == TRC_PARAGON_CLOCK) {
        s->clock = *r;
        s->has_clock = true;
    }
}

void save_flush(struct save *s)
{
    close_window(s);
    check_written(s, fflush(s->file) == 0);
}

const char *save_fault(const struct save *s)
{
    return s->fault[0] != '\0' ? s->fault : NULL;
}

void save_close(struct save *s)
{
    save_flush(s);
    fclose(s->file);
    free(s);
}
