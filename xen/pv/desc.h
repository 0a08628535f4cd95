/* Descriptor tables: the GDT and LDT of a vCPU; desc.c. */
#ifndef XEN_DESC_H
#define XEN_DESC_H

#include "xen/core/domain.h"
#include "xen/core/frame.h"

/* Checks its 512 descriptors and changes them to safe ones in place. */
int validate_segdesc_frame(struct frame *f);

/* The caller holds the domain's mm_lock for these; v is current, or has no run in progress. */
int set_gdt(struct vcpu *v, const uint64_t *frames, unsigned entries);  /* entries 0: none */
void destroy_gdt(struct vcpu *v);
int set_ldt(struct vcpu *v, uint64_t base, unsigned entries);           /* MMUEXT_SET_LDT */
/* Unmaps the LDT and drops its references; the base stays. */
void drop_ldt(struct vcpu *v);

/* Takes mm_lock. For a fault in the LDT window of current: maps the guest's page there. False:
 * the guest has none. */
bool map_ldt_fault(struct vcpu *v, uint64_t offset);

#endif
