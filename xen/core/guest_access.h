/* Reading and writing guest memory by virtual address, with checks; no other file does it. A word
 * of a guest is copied once and then checked: the guest may change it at any time.
 *
 * Arguments of hypercalls are copied by copy_from_guest, copy_to_guest, get_guest_args and
 * put_guest_args, which record them in the trace. Everything else that the hypervisor accesses
 * (instructions, stacks, registered areas) goes through read_guest and write_guest, or
 * get_guest_words and put_guest_words (arch.h). */
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

/* As get_guest_words and put_guest_words, with a trace record. n is a constant, the caller has
 * called guest_range_ok; false: the access faulted. */
static inline __attribute__((always_inline)) bool get_guest_args(void *dst, uint64_t va, unsigned n)
{
    if (unlikely(!get_guest_words(dst, va, n)))
        return false;
    if (tracing(TRACE_ARGS))
        trace_copy(TRC_PARAGON_COPY_IN, va, dst, 8 * n);
    return true;
}

static inline __attribute__((always_inline)) bool put_guest_args(uint64_t va, const void *src,
                                                                 unsigned n)
{
    if (unlikely(!put_guest_words(va, src, n)))
        return false;
    if (tracing(TRACE_ARGS))
        trace_copy(TRC_PARAGON_COPY_OUT, va, src, 8 * n);
    return true;
}

#endif
