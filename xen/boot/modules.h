/* The modules of the boot loader: guests, and the memory that their files take until they are built. */
#ifndef XEN_MODULES_H
#define XEN_MODULES_H

#include "xen/boot/module_words.h"
#include "xen/core/domain.h"

/* Builds a domain from nothing: creates the domain, which has then to be started. NULL, with a line: it could not be built. */
struct domain *build_from(domid_t id, const struct domain_config *c, uint64_t nr_frames, const void *kernel,
                          uint64_t kernel_size, const void *ramdisk, uint64_t ramdisk_size);
void build_all_domains(void);                       /* from boot_info.modules; then frees the modules */
/* The frames that module i makes unusable until build_all_domains frees them, rounded outwards; a frame that
 * two modules share counts for the first. Whoever gives RAM to the allocator leaves these out. False: none. */
bool module_frames(unsigned i, mfn_t *start, mfn_t *end);
uint64_t module_memory(void);                       /* frames of all of them */

#endif
