/* Modules as the boot loader gives them. Included by test_options.c and test_modules.c. */
#ifndef MODULES_FIXTURE_H
#define MODULES_FIXTURE_H

#include <string.h>
#include "arch/arch.h"
#include "xen/boot/boot_info.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/log.h"

static inline void add_module(const void *data, size_t size, const char *string)
{
    struct boot_module *m = &boot_info.modules[boot_info.nr_modules++];
    unsigned order = 0;
    mfn_t mfn;

    while (PAGE_SIZE << order < size)
        order++;
    mfn = alloc_frames(order);
    memcpy(mfn_to_virt(mfn), data, size);
    m->start = mfn << PAGE_SHIFT;
    m->size = PAGE_SIZE << order;       /* all of it: build_all_domains gives it back */
    strcpy(m->string, string);
}

#endif
