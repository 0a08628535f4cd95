/* Owns what the other stages see of the input: records, one after the other, from wherever they come. Waiting
 * is done here and nowhere else, and what was read is handed to save.c. Bytes are stream.c's, a machine's RAM
 * is ram.c's. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/compiler.h"
#include "tools/pvtrace/source.h"

#define POLL_MS 50
#define OPEN_MS 10000                   /* QEMU makes the file of its RAM when it has started */
#define QUIET_POLLS 20                  /* nothing for so long after the last counters: the trace has ended */

struct source {
    struct stream *stream;              /* one of the two */
    struct ram *ram;
    struct save *save;
    bool follow, stopped, counters;     /* the last record was a counter, which only the end of a trace has */
    struct fault fault;
};

static volatile sig_atomic_t stopping;

void source_stop(void)
{
    stopping = 1;
}

/* --- Complaints ------------------------------------------------------------------------------------- */
static void compose(struct fault *f)
{
    int n = 0;

    if (f->nr_bad != 0)
        n = snprintf(f->whole, sizeof(f->whole), "%s (%lu bytes skipped, in %lu window%s)%s", f->skipped,
                     f->bad_bytes, f->nr_bad, f->nr_bad == 1 ? "" : "s", f->text[0] != '\0' ? "; " : "");
    snprintf(f->whole + n, sizeof(f->whole) - (size_t)n, "%s", f->text);
}

void fault_set(struct fault *f, const char *fmt, ...)
{
    va_list args;

    if (f->text[0] != '\0')
        return;
    va_start(args, fmt);
    vsnprintf(f->text, sizeof(f->text), fmt, args);
    va_end(args);
    compose(f);
}

void fault_skip(struct fault *f, uint64_t offset, uint32_t header, uint64_t left, uint64_t bytes)
{
    const size_t size = sizeof(f->skipped);

    if (f->nr_bad == 0 && left < 4)
        snprintf(f->skipped, size, "offset %lu: %lu bytes before the window's end, less than a record",
                 offset, left);
    else if (f->nr_bad == 0 && !record_plausible(header))
        snprintf(f->skipped, size, "offset %lu: no record begins with %#x", offset, header);
    else if (f->nr_bad == 0)
        snprintf(f->skipped, size, "offset %lu: a record of %u bytes where the window has only %lu left",
                 offset, record_bytes(header), left);
    f->nr_bad++;
    f->bad_bytes += bytes;
    compose(f);
}

const char *source_fault(const struct source *s)
{
    if (s->fault.whole[0] != '\0')
        return s->fault.whole;
    return s->save != NULL ? save_fault(s->save) : NULL;
}

/* --- Opening ---------------------------------------------------------------------------------------- */
static int open_input(const char *path, const struct source_options *o)
{
    struct stat st;
    int fd = -1;

    if (strcmp(path, "-") == 0 && !o->ram)
        return dup(STDIN_FILENO);
    for (int ms = 0; ms < OPEN_MS && !stopping; ms += POLL_MS) {
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 || errno != ENOENT || !o->ram || !o->follow)
            break;
        poll(NULL, 0, POLL_MS);
    }
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(fd);
        errno = EISDIR;
        fd = -1;
    }
    return fd;
}

struct source *source_open(const char *path, const struct source_options *options)
{
    struct source *s = calloc(1, sizeof(*s));
    int fd = open_input(path, options);

    if (s == NULL || fd < 0) {
        fprintf(stderr, "pvtrace: %s: %s\n", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        free(s);
        return NULL;
    }
    s->follow = options->follow;
    if (options->save != NULL && (s->save = save_open(options->save, fd)) == NULL) {
        close(fd);
        free(s);
        return NULL;
    }
    if (options->ram)
        s->ram = ram_open(fd, options->at, options->follow, &s->fault);
    else
        s->stream = stream_open(fd, options->follow, &s->fault);
    if (s->ram == NULL && s->stream == NULL) {
        fprintf(stderr, "pvtrace: %s: out of memory\n", path);
        source_close(s);
        return NULL;
    }
    return s;
}

void source_close(struct source *s)
{
    if (s == NULL)
        return;
    if (s->ram != NULL)
        ram_close(s->ram);
    if (s->stream != NULL)
        stream_close(s->stream);
    if (s->save != NULL)
        save_close(s->save);
    free(s);
}

/* --- Reading ---------------------------------------------------------------------------------------- */
/* A signal came since the last look: what is there is still read. */
static void obey_stop(struct source *s)
{
    s->stopped = true;
    if (s->ram != NULL)
        ram_stop(s->ram);
    else
        stream_stop(s->stream);
}

static void note(struct source *s, const struct record *r)
{
    s->counters = r->event == TRC_PARAGON_COUNTER;
    if (r->event == TRC_PARAGON_CLOCK && r->n >= 5 && r->w[4] != TRACE_FORMAT_VERSION)
        fault_set(&s->fault, "offset %lu: the trace has format %u, this program knows %u", r->offset, r->w[4],
                  TRACE_FORMAT_VERSION);
    if (s->save != NULL)
        save_record(s->save, r);
}

int source_next(struct source *s, struct record *r)
{
    for (int quiet = 0;;) {
        enum next next;

        if (unlikely(stopping && !s->stopped))
            obey_stop(s);
        next = s->ram != NULL ? ram_next(s->ram, r) : stream_next(s->stream, r);
        if (likely(next == NEXT_RECORD)) {
            note(s, r);
            return 1;
        }
        if (s->save != NULL)
            save_flush(s->save);
        if (next == NEXT_END || s->stopped || (s->counters && quiet >= QUIET_POLLS))
            return 0;
        if (s->ram != NULL)
            poll(NULL, 0, POLL_MS);
        else if (stream_wait(s->stream, POLL_MS))
            quiet++;
    }
}

bool source_idle(struct source *s)
{
    if (likely(s->ram != NULL ? ram_ready(s->ram) : stream_ready(s->stream)))
        return false;
    if (s->save != NULL)
        save_flush(s->save);
    return true;
}
