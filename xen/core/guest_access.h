/* The one checked way to read and write guest memory by virtual address. A guest word is copied once, then judged.
 *
 * What belongs to a hypercall's arguments goes through copy_from_guest, copy_to_guest, get_guest_args, put_guest_args,
 * and shows in the trace; what we look at on our own account (instructions, stacks, registered areas) through read_guest
 * and write_guest, or the architecture's words. */
#ifndef XEN_GUEST_ACCESS_H
#define XEN_GUEST_ACCESS_H

#include "arch/arch.h"
#include "xen/core/trace.h"

/* 0, or -EFAULT when any byte could not be accessed (some may have been). */
static inline int read_guest(void *dst, uint64_t va, size_t len)
{
    return guest_range_ok(va, len) && arch_copy_from_guest(dst, va, len) == 0 ? 0 : -EFAULT;
}

static inline int write_guest(uint64_t va, const void *src, size_t len)
{
    return guest_range_ok(va, len) && arch_copy_to_guest(va, src, len) == 0 ? 0 : -EFAULT;
}

static inline int copy_from_guest(void *dst, uint64_t va, size_t len)
{
    int rc = read_guest(dst, va, len);

    if (tracing(TRACE_ARGS) && rc == 0)
        trace_copy(TRC_PARAGON_COPY_IN, va, dst, len);
    return rc;
}

static inline int copy_to_guest(uint64_t va, const void *src, size_t len)
{
    int rc = write_guest(va, src, len);

    if (tracing(TRACE_ARGS) && rc == 0)
        trace_copy(TRC_PARAGON_COPY_OUT, va, src, len);
    return rc;
}

/* As get_guest_words and put_guest_words: n is a constant, the caller has checked the range; false: a fault. */
static inline __attribute__((always_inline)) bool get_guest_args(void *dst, uint64_t va, unsigned n)
{
    if (unlikely(!get_guest_words(dst, va, n)))
        return false;
    if (tracing(TRACE_ARGS))
        trace_copy(TRC_PARAGON_COPY_IN, va, dst, 8 * n);
    return true;
}

static inline __attribute__((always_inline)) bool put_guest_args(uint64_t va, const void *src, unsigned n)
{
    if (unlikely(!put_guest_words(va, src, n)))
        return false;
    if (tracing(TRACE_ARGS))
        trace_copy(TRC_PARAGON_COPY_OUT, va, src, 8 * n);
    return true;
}

#endif
