/* Files and pipes: bytes to windows, windows to records. One buffer, however long the input is.
 * Called by source.c.
 *
 * The end of a growing file may lie anywhere in a record; the rest of it comes later. A record that
 * cannot be one makes the rest of its window useless but not the next window; where no window
 * begins nothing more can be read. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/compiler.h"
#include "tools/pvtrace/source.h"

#define BUFFER_BYTES (1u << 20)

struct stream {
    struct fault *fault;
    int fd;
    bool regular, follow;
    bool over;                  /* no byte comes after those in the buffer */
    bool ended;                 /* and no record */
    uint64_t got, limit;        /* bytes read, and to be read at most */
    uint64_t start;             /* offset of buffer[0] */
    size_t pos, end;            /* in buffer */
    uint64_t window_left;       /* bytes of the window that are still to come */
    uint64_t skip;              /* of them, to be left out */
    uint16_t cpu;
    uint64_t tsc[MAX_CPUS];
    uint8_t buffer[BUFFER_BYTES];
};

struct stream *stream_open(int fd, bool follow, struct fault *fault)
{
    struct stream *st = xcalloc(1, sizeof(*st));
    struct stat stat;

    st->fd = fd;
    st->fault = fault;
    st->regular = fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode);
    st->follow = follow && st->regular;
    st->limit = UINT64_MAX;
    return st;
}

int stream_fd(const struct stream *st)
{
    return st->fd;
}

bool stream_is_file(const struct stream *st)
{
    return st->regular && !st->follow;
}

void stream_close(struct stream *st)
{
    close(st->fd);
    free(st);
}

/* --- Bytes ------------------------------------------------------------------------------------ */
/* Nothing can be read just now. Will there never be more? A file that shrank is another file. */
static void at_end(struct stream *st)
{
    struct stat stat;
    off_t here = st->regular ? lseek(st->fd, 0, SEEK_CUR) : -1;

    st->over = !st->follow;
    if (here >= 0 && fstat(st->fd, &stat) == 0 && stat.st_size < here) {
        fault_set(st->fault, "offset %lu: the file was cut to %ld bytes while it was read",
                  st->start + st->end, (long)stat.st_size);
        st->over = true;
    }
}

/* More bytes behind those in the buffer: true. A pipe is asked first, so that nobody is kept
 * waiting here. */
static bool fill(struct stream *st)
{
    struct pollfd p = { .fd = st->fd, .events = POLLIN };
    size_t room;
    ssize_t n;

    if (st->over || st->got >= st->limit || (!st->regular && poll(&p, 1, 0) == 0)) {
        st->over |= st->got >= st->limit;
        return false;
    }
    memmove(st->buffer, st->buffer + st->pos, st->end - st->pos);
    st->start += st->pos;
    st->end -= st->pos;
    st->pos = 0;
    room = (size_t)MIN((uint64_t)(BUFFER_BYTES - st->end), st->limit - st->got);
    n = read(st->fd, st->buffer + st->end, room);
    if (n > 0) {
        st->end += (size_t)n;
        st->got += (uint64_t)n;
        return true;
    }
    if (n == 0) {
        at_end(st);
    } else if (errno != EINTR && errno != EAGAIN) {
        fault_set(st->fault, "offset %lu: %s", st->start + st->end, strerror(errno));
        st->over = true;
    }
    return false;
}

/* At least n bytes in the buffer, n being a record at most. */
static inline bool have(struct stream *st, size_t n)
{
    while (unlikely(st->end - st->pos < n))
        if (!fill(st))
            return false;
    return true;
}

void stream_stop(struct stream *st)
{
    struct stat stat;
    int waiting = 0;

    if (!st->regular)
        st->limit = st->got + (ioctl(st->fd, FIONREAD, &waiting) == 0 ? (uint64_t)waiting : 0);
    else if (st->follow && fstat(st->fd, &stat) == 0)
        st->limit = (uint64_t)stat.st_size;
    else
        st->limit = st->got;
}

/* --- Windows ---------------------------------------------------------------------------------- */
static const char *looks_like(const uint8_t *p, size_t len)
{
    static const struct {
        const char *magic, *what;
    } kinds[] = {
        { "\177ELF",          "an ELF file" },
        { "\037\213",         "compressed: gzip -dc FILE | pvtrace -" },
        { "(\265/\375",       "compressed: zstd -dc FILE | pvtrace -" },
        { "\3757zXZ",         "compressed: xz -dc FILE | pvtrace -" },
        { TRACE_MAGIC,        "a machine's memory: --ram" },
        { "\xc1\x1f\xfc\xc1", "a CTF trace" },
    };
    size_t printable = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
        if (len >= strlen(kinds[i].magic) && memcmp(p, kinds[i].magic, strlen(kinds[i].magic)) == 0)
            return kinds[i].what;
    while (printable < len &&
           ((p[printable] >= ' ' && p[printable] < 0x7f) || strchr("\t\n\r", p[printable]) != NULL))
        printable += p[printable] != 0 ? 1 : len + 1;
    return printable == len ? "text" : "no window begins it";
}

/* The input ends; perhaps where it should not. */
static enum next finish(struct stream *st)
{
    uint64_t here = st->start + st->end, left = st->window_left, part = st->end - st->pos;
    bool stopped = st->limit != UINT64_MAX;

    if (!st->ended && !stopped && here == 0)
        fault_set(st->fault, "offset 0: the input is empty");
    else if (!st->ended && !stopped && (left > 0 || part > 0))
        fault_set(st->fault, "offset %lu: the input ends %s, %lu bytes before the end of %s", here,
                  part > 0 ? "inside a record" : "between records", (left > 0 ? left : 12) - part,
                  left > 0 ? "its window" : "a window's header");
    st->ended = true;
    return NEXT_END;
}

static enum next no_window(struct stream *st)
{
    uint64_t at = st->start + st->pos;
    const uint8_t *p = st->buffer + st->pos;

    if (IS_WINDOW(load32(p)))
        fault_set(st->fault, "offset %lu: a window of CPU %u, which no machine has", at,
                  load32(p + 4));
    else if (at == 0)
        fault_set(st->fault, "offset 0: not a trace (%s)",
                  looks_like(p, MIN(st->end - st->pos, (size_t)64)));
    else
        fault_set(st->fault, "offset %lu: no window begins here (%#x), the rest is not read", at,
                  load32(p));
    st->ended = true;
    return NEXT_END;
}

/* All of the record is in the buffer. */
static inline enum next deliver(struct stream *st, struct record *r, uint32_t size)
{
    r->offset = st->start + st->pos;
    r->cpu = st->cpu;
    record_decode(r, st->buffer + st->pos, &st->tsc[st->cpu]);
    st->pos += size;
    return NEXT_RECORD;
}

static enum next new_window(struct stream *st, struct record *r)
{
    bool all = have(st, 12);
    const uint8_t *p = st->buffer + st->pos;

    if (st->end - st->pos >= 4 && (!IS_WINDOW(load32(p)) || (all && load32(p + 4) >= MAX_CPUS)))
        return no_window(st);
    if (!all && !st->over)
        return NEXT_WAIT;
    if (!all)
        return st->start + st->end < 4 && st->end > 0 ? no_window(st) : finish(st);
    st->cpu = (uint16_t)load32(p + 4);
    st->window_left = load32(p + 8);
    return deliver(st, r, 12);
}

/* What is left of a window in which something was no record. */
static bool skip_rest(struct stream *st)
{
    while (st->skip > 0 && have(st, 1)) {
        uint64_t n = MIN(st->skip, (uint64_t)(st->end - st->pos));

        st->pos += n;
        st->skip -= n;
        st->window_left -= n;
    }
    return st->skip == 0;
}

enum next stream_next(struct stream *st, struct record *r)
{
    uint32_t header, size;

    for (;;) {
        if (unlikely(st->ended))
            return NEXT_END;
        if (unlikely(st->skip > 0) && !skip_rest(st))
            return st->over ? finish(st) : NEXT_WAIT;
        if (unlikely(st->window_left == 0))
            return new_window(st, r);
        if (unlikely(!have(st, MIN(st->window_left, 4u))))
            return st->over ? finish(st) : NEXT_WAIT;
        header = st->window_left >= 4 ? load32(st->buffer + st->pos) : 0;
        size = record_bytes(header);
        if (likely(size <= st->window_left && record_plausible(header) && !IS_WINDOW(header))) {
            if (unlikely(!have(st, size)))
                return st->over ? finish(st) : NEXT_WAIT;
            st->window_left -= size;
            return deliver(st, r, size);
        }
        if (IS_WINDOW(header)) {        /* the last one was not written to its end */
            fault_set(st->fault,
                      "offset %lu: a window begins %lu bytes before the end of the last one",
                      st->start + st->pos, st->window_left);
            st->window_left = 0;
        } else {
            fault_skip(st->fault, st->start + st->pos, header, st->window_left);
            st->skip = st->window_left;
        }
    }
}
