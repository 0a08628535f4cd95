/* The domain builder: from a module in memory to a domain at its first instruction. */
#ifndef XEN_BUILD_H
#define XEN_BUILD_H

#include "xen/boot/module_words.h"
#include "xen/core/claim.h"
#include "xen/core/domain.h"

/* What is needed beyond a guest's own memory: to make it, and its reserve (frame.h). */
#define OVERHEAD_FRAMES(vcpus) (64u + 16u * (vcpus) + DOMAIN_RESERVE)

/* Builds one domain, in two steps: what needs the files, with the memory that this takes; and the rest of its memory, for
 * which the files may be gone. 0, or negative errno with a line that names the module and the reason. After a success
 * of the first the second has to follow, in any case; the config stays where it is until then. */
struct build;
int build_load(struct domain *d, const struct domain_config *c, const void *kernel, uint64_t kernel_size,
               const void *ramdisk, uint64_t ramdisk_size, struct build **out);
int build_complete(struct build *b);
/* Both at once. */
int build_domain(struct domain *d, const struct domain_config *c, const void *kernel, uint64_t kernel_size,
                 const void *ramdisk, uint64_t ramdisk_size);
/* Says one line that names the module, the guest and the reason; returns rc. */
int build_fail(const struct build *b, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
