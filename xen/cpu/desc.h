/* Descriptor tables: what a guest may put in its GDT and LDT, and where it is loaded from. */
#ifndef XEN_DESC_H
#define XEN_DESC_H

#include "xen/core/frame.h"

/* Makes a descriptor safe for ring 3 (DPL raised, call gates closed); false: refuse it. */
bool sanitise_descriptor(uint64_t *desc);
int validate_segdesc_frame(struct frame *f);            /* all of its 512 descriptors, sanitised in place */

/* The caller holds the domain's mm_lock for these; v is current, or has no run in progress. */
int set_gdt(struct vcpu *v, const uint64_t *frames, unsigned entries);  /* entries 0: none */
void destroy_gdt(struct vcpu *v);
int set_ldt(struct vcpu *v, uint64_t base, unsigned entries);           /* MMUEXT_SET_LDT */
void drop_ldt(struct vcpu *v);                          /* unmaps and forgets references; the base stays */

/* A fault in the LDT window of current: maps the guest's page there. False: none. Takes mm_lock. */
bool map_ldt_fault(struct vcpu *v, uint64_t offset);

/* What a selector stands for in v's tables, or in the ABI's part of every GDT. From one reading of the descriptor, which
 * another vCPU may be changing. False: no present code or data segment. */
struct segment {
    uint32_t base, limit;           /* of bytes, the granularity applied */
    bool code, long_mode, big;      /* big: 32-bit code or stack */
    bool expand_down, readable, writable;
};
bool read_segment(const struct vcpu *v, uint16_t sel, struct segment *s);
/* Does [offset, offset + bytes) lie within the limit? */
bool segment_holds(const struct segment *s, uint32_t offset, unsigned bytes);

#endif
