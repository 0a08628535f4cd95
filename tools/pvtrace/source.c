/* What the other stages see of the input: records, one after the other, from wherever they come.
 * Bytes are stream.c's, a machine's RAM is ram.c's; what was read is handed to save.c. Called by
 * main.c and diff.c, which decide how long to wait for more. */
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

/* One of ram, windows and stream is read. */
struct source {
    struct ram *ram;
    struct windows *windows;
    struct stream *stream;
    bool begun;                         /* it is known whether a file has several CPUs */
    bool follow;
    FILE *spool;                        /* the records of a pipe with several CPUs, */
    struct save *to_spool;              /* until all of them are there */
    struct save *save;
    struct losses losses;
    bool stopped;
    struct fault fault;
};

static volatile sig_atomic_t stopping;

void source_stop(void)
{
    stopping = 1;
}

/* --- Complaints ------------------------------------------------------------------------------- */
static void compose(struct fault *f)
{
    int n = 0;

    if (f->nr_bad != 0)
        n = snprintf(f->whole, sizeof(f->whole), "%s (%lu bytes skipped, in %lu window%s)%s",
                     f->skipped, f->bad_bytes, f->nr_bad, f->nr_bad == 1 ? "" : "s",
                     f->text[0] != '\0' ? "; " : "");
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

void fault_version(struct fault *f, uint64_t offset, uint32_t version)
{
    fault_set(f, "offset %lu: the trace has format %u, this program knows 1 to %u", offset, version,
              TRACE_FORMAT_VERSION);
}

void fault_skip(struct fault *f, uint64_t offset, uint32_t header, uint64_t left)
{
    const size_t size = sizeof(f->skipped);

    if (f->nr_bad == 0 && left < 4)
        snprintf(f->skipped, size,
                 "offset %lu: %lu bytes before the window's end, less than a record", offset, left);
    else if (f->nr_bad == 0 && !record_plausible(header))
        snprintf(f->skipped, size, "offset %lu: no record begins with %#x", offset, header);
    else if (f->nr_bad == 0)
        snprintf(f->skipped, size,
                 "offset %lu: a record of %u bytes where the window has only %lu left", offset,
                 record_bytes(header), left);
    f->nr_bad++;
    f->bad_bytes += left;
    compose(f);
}

const char *source_fault(const struct source *s)
{
    if (s->fault.whole[0] != '\0')
        return s->fault.whole;
    return s->save != NULL ? save_fault(s->save) : NULL;
}

/* --- Opening ---------------------------------------------------------------------------------- */
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
    int fd = open_input(path, options);
    struct save *save = NULL;
    struct source *s;

    if (fd < 0) {
        warn("%s", path);
        return NULL;
    }
    if (options->save != NULL && (save = save_open(options->save, fd)) == NULL) {
        close(fd);
        return NULL;
    }
    s = xcalloc(1, sizeof(*s));
    s->save = save;
    s->follow = options->follow;
    if (options->ram)
        s->ram = ram_open(fd, options->at, options->follow, &s->fault);
    else
        s->stream = stream_open(fd, options->follow, &s->fault);
    return s;
}

void source_close(struct source *s)
{
    if (s->ram != NULL)
        ram_close(s->ram);
    else
        stream_close(s->stream);
    if (s->windows != NULL)
        windows_close(s->windows);
    if (s->to_spool != NULL)
        save_close(s->to_spool);
    if (s->spool != NULL)
        fclose(s->spool);
    if (s->save != NULL)
        save_close(s->save);
    free(s);
}

/* --- Reading ---------------------------------------------------------------------------------- */
/* A pipe cannot be read twice: what comes from it is kept in a file first. With -f it is shown as
 * it comes, a window of one CPU after a window of another. */
static void spool_begin(struct source *s)
{
    s->spool = tmpfile();
    if (s->spool == NULL)
        err(EXIT_TROUBLE, "no temporary file");
    s->to_spool = save_to(fdopen(dup(fileno(s->spool)), "wb"));
}

static enum next spool_rest(struct source *s, struct record *r, enum next next)
{
    for (; next == NEXT_RECORD; next = stream_next(s->stream, r))
        save_record(s->to_spool, r);
    if (next != NEXT_END)
        return next;
    save_close(s->to_spool);
    s->to_spool = NULL;
    lseek(fileno(s->spool), 0, SEEK_SET);
    s->windows = windows_open(fileno(s->spool), &s->fault);
    if (s->windows != NULL)
        return windows_next(s->windows, r);
    stream_close(s->stream);
    s->stream = stream_open(dup(fileno(s->spool)), false, &s->fault);
    return stream_next(s->stream, r);
}

static bool has_several_cpus(const struct record *r)
{
    return r->event == TRC_PARAGON_CLOCK && r->n >= 6 && r->w[5] > 1;
}

static enum next next_of_stream(struct source *s, struct record *r)
{
    enum next next;

    if (unlikely(!s->begun && stream_is_file(s->stream)))
        s->windows = windows_open(stream_fd(s->stream), &s->fault);
    s->begun = true;
    if (s->windows != NULL)
        return windows_next(s->windows, r);
    next = stream_next(s->stream, r);
    if (unlikely(next == NEXT_RECORD && s->spool == NULL && !s->follow && has_several_cpus(r) &&
                 !stream_is_file(s->stream)))
        spool_begin(s);
    return s->to_spool != NULL ? spool_rest(s, r, next) : next;
}

static enum next read_one(struct source *s, struct record *r)
{
    enum next next;

    if (unlikely(losses_held(&s->losses, r)))
        return NEXT_RECORD;
    next = s->ram != NULL ? ram_next(s->ram, r) : next_of_stream(s, r);
    if (likely(next == NEXT_RECORD))
        losses_before(&s->losses, r);
    return next;
}

static void stop(struct source *s)
{
    s->stopped = true;
    if (s->ram != NULL)
        ram_stop(s->ram);
    else if (s->windows != NULL)
        windows_stop(s->windows);
    else
        stream_stop(s->stream);
}

enum next source_next(struct source *s, struct record *r)
{
    enum next next;

    if (unlikely(stopping && !s->stopped))
        stop(s);
    next = read_one(s, r);
    if (unlikely(s->save != NULL))
        next == NEXT_RECORD ? save_record(s->save, r) : save_flush(s->save);
    if (unlikely(next == NEXT_RECORD && r->event == TRC_PARAGON_CLOCK && r->n >= 5 &&
                 !version_known(r->w[4])))
        fault_version(&s->fault, r->offset, r->w[4]);
    return next == NEXT_WAIT && s->stopped ? NEXT_END : next;
}
