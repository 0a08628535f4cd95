/* Between the parts of the source: source.c (which one it is), stream.c (files and pipes), ring.c
 * and ram.c (a machine's RAM), windows.c and merge.c (several CPUs), save.c (what was read, as a
 * file), losses.c (what is missing). Nobody else includes this. */
#ifndef PVTRACE_SOURCE_H
#define PVTRACE_SOURCE_H

#include <stdarg.h>
#include <string.h>

#include "tools/pvtrace/pvtrace.h"

#define HEADER_CYCLES (1u << 31)
#define RECORD_BYTES_MAX (4u * (3 + TRACE_EXTRA_MAX))
#define IS_WINDOW(header) ((header) == (TRC_TRACE_CPU_CHANGE | 2u << TRACE_EXTRA_SHIFT))

/* What is wrong with the input: where records had to be skipped first, and what ended the reading.
 */
struct fault {
    char skipped[160], text[200];
    char whole[480];            /* both: what source_fault shows */
    uint64_t nr_bad;            /* windows or blocks of which the rest was skipped */
    uint64_t bad_bytes;         /* that were skipped */
};

void fault_set(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void fault_version(struct fault *f, uint64_t offset, uint32_t version);
static inline bool version_known(uint32_t version)
{
    return version >= 1 && version <= TRACE_FORMAT_VERSION;
}

/* What begins with header cannot be a record, with `left` bytes to its window's end; all are
 * skipped. */
void fault_skip(struct fault *f, uint64_t offset, uint32_t header, uint64_t left);

static inline uint32_t load32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint32_t record_bytes(uint32_t header)
{
    return 4 * (1 + (header >> 31) * 2 + (header >> TRACE_EXTRA_SHIFT & TRACE_EXTRA_MAX));
}

/* Every record of Xen's or ours is of a class; memory that nobody wrote is of none. */
static inline bool record_plausible(uint32_t header)
{
    return (header & 0x0fff0000) != 0;
}

/* All of the record is there. *tsc is the CPU's youngest. */
static inline void record_decode(struct record *r, const uint8_t *p, uint64_t *tsc)
{
    uint32_t header = load32(p);
    unsigned i = 0;

    r->event = TRC_HD_TO_EVENT(header);
    r->n = header >> TRACE_EXTRA_SHIFT & TRACE_EXTRA_MAX;
    r->has_tsc = header >> 31;
    p += 4;
    if (r->has_tsc) {
        memcpy(tsc, p, sizeof(*tsc));
        p += 8;
    }
    r->tsc = *tsc;
    for (; i < r->n; i++)
        r->w[i] = load32(p + 4 * i);
    for (; i < TRACE_EXTRA_MAX; i++)
        r->w[i] = 0;
}

/* --- merge.c ---------------------------------------------------------------------------------- */
/* Of several sources of records, a CPU's each, the one whose next record is the oldest. */
struct merge {
    unsigned n, last;           /* last: the one that was chosen */
    uint64_t until;             /* no other's record is older than this */
    const struct record *head[MAX_CPUS];    /* each one's next record; NULL: it has none */
};

void merge_begin(struct merge *m, unsigned n);
/* False: none has a record. */
bool merge_choose(struct merge *m);

/* Heads of others than the last one have changed. */
static inline void merge_changed(struct merge *m)
{
    m->until = 0;
}

/* The last one is still the one to choose. */
static inline bool merge_goes_on(const struct merge *m)
{
    const struct record *r = m->head[m->last];

    return r != NULL && r->tsc < m->until;
}

/* --- stream.c, ram.c: both close fd. Stop: what is there is read, nothing is waited for ------- */
struct stream *stream_open(int fd, bool follow, struct fault *fault);
enum next stream_next(struct stream *st, struct record *r);
int stream_fd(const struct stream *st);
bool stream_is_file(const struct stream *st);   /* and not followed: it may be read twice */
void stream_stop(struct stream *st);
void stream_close(struct stream *st);

struct ram *ram_open(int fd, uint64_t at, bool follow, struct fault *fault);
enum next ram_next(struct ram *ram, struct record *r);
void ram_stop(struct ram *ram);
void ram_close(struct ram *ram);

/* --- windows.c -------------------------------------------------------------------------------- */
/* NULL: the file has the records of one CPU, and is where it was. fd stays open. */
struct windows *windows_open(int fd, struct fault *fault);
enum next windows_next(struct windows *w, struct record *r);
void windows_stop(struct windows *w);
void windows_close(struct windows *w);

/* --- losses.c --------------------------------------------------------------------------------- */
/* How many records each CPU has written, as far as is known. */
struct losses {
    bool waits;                 /* `held` comes next */
    struct record held;
    uint64_t tsc[MAX_CPUS];
    uint32_t count[MAX_CPUS];
};
/* A record that was read. If records before it are missing, *r says so now, and the record comes
 * with the next call of losses_held(). */
void losses_before(struct losses *l, struct record *r);
bool losses_held(struct losses *l, struct record *r);

/* --- ring.c ----------------------------------------------------------------------------------- */
#define CHUNK 65536u            /* of a block that is looked at at once */

/* One CPU's ring as far as it was read. Records of chunk before `pos` were delivered. */
struct ring {
    struct fault *fault;
    int fd;
    uint64_t at;                /* offset of slot 0; 0: no ring */
    uint32_t block_bytes, nr_blocks;
    uint16_t cpu;
    uint64_t block, limit;      /* being read, and the last to be read; 0: none yet */
    uint32_t done;              /* bytes of the block that were decoded or given up */
    uint64_t counted_block;     /* the last block of which first_record was compared with `seen` */
    bool counted;               /* it is this one */
    uint64_t looked, copied;    /* ram.c's: at which look it had nothing, and got what it has */
    bool spoilt;                /* the rest of the block is not records */
    uint64_t seen;              /* number of the next record, as the writer counts */
    uint64_t lost, lost_from;   /* to be delivered as lost before the next record; since when */
    uint64_t tsc;
    uint64_t chunk_at;          /* offset of the chunk */
    uint32_t pos, len, used;    /* of the chunk; of the block when it was copied */
    struct record next;         /* when have_next */
    bool have_next;
    uint8_t *chunk;
};

/* More of the ring, of which `head` is the block being written: ring->next, if there is any. */
void ring_refill(struct ring *ring, uint64_t head);
/* The next record of what was read before. */
bool ring_advance(struct ring *ring);

/* --- ram_find.c ------------------------------------------------------------------------------- */
/* The header of a trace that has begun, at *at of the file. NEXT_WAIT: none; NEXT_END: only one
 * that this program cannot read, fault says why. */
enum next ram_find(int fd, uint64_t file_bytes, uint64_t told, uint64_t *at, struct trace_header *h,
                   struct fault *fault);
/* Where the machine's memory at pa lies in the file; 0: not in it. */
uint64_t ram_offset(const struct trace_header *h, uint64_t file_bytes, uint64_t pa, uint64_t len);
/* The header at that offset, with its rings; false: there is none. */
bool ram_read_header(int fd, uint64_t at, struct trace_header *h);
bool read_all(int fd, void *buf, size_t len, uint64_t offset);

/* --- save.c ----------------------------------------------------------------------------------- */
struct save *save_open(const char *path, int input);    /* NULL: said why */
struct save *save_to(FILE *file);
void save_record(struct save *s, const struct record *r);
void save_flush(struct save *s);
const char *save_fault(const struct save *s);           /* NULL: all was written */
void save_close(struct save *s);

#endif
