/* Starting the service domain again. */
#ifndef XEN_SERVICE_H
#define XEN_SERVICE_H

#include "xen/boot/module_words.h"
#include "xen/core/domain.h"

/* service_keep copies its kernel and words. service_start_again builds it anew; NULL: that is not
 * possible, or was done too often; nothing is logged. */
void service_keep(const struct domain_config *c, const void *kernel, uint64_t size_bytes);
struct domain *service_start_again(void);
uint64_t service_claim(void);           /* frames that its next start will need */
void service_forget(void);

#endif
