/* Frames from the free lists, for guests and for the hypervisor itself. Who owns a frame and what refers to it: frame.h. */
#ifndef XEN_ALLOC_H
#define XEN_ALLOC_H

#include "xen/core/types.h"

struct frame;
extern struct frame *frame_table;
extern mfn_t max_mfn;                   /* first frame number beyond the table */
extern uint32_t tlb_clock;              /* advances at every full flush */
extern uint64_t *m2p_table;             /* the hypervisor's writable view, indexed by mfn */

void frames_init(void *table, mfn_t nr_frames, uint64_t *m2p);
void frames_add_range(mfn_t start, mfn_t end, bool scrub);  /* RAM that is free from now on */
mfn_t alloc_frames(unsigned order);         /* 2^order contiguous aligned frames, scrubbed of guest data; INVALID_MFN: none */
mfn_t alloc_frames_below(unsigned order, unsigned address_bits);    /* the same, of addresses of so many bits; 0: any */
void free_frames(mfn_t mfn, unsigned order, bool scrub);
void free_guest_frame(mfn_t mfn);           /* one that a guest may still have in a TLB */
void *alloc_page(void);                     /* one zeroed frame of the hypervisor's own; NULL: none */
void free_page(void *page);                 /* NULL is fine */
void *alloc_pages(unsigned order);          /* zeroed */
void free_pages(void *p, unsigned order);
uint64_t nr_free_frames(void);

#endif
