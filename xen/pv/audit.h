/* The recount of all frames' references: audit.c. */
#ifndef XEN_AUDIT_H
#define XEN_AUDIT_H

#include "xen/core/vtimer.h"

/* Recounts every reference and type from the roots, pins and descriptor tables; panics when one
 * is wrong. */
void frame_audit(void);
/* The same, in memory that the caller gives: AUDIT_BYTES_PER_FRAME zeroed bytes for each of
 * max_mfn frames. */
#define AUDIT_BYTES_PER_FRAME 12u
void frame_audit_in(void *zeroed);

#endif
