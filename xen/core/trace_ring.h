/* The ring of one CPU: shared by trace.c, trace_control.c and trace_show.c. */
#ifndef XEN_TRACE_RING_H
#define XEN_TRACE_RING_H

#include "xen/core/types.h"
#include "xen/core/vtimer.h"

#define TRACE_BLOCK_BYTES 16384u
#define TRACE_RECORD_WORDS (3u + TRACE_EXTRA_MAX)

/* Written by its CPU only. */
struct trace_ring {
    struct trace_block *block;          /* being filled; NULL: none yet */
    /* Where the next record begins; if not above limit, a record of any size fits. */
    uint32_t *pos, *limit;
    uint64_t records;                   /* written since boot */
    uint32_t running;                   /* VCPU_WORD of the running vCPU; NO_VCPU between two */
    void *slots;                        /* nr_blocks blocks */
};
#define NO_VCPU (~0u)
#define IDLE_WORD (0x7fffu << 16)       /* Xen's number for the idle domain */

extern struct trace_ring trace_rings[1];    /* by CPU id */
extern struct trace_header trace_header;

void trace_records_init(void);
/* For any vCPU, whatever is traced. */
void trace_write(uint32_t event, const uint32_t *words, unsigned n);
struct trace_block *trace_slot(const struct trace_ring *r, uint64_t number);

#endif
