/* Numbers that may stand anywhere in memory, and be part of a wider one. */
#ifndef VMM_CORE_UNALIGNED_H
#define VMM_CORE_UNALIGNED_H

#include <stdint.h>

typedef uint16_t u16_unaligned __attribute__((may_alias, aligned(1)));
typedef uint32_t u32_unaligned __attribute__((may_alias, aligned(1)));
typedef uint64_t u64_unaligned __attribute__((may_alias, aligned(1)));

#endif
