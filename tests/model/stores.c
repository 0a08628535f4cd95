/* The functions that gcc calls before each access to memory in files that it compiles with
 * -fsanitize=thread. ThreadSanitizer's library is not linked: a store is a point at which another
 * CPU may go on (cpus.c), and a load is none. So a call with two CPUs is seen step by step. The
 * order of stores is that of the program; tests/interleave has stores that wait in a CPU's
 * buffer. */
#include "model.h"

bool stores_are_seen;

void __tsan_init(void);
void __tsan_init(void)
{
    stores_are_seen = true;
}

#define PLAIN(bytes)                                                                               \
    void __tsan_read##bytes(const void *p);                                                        \
    void __tsan_read##bytes(const void *p)                                                         \
    {                                                                                              \
        (void)p;                                                                                   \
    }                                                                                              \
    void __tsan_write##bytes(void *p);                                                             \
    void __tsan_write##bytes(void *p)                                                              \
    {                                                                                              \
        store_begins(p);                                                                           \
    }                                                                                              \
    void __tsan_unaligned_read##bytes(const void *p);                                              \
    void __tsan_unaligned_read##bytes(const void *p)                                               \
    {                                                                                              \
        (void)p;                                                                                   \
    }                                                                                              \
    void __tsan_unaligned_write##bytes(void *p);                                                   \
    void __tsan_unaligned_write##bytes(void *p)                                                    \
    {                                                                                              \
        store_begins(p);                                                                           \
    }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(const void *p, unsigned long bytes);
void __tsan_read_range(const void *p, unsigned long bytes)
{
    (void)p, (void)bytes;
}

void __tsan_write_range(void *p, unsigned long bytes);
void __tsan_write_range(void *p, unsigned long bytes)
{
    (void)bytes;
    store_begins(p);
}

#define FETCH(type, bits, op)                                                                      \
    type __tsan_atomic##bits##_fetch_##op(volatile type *p, type v, int order);                    \
    type __tsan_atomic##bits##_fetch_##op(volatile type *p, type v, int order)                     \
    {                                                                                              \
        (void)order;                                                                               \
        store_begins(p);                                                                           \
        return __atomic_fetch_##op(p, v, __ATOMIC_SEQ_CST);                                        \
    }

#define ATOMIC(type, bits)                                                                         \
    type __tsan_atomic##bits##_load(const volatile type *p, int order);                            \
    type __tsan_atomic##bits##_load(const volatile type *p, int order)                             \
    {                                                                                              \
        (void)order;                                                                               \
        return *p;                                                                                 \
    }                                                                                              \
    void __tsan_atomic##bits##_store(volatile type *p, type v, int order);                         \
    void __tsan_atomic##bits##_store(volatile type *p, type v, int order)                          \
    {                                                                                              \
        (void)order;                                                                               \
        store_begins(p);                                                                           \
        *p = v;                                                                                    \
    }                                                                                              \
    type __tsan_atomic##bits##_exchange(volatile type *p, type v, int order);                      \
    type __tsan_atomic##bits##_exchange(volatile type *p, type v, int order)                       \
    {                                                                                              \
        (void)order;                                                                               \
        store_begins(p);                                                                           \
        return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                        \
    }                                                                                              \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile type *p, type *old, type v,         \
                                                      int order, int failed);                      \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile type *p, type *old, type v,         \
                                                      int order, int failed)                       \
    {                                                                                              \
        (void)order, (void)failed;                                                                 \
        store_begins(p);                                                                           \
        return __atomic_compare_exchange_n(p, old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);  \
    }                                                                                              \
    FETCH(type, bits, add)                                                                         \
    FETCH(type, bits, sub)                                                                         \
    FETCH(type, bits, or)                                                                          \
    FETCH(type, bits, and)
ATOMIC(uint8_t, 8)
ATOMIC(uint16_t, 16)
ATOMIC(uint32_t, 32)
ATOMIC(uint64_t, 64)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
    (void)order;
}
