/* The guests that the boot loader's modules are, in the order of their kernels. */
#ifndef XEN_GUEST_LIST_H
#define XEN_GUEST_LIST_H

#include "xen/boot/boot_info.h"
#include "xen/boot/mod_list.h"
#include "xen/boot/module_words.h"
#include "xen/core/domain.h"

struct build;

struct guest {
    struct domain_config config;
    domid_t id;
    int ramdisk;                        /* number of the module; -1: none */
    unsigned nr_files;                  /* of a vmm: the modules behind its own */
    bool usable;
    struct domain *domain;              /* NULL: it could not be built */
    struct build *build;                /* between build_load and build_complete */
};
extern struct guest guests[BOOT_MODULES];
extern unsigned nr_guests;

/* Fills the list from boot_info.modules. */
void guest_list_make(void);
/* The files of a vmm. */
void guest_files(const struct guest *g, struct mod_list *l);
/* Where module i is in memory. */
const void *module_data(unsigned i);

#endif
