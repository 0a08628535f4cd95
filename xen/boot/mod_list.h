/* Files that a domain gets as one module with a list of them at its beginning. */
#ifndef XEN_MOD_LIST_H
#define XEN_MOD_LIST_H

#include "xen/core/types.h"

#define MOD_LIST_FILES 2u

struct mod_list {
    unsigned nr_files;
    struct {
        const void *data;
        uint64_t size_bytes;
        const char *string;
    } file[MOD_LIST_FILES];
};

/* Size of the module; 0: there are no files. */
uint64_t mod_list_bytes(const struct mod_list *l);
/* NULL, or why it cannot be given to a vmm. */
const char *mod_list_check(const struct mod_list *l);
/* Its descriptors, with the one that ends the list. They have 32 bits for a place, which
 * mod_list_check has found to be enough. */
void mod_list_plan(const struct mod_list *l,
                   struct xen_multiboot_mod_list descriptors[MOD_LIST_FILES + 1]);

#endif
