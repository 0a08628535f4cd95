/* Segment descriptors of a guest. */
#ifndef XEN_SEGMENTS_H
#define XEN_SEGMENTS_H

#include "xen/core/domain.h"

#define DESCS_PER_FRAME (PAGE_SIZE / 8)

/* Makes a descriptor safe for ring 3 (DPL raised, call gates closed); false: refuse it. */
bool sanitise_descriptor(uint64_t *desc);

/* *s: the segment that a selector names in v's tables or in the ABI's part of every GDT. The
 * descriptor is read once, because another vCPU may be changing it. False: it is not a present
 * code or data segment. */
struct segment {
    uint32_t base, limit;           /* of bytes, the granularity applied */
    bool code, long_mode, big;      /* big: 32-bit code or stack */
    bool expand_down, readable, writable;
};
bool read_segment(const struct vcpu *v, uint16_t sel, struct segment *s);
/* Whether [offset, offset + bytes) is within the limit. */
bool segment_holds(const struct segment *s, uint32_t offset, unsigned bytes);

#endif
