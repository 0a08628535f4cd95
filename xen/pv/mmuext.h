/* Roots and pins of page tables: mmuext.c. */
#ifndef XEN_MMUEXT_H
#define XEN_MMUEXT_H

#include "xen/core/domain.h"

/* Roots (V1). mfn 0 for the user root: none. */
int new_guest_root(struct vcpu *v, mfn_t mfn);
int new_user_root(struct vcpu *v, mfn_t mfn);
/* MOV to CR3, emulated; false: it names no root */
bool write_guest_cr3(struct vcpu *v, uint64_t value);
void drop_roots(struct vcpu *v);

#endif
