/* Packets, streams and the directory of a CTF trace: see ctf.h.
 *
 * Events gather in a buffer per CPU; when the next might not fit, the buffer becomes a packet at
 * the end of the CPU's file, which is open only for that moment: the number of CPUs costs no file
 * descriptors. Where records were lost a packet ends, and the next one counts them: that is how CTF
 * says it (events_discarded). */
#define _GNU_SOURCE                     /* scandirat */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/pvtrace/ctf.h"

#define CTF_MAGIC 0xC1FC1FC1u
/* CTF's clocks do not go back: after an event that claims to be years later, from a damaged record,
 * no other would have a time. */
#define ABSURD_TICKS (UINT64_C(1) << 57)

const char ctf_packet_header_tsdl[] =
    "    packet.header := struct { uint32_t magic; uint8_t uuid[16]; uint32_t stream_id; };\n";
const char ctf_stream_tsdl[] =
    "stream {\n"
    "    id = 0;\n"
    "    packet.context := struct {\n"
    "        tsc_t timestamp_begin; tsc_t timestamp_end; uint64_t content_size; "
    "uint64_t packet_size;\n"
    "        uint64_t events_discarded; uint32_t cpu_id;\n"
    "    };\n"
    "    event.header := struct { uint16_t id; tsc_t timestamp; };\n"
    "};\n";

/* Both, as they lie before a packet's events. */
struct packet_header {
    uint32_t magic;
    uint8_t uuid[16];
    uint32_t stream_id;
    uint64_t begin, end, content_bits, packet_bits, discarded;
    uint32_t cpu;
} __attribute__((packed));
#define HEADER_BYTES sizeof(struct packet_header)

void ctf_write_file(struct ctf_files *d, const char *name, int flags, const void *bytes, size_t len)
{
    const int mode = O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags;
    int fd = d->failed ? -1 : openat(d->fd, name, mode, 0666);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    bool good = f != NULL && fwrite(bytes, 1, len, f) == len;

    if (f != NULL)
        good = fclose(f) == 0 && good;
    if (!good && !d->failed)
        warn("%s/%s", d->path, name);
    d->failed |= !good;
}

/* --- Packets ---------------------------------------------------------------------------------- */
static const bool special[128];         /* none is */

static void escape(struct text *t, unsigned char c)
{
    (void)c;
    text_char(t, '?');
}

/* Strings are UTF-8 and end at a NUL: what cannot be in them becomes a question mark. None is
 * empty: in place of an empty string babeltrace2 (2.0.4, Debian 12's) shows the same field of an
 * event before. */
void ctf_string(struct ctf_stream *s, const char *text)
{
    if (text == NULL || *text == '\0')
        text = "-";
    text_utf8(&s->packet, text, strlen(text), special, escape);
    text_char(&s->packet, '\0');
}

static void flush_packet(struct ctf_stream *s)
{
    struct packet_header h = { .magic = CTF_MAGIC, .begin = s->first, .end = s->last, .cpu = s->cpu,
                               .content_bits = s->packet.len * 8, .packet_bits = s->packet.len * 8,
                               .discarded = s->discarded };
    char name[32];

    if (s->packet.len == HEADER_BYTES)
        return;
    memcpy(h.uuid, s->files->uuid, sizeof(h.uuid));
    memcpy(s->room, &h, sizeof(h));
    snprintf(name, sizeof(name), "stream_%u", s->cpu);
    ctf_write_file(s->files, name, O_APPEND, s->room, s->packet.len);
    s->packet.len = HEADER_BYTES;
}

void ctf_event(struct ctf_stream *s, uint16_t id, uint64_t tsc)
{
    if (s->packet.len > PACKET_BYTES - CTF_EVENT_BYTES)
        flush_packet(s);
    if (tsc < s->last || (s->last != 0 && tsc - s->last > ABSURD_TICKS)) {
        tsc = s->last;
        s->files->wrong++;
    }
    if (s->packet.len == HEADER_BYTES)
        s->first = tsc;
    s->last = tsc;
    text_put(&s->packet, (const char *)&id, sizeof(id));
    text_put(&s->packet, (const char *)&tsc, sizeof(tsc));
}

void ctf_lost(struct ctf_stream *s, uint64_t records)
{
    flush_packet(s);
    if (__builtin_add_overflow(s->discarded, records, &s->discarded))
        s->discarded = UINT64_MAX;
}

struct ctf_stream *ctf_stream_of(struct ctf_files *d, uint16_t cpu)
{
    struct ctf_stream *s;

    if (cpu >= EXPORT_MAX_CPUS) {
        d->homeless++;
        return NULL;
    }
    s = d->streams[cpu];
    if (s == NULL) {
        s = d->streams[cpu] = xcalloc(1, sizeof(*s));
        s->files = d;
        s->cpu = cpu;
        s->packet = TEXT(s->room);
        s->packet.len = HEADER_BYTES;
    }
    return s;
}

void ctf_flush(struct ctf_files *d)
{
    for (unsigned i = 0; i < EXPORT_MAX_CPUS; i++)
        if (d->streams[i] != NULL)
            flush_packet(d->streams[i]);
}

/* --- The directory ---------------------------------------------------------------------------- */
static bool is_metadata_of_ours(int dir)
{
    char text[128] = "";
    int fd = openat(dir, "metadata", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

    if (fd >= 0)
        close(fd);
    return n > 0 && strncmp(text, "/* CTF 1.8 */\n/* Written by pvtrace. */\n", 40) == 0;
}

static bool is_file_of_ours(const char *name)
{
    const char *number = strncmp(name, "stream_", 7) == 0 ? name + 7 : "";

    return strcmp(name, "metadata") == 0 ||
           (*number != '\0' && strspn(number, "0123456789") == strlen(number));
}

/* An empty directory is good, and one that holds nothing but an earlier trace of ours: that is
 * deleted, its metadata last, by which it is known. */
static bool make_empty(int fd)
{
    struct dirent **entries;
    int n = scandirat(fd, ".", &entries, NULL, alphasort);
    bool good = n >= 0, any = false;

    for (int i = 0; i < n; i++)
        if (strcmp(entries[i]->d_name, ".") != 0 && strcmp(entries[i]->d_name, "..") != 0) {
            any = true;
            good &= is_file_of_ours(entries[i]->d_name);
        }
    good &= !any || is_metadata_of_ours(fd);
    for (int i = n; i-- > 0;) {
        if (good && entries[i]->d_name[0] != '.')
            good = unlinkat(fd, entries[i]->d_name, 0) == 0;
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return good;
}

void ctf_open_files(struct ctf_files *d, const char *path)
{
    d->path = path;
    d->fd = -1;
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->fd < 0)
        err(EXIT_TROUBLE, "%s", path);
    if (!make_empty(d->fd))
        errx(EXIT_TROUBLE, "%s holds something that pvtrace did not write: not touched", path);
    if (getrandom(d->uuid, sizeof(d->uuid), 0) != sizeof(d->uuid))
        memset(d->uuid, 0x5a, sizeof(d->uuid));
    d->uuid[6] = (uint8_t)((d->uuid[6] & 0x0f) | 0x40);         /* version 4: random */
    d->uuid[8] = (uint8_t)((d->uuid[8] & 0x3f) | 0x80);
}

int ctf_close_files(struct ctf_files *d)
{
    ctf_flush(d);
    if (d->wrong > 0)
        warnx("%s: the times of %lu events cannot follow that of the event before, which they got",
              d->path, d->wrong);
    if (d->homeless > 0)
        warnx("%s: %lu events of CPUs from %u on were left out", d->path, d->homeless,
              EXPORT_MAX_CPUS);
    for (unsigned i = 0; i < EXPORT_MAX_CPUS; i++)
        free(d->streams[i]);
    close(d->fd);
    return d->failed || d->homeless > 0;
}
