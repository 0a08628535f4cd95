/* Starting the service domain and the driver domain again. */
#ifndef XEN_SERVICE_H
#define XEN_SERVICE_H

#include "xen/boot/module_words.h"
#include "xen/core/claim.h"
#include "xen/core/domain.h"

/* Copies its kernel and words; how much memory it gets must be in the config. */
void service_keep(enum service_kind kind, domid_t id, const struct domain_config *c,
                  const void *kernel, uint64_t size_bytes);
/* Build it anew under its number, which is free. NULL: that is not possible, or was done too often;
 * nothing is logged. */
struct domain *store_start_again(void);
struct domain *driver_start_again(void);
/* Frames that their next starts will need, but for those that the ones that exist, a bit for each
 * kind, claim themselves. */
uint64_t service_claim(unsigned existing);
void service_forget(enum service_kind kind);

#endif
