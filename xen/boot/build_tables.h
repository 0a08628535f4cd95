/* Frames and first page tables of a new guest. */
#ifndef XEN_BUILD_TABLES_H
#define XEN_BUILD_TABLES_H

#include "xen/boot/builder.h"

/* Allocates the frames below loaded_end and those of the p2m list, and writes their p2m and M2P
 * entries. */
int populate_loaded(struct build *b);
int populate_rest(struct build *b);     /* the same for the other pages */
void build_tables(struct build *b);     /* writes the page tables; build.c gives them their types */

#endif
