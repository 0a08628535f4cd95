/* The boot loader's modules: the guests, and the memory of their files until they are built. */
#ifndef XEN_MODULES_H
#define XEN_MODULES_H

#include "xen/boot/module_words.h"
#include "xen/core/domain.h"

/* Creates and builds a domain, which the caller starts. Its memory was claimed before (claim.h),
 * and is not compared with what is free, which changes while guests run. NULL: it could not be
 * built; the reason was logged. */
struct domain *build_from(domid_t id, const struct domain_config *c, uint64_t nr_frames,
                          const void *kernel, uint64_t kernel_size, const void *ramdisk,
                          uint64_t ramdisk_size);
/* Builds the domains from boot_info.modules; then frees the modules. */
void build_all_domains(void);
/* The frames of module i, rounded outwards, which must not be allocated until build_all_domains
 * frees them. A frame that two modules share belongs to the first. False: none. */
bool module_frames(unsigned i, mfn_t *start, mfn_t *end);
uint64_t module_memory(void);                       /* frames of all of them */

#endif
