/* The rings, one for each CPU: shared by trace.c, trace_control.c and trace_show.c. */
#ifndef XEN_TRACE_RING_H
#define XEN_TRACE_RING_H

#include "common/trace_format.h"
#include "xen/core/types.h"
#include "xen/core/vtimer.h"

#define TRACE_BLOCK_BYTES 16384u
#define TRACE_RECORD_WORDS (3u + TRACE_EXTRA_MAX)

/* Where trace_cursor.c reads a ring, which may be another CPU's that goes on writing. */
struct trace_cursor {
    uint64_t block, last;               /* numbers: the one being read, the last to be read */
    uint32_t at, last_used;             /* bytes: done of the block, to be read of the last one */
    uint32_t running;                   /* who made the next record */
    uint64_t tsc;                       /* of record, or of the one before it that has a time */
    bool has_record;
    uint32_t record[TRACE_RECORD_WORDS];
};

/* Written by its CPU only, except for `slots`, which is set before anything is traced, and `shown`.
 * On lines of the cache of its own, which are fetched in pairs. */
struct trace_ring {
    /* Where the next record begins; below limit, a record of any size fits. While the ring is not
     * open they are equal. */
    uint32_t *pos, *limit;
    struct trace_block *block;          /* being filled; NULL: none yet */
    uint64_t records;                   /* written since boot */
    uint32_t running;                   /* VCPU_WORD of the running vCPU; NO_VCPU between two */
    uint32_t classes;                   /* of its last TRC_PARAGON_CLASSES */
    bool open;                          /* `running` is kept up to date */
    void *slots;                        /* nr_blocks blocks */
    __attribute__((aligned(128))) struct trace_cursor shown;    /* by who prints the trace */
} __attribute__((aligned(128)));
#define NO_VCPU (~0u)
/* VCPU_WORD of the first CPU's idle vCPU, by Xen's number of the idle domain. Others have the CPU's
 * number in the lower half. */
#define IDLE_WORD (0x7fffu << 16)

extern struct trace_ring trace_rings[TRACE_MAX_CPUS];       /* by CPU id */
extern struct trace_header trace_header;

void trace_records_init(void);
/* For any vCPU, whatever is traced. */
void trace_write(uint32_t event, const uint32_t *words, unsigned n);
/* Writes a record of what is traced from now on into the ring of this CPU, if it has changed. */
void trace_note_classes(void);
/* No record is written into the ring of this CPU until trace_on is not 0. */
void trace_close(void);
struct trace_block *trace_slot(const struct trace_ring *r, uint64_t number);

#endif
