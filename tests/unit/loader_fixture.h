/* Copies of the tiny kernel for functions that make one field wrong. Included by test_loader.c
 * and test_loader_build.c. */
#ifndef LOADER_FIXTURE_H
#define LOADER_FIXTURE_H

#include <stdlib.h>
#include <string.h>
#include "support.h"
#include "xen/core/domain.h"

static inline struct tiny_elf *fresh(void)
{
    struct tiny_elf *e = malloc(sizeof(*e));

    elf_make(e);
    return e;
}

/* A row of a table of such functions, by name. */
#define BAD(name) { #name, name }

#endif
