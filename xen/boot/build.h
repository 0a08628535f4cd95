/* The domain builder: from a module in memory to a domain at its first instruction. */
#ifndef XEN_BUILD_H
#define XEN_BUILD_H

#include "xen/boot/module_words.h"
#include "xen/core/claim.h"
#include "xen/core/domain.h"

/* Frames needed in addition to a guest's own memory: while it is built, for what the hypervisor
 * keeps of it and of its vCPUs, and DOMAIN_RESERVE (claim.h). */
#define BUILDING_FRAMES 32u
#define OVERHEAD_FRAMES(vcpus) (BUILDING_FRAMES + 32u + 16u * (vcpus) + DOMAIN_RESERVE)

/* Builds one domain in two steps: build_load copies from the files and allocates the memory for
 * that; build_complete allocates the rest of the guest's memory, when the files may have been
 * freed. Both return 0, or a negative errno and log a line with the module and the reason. If the
 * first succeeded the second must be called; the config must stay until then. If the config has a
 * list of files, they are the domain's one module, ramdisk is NULL, and ramdisk_size is the size of
 * all of them. */
struct build;
int build_load(struct domain *d, const struct domain_config *c, const void *kernel,
               uint64_t kernel_size, const void *ramdisk, uint64_t ramdisk_size,
               struct build **out);
int build_complete(struct build *b);
/* Both at once. */
int build_domain(struct domain *d, const struct domain_config *c, const void *kernel,
                 uint64_t kernel_size, const void *ramdisk, uint64_t ramdisk_size);
/* Logs one line with the module, the guest and the reason; returns rc. */
int build_fail(const struct build *b, int rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
