/* Packets, streams and the directory of a CTF trace: see ctf_stream.h.
 *
 * Events gather in a buffer per CPU; when the next might not fit, the buffer becomes a packet at the end
 * of the CPU's file, which is open only for that moment: the number of CPUs costs no file descriptors.
 * Where records were lost a packet ends, and the next one counts them: that is how CTF says it
 * (events_discarded). */
#include "tools/pvtrace/ctf_stream.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define CTF_MAGIC 0xC1FC1FC1u
#define HEADER_BYTES 68u        /* packet header and context */
#define PACKET_BYTES (1u << 17)
/* CTF's clocks do not go back: after an event that claims to be years later, from a damaged record, no
 * other would have a time. */
#define ABSURD_TICKS (UINT64_C(1) << 57)

const char ctf_packet_header_tsdl[] =
    "    packet.header := struct { uint32_t magic; uint8_t uuid[16]; uint32_t stream_id; };\n";
const char ctf_stream_tsdl[] =
    "stream {\n"
    "    id = 0;\n"
    "    packet.context := struct {\n"
    "        tsc_t timestamp_begin; tsc_t timestamp_end; uint64_t content_size; uint64_t packet_size;\n"
    "        uint64_t events_discarded; uint32_t cpu_id;\n"
    "    };\n"
    "    event.header := struct { uint16_t id; tsc_t timestamp; };\n"
    "};\n";

struct ctf_stream {
    struct ctf_directory *directory;
    uint16_t cpu;
    uint64_t first, last;       /* TSC of the packet's first event; of the last event written */
    uint64_t discarded;         /* since the beginning */
    size_t len;                 /* HEADER_BYTES: the packet is empty */
    uint8_t buf[PACKET_BYTES];
};

struct ctf_directory {
    int fd;
    bool failed;                /* said why; nothing more is written */
    const char *path;
    uint8_t uuid[16];
    uint64_t wrong;             /* events whose time cannot follow that of the one before them */
    uint64_t homeless;          /* items of CPUs above EXPORT_MAX_CPUS */
    struct ctf_stream *streams[EXPORT_MAX_CPUS];
};

static void directory_failed(struct ctf_directory *d, const char *name)
{
    if (!d->failed)
        fprintf(stderr, "pvtrace: %s/%s: %s\n", d->path, name, strerror(errno));
    d->failed = true;
}

static void write_all(struct ctf_directory *d, const char *name, int flags, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    if (d->failed)
        return;
    int fd = openat(d->fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags, 0666);
    ssize_t n = fd < 0 ? -1 : 0;
    while (fd >= 0 && len > 0 && (n = write(fd, p, len)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        p += n;
        len -= (size_t)n;
    }
    if (fd < 0 || n < 0)
        directory_failed(d, name);
    if (fd >= 0 && close(fd) != 0)
        directory_failed(d, name);
}

/* --- Streams ---------------------------------------------------------------------------------------- */
void ctf_put(struct ctf_stream *s, const void *bytes, size_t len)
{
    if (len > PACKET_BYTES - s->len)
        return;                 /* cannot be: ctf_event has made room for the longest */
    memcpy(s->buf + s->len, bytes, len);
    s->len += len;
}

/* Strings are UTF-8 and end at a NUL: what cannot be in them becomes a question mark. None is empty: in
 * place of an empty string babeltrace2 (2.0.4, Debian 12's) shows the same field of an event before. */
void ctf_string(struct ctf_stream *s, const char *text)
{
    size_t len, from = 0;

    if (text == NULL || *text == '\0')
        text = "-";
    len = strlen(text);
    for (size_t at = 0; at < len;) {
        size_t n = (unsigned char)text[at] < 0x80 ? 1 : utf8_length(text + at, len - at);

        at += n;
        if (n != 0)
            continue;
        ctf_put(s, text + from, at - from);
        ctf_put(s, "?", 1);
        from = ++at;
    }
    ctf_put(s, text + from, len - from + 1);        /* with its NUL */
}

/* Packet header and context: see the TSDL above. */
struct packet_header {
    uint32_t magic;
    uint8_t uuid[16];
    uint32_t stream_id;
    uint64_t begin, end, content_bits, packet_bits, discarded;
    uint32_t cpu;
} __attribute__((packed));
_Static_assert(sizeof(struct packet_header) == HEADER_BYTES, "as the TSDL says");

static void flush_packet(struct ctf_stream *s)
{
    struct packet_header h = { .magic = CTF_MAGIC, .begin = s->first, .end = s->last, .cpu = s->cpu,
                               .content_bits = s->len * 8, .packet_bits = s->len * 8,
                               .discarded = s->discarded };
    char name[32];

    if (s->len == HEADER_BYTES)
        return;
    memcpy(h.uuid, s->directory->uuid, sizeof(h.uuid));
    memcpy(s->buf, &h, sizeof(h));
    snprintf(name, sizeof(name), "stream_%u", s->cpu);
    write_all(s->directory, name, O_APPEND, s->buf, s->len);
    s->len = HEADER_BYTES;
}

void ctf_event(struct ctf_stream *s, uint16_t id, uint64_t tsc)
{
    if (s->len > PACKET_BYTES - CTF_EVENT_BYTES)
        flush_packet(s);
    if (tsc < s->last || (s->last != 0 && tsc - s->last > ABSURD_TICKS)) {
        tsc = s->last;
        s->directory->wrong++;
    }
    if (s->len == HEADER_BYTES)
        s->first = tsc;
    s->last = tsc;
    ctf_put(s, &id, sizeof(id));
    ctf_put(s, &tsc, sizeof(tsc));
}

uint64_t ctf_last(const struct ctf_stream *s)
{
    return s->last;
}

void ctf_lost(struct ctf_stream *s, uint64_t records)
{
    flush_packet(s);
    if (__builtin_add_overflow(s->discarded, records, &s->discarded))
        s->discarded = UINT64_MAX;
}

/* --- The directory ---------------------------------------------------------------------------------- */
static bool is_metadata_of_ours(int dir)
{
    char text[128] = "";
    int fd = openat(dir, "metadata", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    return n > 0 && strncmp(text, "/* CTF 1.8 */\n/* Written by pvtrace. */\n", 40) == 0;
}

static bool is_stream(const char *name)
{
    const char *number = name + strlen("stream_");
    return strncmp(name, "stream_", strlen("stream_")) == 0 && *number != '\0' &&
           strspn(number, "0123456789") == strlen(number);
}

/* An empty directory is good, and one that holds nothing but an earlier trace of ours: that is deleted. */
static bool make_empty(int fd)
{
    int copy = dup(fd);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;
    bool good = dir != NULL, any = false;
    while (good && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        any = true;
        good = strcmp(entry->d_name, "metadata") == 0 || is_stream(entry->d_name);
    }
    if (any)
        good = good && is_metadata_of_ours(fd);
    if (good && any) {
        rewinddir(dir);
        while ((entry = readdir(dir)) != NULL)
            if (is_stream(entry->d_name) && unlinkat(fd, entry->d_name, 0) != 0)
                good = false;
        good = good && unlinkat(fd, "metadata", 0) == 0;
    }
    if (dir != NULL)
        closedir(dir);
    else if (copy >= 0)
        close(copy);
    return good;
}

struct ctf_directory *ctf_directory_open(const char *path)
{
    struct ctf_directory *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return NULL;
    d->path = path;
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        d->fd = -1;
    else
        d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->fd < 0) {
        fprintf(stderr, "pvtrace: %s: %s\n", path, strerror(errno));
        free(d);
        return NULL;
    }
    if (!make_empty(d->fd)) {
        fprintf(stderr, "pvtrace: %s holds something that pvtrace did not write: not touched\n", path);
        close(d->fd);
        free(d);
        return NULL;
    }
    if (getrandom(d->uuid, sizeof(d->uuid), 0) != sizeof(d->uuid))
        memset(d->uuid, 0x5a, sizeof(d->uuid));
    d->uuid[6] = (uint8_t)((d->uuid[6] & 0x0f) | 0x40);         /* version 4: random */
    d->uuid[8] = (uint8_t)((d->uuid[8] & 0x3f) | 0x80);
    return d;
}

const uint8_t *ctf_directory_uuid(const struct ctf_directory *d)
{
    return d->uuid;
}

void ctf_directory_metadata(struct ctf_directory *d, const char *text, size_t len)
{
    write_all(d, "metadata", O_TRUNC, text, len);
}

struct ctf_stream *ctf_directory_stream(struct ctf_directory *d, uint16_t cpu)
{
    if (cpu >= EXPORT_MAX_CPUS) {
        d->homeless++;
        return NULL;
    }
    struct ctf_stream *s = d->streams[cpu];
    if (s == NULL && (s = calloc(1, sizeof(*s))) != NULL) {
        s->directory = d;
        s->cpu = cpu;
        s->len = HEADER_BYTES;
        d->streams[cpu] = s;
    }
    if (s == NULL)
        d->homeless++;
    return s;
}

void ctf_directory_flush(struct ctf_directory *d)
{
    for (unsigned i = 0; i < EXPORT_MAX_CPUS; i++)
        if (d->streams[i] != NULL)
            flush_packet(d->streams[i]);
}

int ctf_directory_close(struct ctf_directory *d)
{
    ctf_directory_flush(d);
    if (d->wrong > 0)
        fprintf(stderr, "pvtrace: %s: the times of %lu events cannot follow that of the event before, which "
                "they got\n", d->path, d->wrong);
    if (d->homeless > 0)
        fprintf(stderr, "pvtrace: %s: %lu events of CPUs from %u on were left out\n", d->path,
                d->homeless, EXPORT_MAX_CPUS);
    int rc = d->failed || d->homeless > 0;
    for (unsigned i = 0; i < EXPORT_MAX_CPUS; i++)
        free(d->streams[i]);
    close(d->fd);
    free(d);
    return rc;
}
