/* Starting the service domain again. */
#ifndef XEN_SERVICE_H
#define XEN_SERVICE_H

#include "xen/boot/module_words.h"
#include "xen/core/domain.h"

/* service_keep copies its kernel and words. service_start_again builds it anew; NULL: that is not
 * possible, or was done too often; nothing is logged. */
void service_keep(const struct domain_config *c, const void *kernel, uint64_t size_bytes);
struct domain *service_start_again(void);
/* Frames that its next start will need, but for those that the one that exists claims itself. */
uint64_t service_claim(bool exists);
void service_forget(void);

#endif
