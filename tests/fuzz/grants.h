/* What guests do with grants. */
#ifndef FUZZ_GRANTS_H
#define FUZZ_GRANTS_H

#include "xen/core/domain.h"

void grants_start(void);                /* a new world, in which nothing is mapped */
void shape_grant_table_op(uint64_t *a); /* the arguments of one call */
extern unsigned maps_asked;             /* of the call that is made; 0 before one is chosen */
void remember_maps(const struct vcpu *v, unsigned n);   /* elements that succeeded, of n */
void grant_something(struct domain *d); /* writes entries through a mapping of the table */

#endif
