/* Allocates and frees frames, for guests and for the hypervisor itself. Owner, references and type
 * of a frame: frame.h. */
#ifndef XEN_ALLOC_H
#define XEN_ALLOC_H

#include "xen/core/types.h"

struct frame;
extern struct frame *frame_table, *frame_table_end;
extern mfn_t max_mfn;                   /* first frame number beyond the table */
extern uint64_t *m2p_table;             /* the hypervisor's writable view, indexed by mfn */

void frames_init(void *table, mfn_t nr_frames, uint64_t *m2p);
void frames_add_range(mfn_t start, mfn_t end, bool scrub);  /* RAM that is free from now on */
/* The same at boot, of RAM that has not been used. It takes the same time however much it is. */
void frames_add_untouched(mfn_t start, mfn_t end);
/* 2^order contiguous frames, aligned to their size, without guest data; INVALID_MFN: none. */
mfn_t alloc_frames(unsigned order);
/* The same, all below machine address 2^address_bits; address_bits 0: anywhere. */
mfn_t alloc_frames_below(unsigned order, unsigned address_bits);
/* The same anywhere, if may() says so: it is called under the lock of the free frames, when there
 * is such a block, and whether it says so is final. */
mfn_t alloc_frames_if(unsigned order, bool (*may)(void *arg, uint64_t nr_frames), void *arg);
void free_frames(mfn_t mfn, unsigned order, bool scrub);
/* One zeroed frame of the hypervisor's own; NULL: none. */
void *alloc_page(void);
void free_page(void *page);                 /* NULL is fine */
void *alloc_pages(unsigned order);          /* zeroed */
void *alloc_pages_if(unsigned order, bool (*may)(void *arg, uint64_t nr_frames), void *arg);
void free_pages(void *p, unsigned order);
uint64_t nr_free_frames(void);

#endif
