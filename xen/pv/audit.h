/* The recount of frames: what holds for every frame at any time, counted anew. */
#ifndef XEN_AUDIT_H
#define XEN_AUDIT_H

#include "xen/core/vtimer.h"

/* Recounts every reference and type from the roots, pins and descriptor tables; panics when one
 * is wrong. */
void frame_audit(void);
/* The same, in memory of the caller's: AUDIT_BYTES_PER_FRAME for each of max_mfn frames, zeroed. */
#define AUDIT_BYTES_PER_FRAME 12u
void frame_audit_in(void *zeroed);

#endif
