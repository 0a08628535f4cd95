/* Atomic operations and the fence, for words that several CPUs write. All are the compiler's
 * built-in functions, so that the same code serves the hypervisor and the host tests, whose
 * ThreadSanitizer understands them. Each operation that reads and writes is one locked instruction
 * and a full fence; loads and stores are plain instructions. READ_ONCE and WRITE_ONCE, for words
 * that need no order, are in compiler.h.
 *
 * p points to a word of 1, 2, 4 or 8 bytes. What the operations return is the value before, unless
 * stated. */
#ifndef COMMON_ATOMIC_H
#define COMMON_ATOMIC_H

#include "common/compiler.h"

/* A load before which no later access of this CPU is done; a store after all earlier ones. x86-64
 * does so for every load and store: these keep the compiler from moving them. */
#define load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)

#define xchg(p, v) __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define xadd(p, n) __atomic_fetch_add(p, n, __ATOMIC_SEQ_CST)
#define fetch_or(p, bits) __atomic_fetch_or(p, bits, __ATOMIC_SEQ_CST)
#define fetch_and(p, bits) __atomic_fetch_and(p, bits, __ATOMIC_SEQ_CST)

/* The same without a result: one instruction where the two above are loops. */
#define locked_add(p, n) ((void)__atomic_fetch_add(p, n, __ATOMIC_SEQ_CST))
#define locked_or(p, bits) ((void)__atomic_fetch_or(p, bits, __ATOMIC_SEQ_CST))
#define locked_and(p, bits) ((void)__atomic_fetch_and(p, bits, __ATOMIC_SEQ_CST))

/* If *p is *old, stores val. Else *old becomes the value found, and the result is false. */
#define try_cmpxchg(p, old, val) \
    __atomic_compare_exchange_n(p, old, val, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

/* If *p is old, stores val. Returns the value found. */
static inline uint32_t cmpxchg32(uint32_t *p, uint32_t old, uint32_t val)
{
    (void)try_cmpxchg(p, &old, val);
    return old;
}

static inline uint64_t cmpxchg64(uint64_t *p, uint64_t old, uint64_t val)
{
    (void)try_cmpxchg(p, &old, val);
    return old;
}

/* No access before it is done after one behind it. On x86-64 only a store before a load needs it:
 * for other pairs load_acquire and store_release are enough. ThreadSanitizer does not know fences,
 * so under it smp_mb() writes a word that all threads share. */
#ifdef __SANITIZE_THREAD__
static inline void smp_mb(void)
{
    static uint32_t word;

    locked_add(&word, 1);
}
#else
#define smp_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

/* In a loop that waits for another CPU. */
static inline void cpu_relax(void)
{
#ifdef __x86_64__
    __builtin_ia32_pause();
#endif
}

#endif
