/* What public/io/ring.h asks of a file that includes it. Its mb() orders a store before a load; x86
 * keeps the other orders, so the two others hold back the compiler only. */
#ifndef DRIVER_IO_RING_H
#define DRIVER_IO_RING_H

#include <stddef.h>
#include <stdint.h>

#define xen_mb()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define xen_rmb() __asm__ volatile("" ::: "memory")
#define xen_wmb() __asm__ volatile("" ::: "memory")

#endif
