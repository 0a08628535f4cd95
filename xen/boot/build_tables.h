/* Frames and first page tables of a new guest. */
#ifndef XEN_BUILD_TABLES_H
#define XEN_BUILD_TABLES_H

#include "xen/boot/builder.h"

int populate_loaded(struct build *b);   /* frames for the pages below loaded_end, and for p2m; p2m and M2P of them */
int populate_rest(struct build *b);     /* the same for the other pages */
void build_tables(struct build *b);     /* contents only: typing them is build.c's */

#endif
