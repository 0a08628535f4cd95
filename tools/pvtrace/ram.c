/* The trace of a machine while it runs, read out of the file that is its RAM: the header is found
 * (ram_find.c), the rings of its CPUs (ring.c) are read one beside the other, and it is noticed
 * that the trace ended or the machine was reset. Called by source.c.
 *
 * Whatever is in the file, guests may have written. A header is believed only at the address that
 * it gives itself, and only with numbers that fit the file; records only as ring.c says. */
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/compiler.h"
#include "tools/pvtrace/source.h"

#define SEARCH_SHARE 4     /* searching a big RAM takes no more than one part in so many of a CPU */

struct ram {
    struct fault *fault;
    int fd;
    bool follow, stopped;
    bool found, over;
    bool ever;                          /* found, be it before a reset */
    bool ended;                         /* the last look saw that nothing is written any more */
    bool was_linked;                    /* the file had a name */
    bool fresh;                         /* no ring has run dry since all were looked at */
    double search_after;                /* seconds of the host's clock */
    uint64_t told;                      /* where the header is; 0: nobody said */
    uint64_t file_bytes, at;            /* of the header, in the file */
    struct trace_header h;
    unsigned nr_rings;
    struct merge merge;
    uint64_t looks;                     /* how often all rings that had nothing were looked at */
    uint64_t delivered;
    struct ring rings[TRACE_MAX_CPUS];
    uint8_t chunks[TRACE_MAX_CPUS][CHUNK];
};

struct ram *ram_open(int fd, uint64_t at, bool follow, struct fault *fault)
{
    struct ram *ram = xcalloc(1, sizeof(*ram));
    struct stat st;

    ram->fd = fd;
    ram->told = at;
    ram->follow = follow;
    ram->fault = fault;
    ram->was_linked = fstat(fd, &st) == 0 && st.st_nlink > 0;
    return ram;
}

void ram_close(struct ram *ram)
{
    close(ram->fd);
    free(ram);
}

void ram_stop(struct ram *ram)
{
    ram->stopped = true;
    ram->fresh = false;
}

/* --- The header ------------------------------------------------------------------------------- */
/* Its rings are read from their beginning. What they lost before is counted by their first blocks.
 */
static void attach(struct ram *ram)
{
    ram->nr_rings = ram->h.nr_cpus;
    for (unsigned i = 0; i < ram->nr_rings; i++) {
        uint64_t pa = ram->h.rings[i].pa, bytes = (uint64_t)ram->h.nr_blocks * ram->h.block_bytes;

        ram->rings[i] = (struct ring){
            .fault = ram->fault, .fd = ram->fd, .cpu = (uint16_t)i, .block = 1, .limit = UINT64_MAX,
            .at = pa != 0 ? ram_offset(&ram->h, ram->file_bytes, pa, bytes) : 0,
            .block_bytes = ram->h.block_bytes, .nr_blocks = ram->h.nr_blocks,
            .chunk = ram->chunks[i],
        };
    }
    ram->found = ram->ever = true;
    ram->fresh = ram->ended = false;
    ram->looks = 0;
    merge_begin(&ram->merge, ram->nr_rings);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Not more often than the machine can bear: its RAM may be large, and its firmware slow. */
static void search(struct ram *ram)
{
    double began = now();
    enum next found;
    struct stat st;

    if (began < ram->search_after)
        return;
    if (fstat(ram->fd, &st) == 0)
        ram->file_bytes = (uint64_t)st.st_size;
    found = ram_find(ram->fd, ram->file_bytes, ram->told, &ram->at, &ram->h, ram->fault);
    ram->over = found == NEXT_END;
    if (found == NEXT_RECORD)
        attach(ram);
    ram->search_after = now() + SEARCH_SHARE * (now() - began);
}

/* Is *now still the header that the rings were taken from? A machine that boots again has none for
 * a while, then one that counts from the beginning. */
static bool same_trace(const struct ram *ram, const struct trace_header *now)
{
    const struct trace_header *h = &ram->h;

    if (now->pa != h->pa || now->version != h->version || now->state == TRACE_STATE_NONE ||
        now->block_bytes != h->block_bytes || now->nr_blocks != h->nr_blocks ||
        now->nr_cpus != h->nr_cpus)
        return false;
    for (unsigned i = 0; i < ram->nr_rings; i++) {
        const struct ring *ring = &ram->rings[i];
        uint64_t pa = now->rings[i].pa, least = ring->counted ? ring->block : ring->block - 1;

        if (pa == 0 && now->state == TRACE_STATE_ENDED)
            continue;
        if (pa != h->rings[i].pa || now->rings[i].head < least)
            return false;
    }
    return true;
}

/* Says so to the next stage, for which nothing that was open can end any more. */
static enum next reset(struct ram *ram, struct record *r)
{
    const struct ring *ring = &ram->rings[ram->merge.last];
    bool was_used = ram->delivered > 0;

    *r = (struct record){ .offset = ram->at, .tsc = ring->tsc, .event = TRC_PARAGON_CLASSES,
                          .cpu = ring->cpu, .n = 1, .has_tsc = true };
    ram->found = false;
    ram->delivered = 0;
    if (!ram->follow || ram->stopped) {
        fault_set(ram->fault,
                  "offset %lu: the trace was taken away while it was read; was the machine reset?",
                  ram->at);
        ram->over = true;
    }
    return was_used ? NEXT_RECORD : NEXT_WAIT;
}

/* --- Its rings -------------------------------------------------------------------------------- */
/* The ring with the oldest record; NULL: there is none. */
static struct ring *oldest(struct ram *ram)
{
    return merge_choose(&ram->merge) ? &ram->rings[ram->merge.last] : NULL;
}

/* Nothing older can be in a ring that had nothing when it was looked at, if that was after this
 * record had been copied. */
static bool is_oldest(const struct ram *ram, const struct ring *chosen)
{
    for (unsigned i = 0; i < ram->nr_rings; i++) {
        const struct ring *ring = &ram->rings[i];

        if (!ring->have_next && ring->at != 0 && ring->looked <= chosen->copied)
            return false;
    }
    return true;
}

static void ring_changed(struct ram *ram, struct ring *ring)
{
    ram->merge.head[ring->cpu] = ring->have_next ? &ring->next : NULL;
}

/* The trace ended and its memory was given back, perhaps before all was read: it may be anybody's
 * now. */
static void given_back(const struct ram *ram, const struct ring *ring)
{
    fault_set(
        ram->fault,
        "offset %lu: CPU %u gave its ring back when the trace ended; of block %lu and after it "
        "something may be missing",
        ring->at, ring->cpu, ring->block);
}

static void look_at(const struct ram *ram, struct ring *ring, uint64_t head)
{
    if ((!ram->follow || ram->stopped) && ring->limit == UINT64_MAX)
        ring->limit = head;
    ring_refill(ring, head);
}

/* Reads more of all rings of which nothing is left. NEXT_RECORD: the trace is no more, *r says so.
 */
static enum next refill(struct ram *ram, struct record *r)
{
    bool drained = true;
    struct trace_header now;

    if (!ram_read_header(ram->fd, ram->at, &now) || !same_trace(ram, &now))
        return reset(ram, r);
    ram->looks++;
    merge_changed(&ram->merge);
    for (unsigned i = 0; i < ram->nr_rings; i++) {
        struct ring *ring = &ram->rings[i];

        if (!ring->have_next && ring->at != 0) {
            ring->looked = ring->copied = ram->looks;
            if (now.rings[i].pa != ram->h.rings[i].pa)
                given_back(ram, ring);
            else
                look_at(ram, ring, now.rings[i].head);
        }
        ring_changed(ram, ring);
        drained &= !ring->have_next;
    }
    ram->over = drained && (!ram->follow || ram->stopped || ram->ended);
    ram->ended = now.state == TRACE_STATE_ENDED;  /* heads that are read from now on are the last */
    ram->fresh = true;
    return NEXT_WAIT;
}

/* QEMU is gone, and somebody has cleaned up after it. */
static bool orphaned(const struct ram *ram)
{
    struct stat st;

    return ram->was_linked && (fstat(ram->fd, &st) != 0 || st.st_nlink == 0);
}

/* The ring whose record is to be delivered next. NULL: there is none; *rc says whether *r has
 * another record, which tells so. */
static struct ring *choose(struct ram *ram, struct record *r, enum next *rc)
{
    struct ring *ring;

    if (likely(ram->fresh && merge_goes_on(&ram->merge)))
        return &ram->rings[ram->merge.last];
    for (;;) {
        *rc = NEXT_WAIT;
        if (unlikely(!ram->fresh) && !ram->over)
            *rc = refill(ram, r);
        ring = *rc != NEXT_RECORD && ram->found ? oldest(ram) : NULL;
        if (ring == NULL || is_oldest(ram, ring))
            return ring;
        ram->fresh = false;
    }
}

static enum next find(struct ram *ram)
{
    bool end;

    if (!ram->over)
        search(ram);
    if (ram->found)
        return NEXT_RECORD;
    end = ram->over || !ram->follow || ram->stopped || orphaned(ram);
    if (end && !ram->ever)
        fault_set(ram->fault, "no trace in this machine's RAM: was it started with trace=?");
    return end ? NEXT_END : NEXT_WAIT;
}

enum next ram_next(struct ram *ram, struct record *r)
{
    enum next rc = NEXT_RECORD;
    struct ring *ring;

    if (unlikely(!ram->found))
        rc = find(ram);
    if (rc != NEXT_RECORD)
        return rc;
    ring = choose(ram, r, &rc);
    if (unlikely(ring == NULL)) {
        if (rc == NEXT_RECORD)
            return rc;
        ram->fresh = false;
        return ram->over || (ram->found && orphaned(ram)) ? NEXT_END : NEXT_WAIT;
    }
    *r = ring->next;
    ram->delivered++;
    if (!ring_advance(ring))
        ram->fresh = false;
    ring_changed(ram, ring);
    return NEXT_RECORD;
}
