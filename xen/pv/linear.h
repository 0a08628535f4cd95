/* Linear page-table entries: linear.c, and F10 of frame.h. */
#ifndef XEN_LINEAR_H
#define XEN_LINEAR_H

#include "xen/core/frame.h"
#include "xen/core/types.h"

/* Takes the references of an entry that names a table of its own level. -EINVAL: it may not name
 * it. */
int get_linear_table(uint64_t entry, struct frame *table);
void put_linear_table(struct frame *table, struct frame *child);
/* An entry of an L4 in use is stored between these two, in a domain that has linear tables; old:
 * the entry before. */
void linear_store_begin(struct domain *d);
void linear_store_end(struct domain *d, uint64_t old);

#endif
