/* The guests of trace_fixture.h, and records of which the tests of the ring know number and length.
 * Included by test_trace_ring.c and the tests of what is done with the ring. */
#ifndef TRACE_RING_FIXTURE_H
#define TRACE_RING_FIXTURE_H

#include "trace_fixture.h"
#include "common/trace_format.h"
#include "xen/core/trace.h"
#include "xen/core/trace_ring.h"
#include "xen/pv/hypercalls.h"

#define BLOCK_ROOM (TRACE_BLOCK_BYTES - sizeof(struct trace_block))
#define BEGIN_BYTES (10 * 4 + 4 * 4)     /* CLOCK and who runs */
#define WIDE_BYTES (10 * 4)             /* a record of seven words */
#define WIDE_EVENT TRC_PARAGON_EMULATED

static inline struct trace_block *slot(unsigned i)
{
    return trace_slot(&trace_rings[0], i + 1);
}

static uint32_t nr_wide;                /* so far; each of them carries its number */

static inline void put_wide(unsigned n)
{
    while (n-- != 0) {
        const uint32_t words[7] = { nr_wide, ~nr_wide };

        trace_put(TRACE_EMUL, WIDE_EVENT, words, 7);
        nr_wide++;
    }
}

static inline long version(void)
{
    return TRACED(__HYPERVISOR_xen_version, XENVER_version);
}

#endif
