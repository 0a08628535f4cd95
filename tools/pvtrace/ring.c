/* The ring of one CPU in a machine's RAM: blocks to records, by the rules of common/trace_format.h.
 * ram.c says where it is and which block is being written.
 *
 * The writer never waits, so everything may change while it is looked at. The file is read, not
 * mapped: a mapping dies when the file is cut, and fills holes as they are touched. Each read is a
 * system call, and loads stay in their order across two of them:
 *
 *   R1  the number of a block is read before and after its records are copied; only if it was the
 *       block's both times are the copies records (the writer makes it 0 first)
 *   R2  `used` of a block that is not the head's any more was read after the head, so it is final
 *   R3  what was not seen is counted by first_record of the next block seen, whatever the reason */
#include <unistd.h>

#include "common/compiler.h"
#include "tools/pvtrace/source.h"

#define LOST_WHO 0x8000u                /* nobody knows: vCPU 0 of Xen's "no domain" */

bool read_all(int fd, void *buf, size_t len, uint64_t offset)
{
    return pread(fd, buf, len, (off_t)offset) == (ssize_t)len;
}

static uint64_t slot_at(const struct ring *ring)
{
    return ring->at + (ring->block - 1) % ring->nr_blocks * ring->block_bytes;
}

static void go_to(struct ring *ring, uint64_t block)
{
    ring->block = block;
    ring->done = 0;
    ring->counted = ring->spoilt = false;
}

#define LOST_MAX (1ull << 48)           /* more than a machine writes in its life */

/* The rest of the block cannot be believed. What it had is counted as lost with the next block
 * (R3). */
static void spoil(struct ring *ring, uint32_t header, uint32_t left)
{
    fault_skip(ring->fault, ring->chunk_at + ring->pos, header, left);
    ring->spoilt = true;
    ring->pos = ring->len;
}

/* --- What was copied -------------------------------------------------------------------------- */
/* Who runs, as the beginning of the block says in its second record: in Xen's LOST the domain is
 * the lower half. */
static uint32_t who_runs(const struct ring *ring)
{
    uint32_t at = ring->len >= 4 ? record_bytes(load32(ring->chunk)) : 0, header, who;

    if (at == 0 || at + 16 > ring->len)
        return LOST_WHO;
    header = load32(ring->chunk + at);
    who = load32(ring->chunk + at + 12);
    if (header != (TRC_SCHED_CONTINUE_RUNNING | 1u << TRACE_EXTRA_SHIFT | HEADER_CYCLES))
        return LOST_WHO;
    return who << 16 | who >> 16;
}

/* As Xen does: at the end of the gap, with the time when it began. */
static void tell_lost(struct ring *ring)
{
    struct record *r = &ring->next;
    uint32_t n = (uint32_t)MIN(ring->lost, (uint64_t)UINT32_MAX);

    *r = (struct record){
        .offset = ring->chunk_at, .tsc = ring->tsc, .event = TRC_LOST_RECORDS, .cpu = ring->cpu,
        .n = 4, .has_tsc = true,
        .w = { n, who_runs(ring), (uint32_t)ring->lost_from, (uint32_t)(ring->lost_from >> 32) },
    };
    ring->lost -= n;
    ring->have_next = true;
}

bool ring_advance(struct ring *ring)
{
    uint32_t left = ring->len - ring->pos, header, size;

    ring->have_next = false;
    if (unlikely(ring->lost > 0)) {
        tell_lost(ring);
        return true;
    }
    if (left == 0)
        return false;
    header = left >= 4 ? load32(ring->chunk + ring->pos) : 0;
    size = record_bytes(header);
    if (left < 4 || size > left || !record_plausible(header)) {
        if (ring->done + left >= ring->used || (left >= 4 && !record_plausible(header)))
            spoil(ring, header, ring->used - ring->done);
        ring->pos = ring->len;         /* cut where the chunk ends: its beginning is copied again */
        return false;
    }
    ring->next.offset = ring->chunk_at + ring->pos;
    ring->next.cpu = ring->cpu;
    record_decode(&ring->next, ring->chunk + ring->pos, &ring->tsc);
    ring->pos += size;
    ring->done += size;
    ring->seen++;
    ring->have_next = true;
    return true;
}

/* --- Copying ---------------------------------------------------------------------------------- */
static void count_lost(struct ring *ring, const struct trace_block *b)
{
    uint64_t gap = b->first_record - ring->seen, most = ring->block_bytes / 4;

    ring->counted = true;
    if (b->first_record < ring->seen || gap > LOST_MAX ||
        gap / most > ring->block - ring->counted_block) {
        fault_set(ring->fault,
                  "offset %lu: block %lu begins with record %lu, but %lu were read before it",
                  slot_at(ring), ring->block, b->first_record, ring->seen);
    } else if (gap > 0) {
        ring->lost = gap;
        ring->lost_from = ring->tsc != 0 ? ring->tsc : b->first_tsc - 1;
        ring->tsc = b->first_tsc;
    }
    ring->counted_block = ring->block;
    ring->seen = b->first_record;
}

enum copied { COPIED, NOTHING_NEW, OVERTAKEN };

/* What the block has beyond what is done, a chunk of it (R1). */
static enum copied copy_chunk(struct ring *ring)
{
    uint64_t at = slot_at(ring), number;
    struct trace_block b;
    uint32_t len = 0;
    bool sane;

    if (!read_all(ring->fd, &b, sizeof(b), at)) {
        fault_set(ring->fault, "offset %lu: the file of the machine's RAM was cut", at);
        return OVERTAKEN;
    }
    if (b.number == ring->block && ring->spoilt)
        return NOTHING_NEW;
    sane = b.used <= ring->block_bytes - sizeof(b) && b.used >= ring->done;
    if (sane)
        len = MIN(b.used - ring->done, CHUNK);
    if (b.number != ring->block ||
        !read_all(ring->fd, ring->chunk, len, at + sizeof(b) + ring->done) ||
        !read_all(ring->fd, &number, sizeof(number), at) || number != ring->block)
        return OVERTAKEN;
    if (!sane) {
        fault_set(ring->fault, "offset %lu: block %lu claims to have %u bytes of records", at,
                  b.number, b.used);
        ring->spoilt = true;
        return NOTHING_NEW;
    }
    if (!ring->counted)
        count_lost(ring, &b);
    ring->used = b.used;
    ring->chunk_at = at + sizeof(b) + ring->done;
    ring->pos = 0;
    ring->len = len;
    return len > 0 ? COPIED : NOTHING_NEW;
}

/* Blocks that the writer has overtaken are left out; each turn of the loop is a block further or
 * the last. */
void ring_refill(struct ring *ring, uint64_t head)
{
    uint64_t last = MIN(head, ring->limit);

    while (ring->block <= last) {
        enum copied copied;

        if (head - ring->block >= ring->nr_blocks) {
            go_to(ring, head - ring->nr_blocks + 1);
            continue;
        }
        copied = copy_chunk(ring);
        if ((copied == COPIED || ring->lost > 0) && ring_advance(ring))
            return;
        if (copied == COPIED && !ring->spoilt)
            continue;
        if (ring->block == last)
            return;
        go_to(ring, ring->block + 1);
    }
}
