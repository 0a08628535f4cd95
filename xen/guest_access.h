/* The one checked way to read and write guest memory by virtual address. A guest word is copied once, then judged. */
#ifndef XEN_GUEST_ACCESS_H
#define XEN_GUEST_ACCESS_H

#include "arch/arch.h"

/* 0, or -EFAULT when any byte could not be accessed (some may have been). */
static inline int copy_from_guest(void *dst, uint64_t va, size_t len)
{
    return guest_range_ok(va, len) && arch_copy_from_guest(dst, va, len) == 0 ? 0 : -EFAULT;
}

static inline int copy_to_guest(uint64_t va, const void *src, size_t len)
{
    return guest_range_ok(va, len) && arch_copy_to_guest(va, src, len) == 0 ? 0 : -EFAULT;
}

#endif
