/* The module of a domain that gets several files: struct xen_multiboot_mod_list of <public/xen.h>.
 * First the descriptors, then the files' strings, then each file from a page on; all places are
 * relative to the module's beginning. Nothing is written here: build.c does. Called by build.c and
 * modules.c. */
#include "common/string.h"
#include "xen/boot/mod_list.h"

static uint64_t plan(const struct mod_list *l,
                     struct xen_multiboot_mod_list descriptors[MOD_LIST_FILES + 1])
{
    uint64_t at = (MOD_LIST_FILES + 1) * sizeof(descriptors[0]);

    memset(descriptors, 0, at);
    for (unsigned i = 0; i < l->nr_files; i++) {
        descriptors[i].cmdline = (uint32_t)at;
        at += strlen(l->file[i].string) + 1;
    }
    for (unsigned i = 0; i < l->nr_files; i++) {
        at = ALIGN_UP(at, PAGE_SIZE);
        descriptors[i].mod_start = (uint32_t)at;
        at += l->file[i].size_bytes;
        descriptors[i].mod_end = (uint32_t)(at - 1);    /* of its last byte */
    }
    return at;
}

uint64_t mod_list_bytes(const struct mod_list *l)
{
    struct xen_multiboot_mod_list descriptors[MOD_LIST_FILES + 1];

    return l->nr_files != 0 ? plan(l, descriptors) : 0;
}

const char *mod_list_check(const struct mod_list *l)
{
    if (l->nr_files == 0)
        return "a vmm, and no module behind it that is its guest's kernel";
    return mod_list_bytes(l) > UINT32_MAX ? "its guest's kernel and ramdisk have 4 GiB or more"
                                          : NULL;
}

void mod_list_plan(const struct mod_list *l,
                   struct xen_multiboot_mod_list descriptors[MOD_LIST_FILES + 1])
{
    (void)plan(l, descriptors);
}
