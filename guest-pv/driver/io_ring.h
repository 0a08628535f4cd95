/* What public/io/ring.h asks of a file that includes it. Its mb() orders a store before a load; x86
 * keeps the other orders, so the two others hold back the compiler only. */
#ifndef DRIVER_IO_RING_H
#define DRIVER_IO_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define xen_mb()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define xen_rmb() __asm__ volatile("" ::: "memory")
#define xen_wmb() __asm__ volatile("" ::: "memory")

/* What a successor finds in the page if this instance dies: an aligned part of the header's __pad,
 * which front ends clear at the start and do not use. */
#define RING_RECORD_BYTES 40u
static inline void *ring_record(uint8_t *pad)
{
    return (void *)(((uintptr_t)pad + 7) & ~(uintptr_t)7);
}

/* After all stores before it and before all behind it, in one piece. */
static inline void ring_store(uint32_t *at, uint32_t value)
{
    xen_wmb();
    *(volatile uint32_t *)at = value;
    xen_wmb();
}

/* After rsp_prod went from before to now: whether the other end waits for one of these answers. As
 * in RING_PUSH_RESPONSES_AND_CHECK_NOTIFY, which pushes all of them in one step. */
static inline bool ring_wants_event(const uint32_t *rsp_event, uint32_t before, uint32_t now)
{
    xen_mb();
    return now - *(volatile const uint32_t *)rsp_event < now - before;
}

#endif
