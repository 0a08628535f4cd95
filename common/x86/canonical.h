/* Canonical addresses: bits 63 to 47 are equal (SDM vol. 1, 3.3.7.1; four levels of tables). */
#ifndef COMMON_X86_CANONICAL_H
#define COMMON_X86_CANONICAL_H

#include <stdbool.h>
#include <stdint.h>

static inline bool is_canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

#endif
