/* Finding the trace's header in the file that is a machine's RAM, and believing it: every number in
 * it may be a guest's invention, and what is believed here is used as an offset there. Called by
 * ram.c. */
#define _GNU_SOURCE                     /* SEEK_DATA */
#include <unistd.h>

#include "common/compiler.h"
#include "tools/pvtrace/source.h"

#define SEARCH_END (1ull << 32)
#define PAGE 4096u
#define SEARCH_BYTES (256u << 10)
#define BLOCK_BYTES_MIN 512u

/* 0: not in the file. */
uint64_t ram_offset(const struct trace_header *h, uint64_t file_bytes, uint64_t pa, uint64_t len)
{
    if (len > file_bytes || pa > UINT64_MAX - len)
        return 0;
    if (pa < SEARCH_END)
        return pa + len <= MIN(SEARCH_END, file_bytes) ? pa : 0;
    if (pa + len > h->ram_end || h->ram_end - pa > file_bytes)
        return 0;
    return pa - h->ram_end + file_bytes;
}

static bool has_begun(const struct trace_header *h)
{
    return h->state == TRACE_STATE_RUNNING || h->state == TRACE_STATE_ENDED;
}

static bool believable(const struct trace_header *h, uint64_t file_bytes)
{
    unsigned rings = 0;

    if (h->nr_cpus == 0 || h->nr_blocks < 2 || h->block_bytes < BLOCK_BYTES_MIN ||
        h->block_bytes % 8 != 0)
        return false;
    for (unsigned i = 0; i < h->nr_cpus; i++) {
        uint64_t bytes = (uint64_t)h->nr_blocks * h->block_bytes;

        if (h->rings[i].pa != 0 && ram_offset(h, file_bytes, h->rings[i].pa, bytes) == 0)
            return false;
        rings += h->rings[i].pa != 0;
    }
    return rings > 0;
}

/* In format 1 the descriptions of the rings are smaller. Those of no CPU are 0. */
bool ram_read_header(int fd, uint64_t at, struct trace_header *h)
{
    const size_t fixed = offsetof(struct trace_header, rings), one = sizeof(h->rings[0]), old = 16;
    uint8_t rings[sizeof(h->rings)];

    memset(h, 0, sizeof(*h));
    if (!read_all(fd, h, fixed, at) || memcmp(h->magic, TRACE_MAGIC, sizeof(h->magic)) != 0)
        return false;
    if (!version_known(h->version))
        return true;
    if (h->nr_cpus > TRACE_MAX_CPUS)
        return false;
    if (h->version != 1)
        return read_all(fd, h->rings, h->nr_cpus * one, at + fixed);
    if (!read_all(fd, rings, h->nr_cpus * old, at + fixed))
        return false;
    for (unsigned i = 0; i < h->nr_cpus; i++)
        memcpy(&h->rings[i], rings + i * old, old);
    return true;
}

/* The page at `at` begins with the signature. */
static enum next judge(int fd, uint64_t file_bytes, uint64_t at, struct trace_header *h,
                       struct fault *foreign)
{
    if (!ram_read_header(fd, at, h) || h->pa != at || !has_begun(h))
        return NEXT_WAIT;
    if (!version_known(h->version)) {
        fault_version(foreign, at, h->version);
        return NEXT_END;
    }
    return believable(h, file_bytes) ? NEXT_RECORD : NEXT_WAIT;
}

/* The page that somebody told, if it is not 0: a guest could have made another that looks as good.
 * Else the first of several: the hypervisor lies low, guests behind it. Holes of the file are not
 * looked at. */
enum next ram_find(int fd, uint64_t file_bytes, uint64_t told, uint64_t *at, struct trace_header *h,
                   struct fault *fault)
{
    uint64_t end = told != 0 ? MIN(told + PAGE, file_bytes) : MIN(SEARCH_END, file_bytes);
    static uint8_t buffer[SEARCH_BYTES];
    enum next best = NEXT_WAIT;
    struct fault foreign = { .text = "" };

    for (uint64_t pos = told; pos < end;) {
        off_t data = lseek(fd, (off_t)pos, SEEK_DATA);
        ssize_t n;

        if (data > (off_t)pos)
            pos = ALIGN_DOWN((uint64_t)data, (uint64_t)PAGE);
        else if (data < 0 && lseek(fd, 0, SEEK_HOLE) >= 0)
            break;                      /* holes are known, and there is one up to the end */
        n = pos < end ? pread(fd, buffer, sizeof(buffer), (off_t)pos) : 0;
        if (n < (ssize_t)sizeof(h->magic))
            break;
        for (size_t i = 0; i + sizeof(h->magic) <= (size_t)n && pos + i < end; i += PAGE) {
            enum next found = NEXT_WAIT;

            if (memcmp(buffer + i, TRACE_MAGIC, sizeof(h->magic)) == 0)
                found = judge(fd, file_bytes, *at = pos + i, h, &foreign);
            if (found == NEXT_RECORD)
                return found;
            if (found == NEXT_END)
                best = found;
        }
        pos += MAX(ALIGN_DOWN((uint64_t)n, (uint64_t)PAGE), (uint64_t)PAGE);
    }
    if (best == NEXT_END)
        fault_set(fault, "%s", foreign.text);
    return best;
}
