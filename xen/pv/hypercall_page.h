/* The hypercall page: hypercall_page.c. */
#ifndef XEN_HYPERCALL_PAGE_H
#define XEN_HYPERCALL_PAGE_H

#include "xen/core/domain.h"

void write_hypercall_page(void *page);
/* WRMSR of the hypercall page's MSR. False (#GP): value does not name a page of v's domain that
 * is plain memory. */
bool install_hypercall_page(struct vcpu *v, uint64_t value);

#endif
