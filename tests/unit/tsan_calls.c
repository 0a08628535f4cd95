/* The functions that gcc calls in files that it compiles with -fsanitize=thread. ThreadSanitizer's
 * library is not linked: what is done before an access is in tests/interleave/accesses.c, or in
 * tests/model/stores.c. Atomic operations are done here. */
#include "tsan_calls.h"

void __tsan_init(void);
void __tsan_init(void)
{
    tsan_started();
}

#define PLAIN(name, bytes, before)                                                                 \
    void __tsan_##name##bytes(void *p);                                                            \
    void __tsan_##name##bytes(void *p)                                                             \
    {                                                                                              \
        before(p, bytes);                                                                          \
    }
#define PLAIN_SIZES(name, before)                                                                  \
    PLAIN(name, 1, before) PLAIN(name, 2, before) PLAIN(name, 4, before) PLAIN(name, 8, before)    \
    PLAIN(name, 16, before)
PLAIN_SIZES(read, before_read)
PLAIN_SIZES(write, before_write)
PLAIN_SIZES(unaligned_read, before_read)
PLAIN_SIZES(unaligned_write, before_write)

void __tsan_read_range(void *p, unsigned long bytes);
void __tsan_read_range(void *p, unsigned long bytes)
{
    before_read(p, bytes);
}

void __tsan_write_range(void *p, unsigned long bytes);
void __tsan_write_range(void *p, unsigned long bytes)
{
    before_write(p, bytes > 8 ? bytes : 9);
}

#define FETCH(type, bits, op)                                                                      \
    type __tsan_atomic##bits##_fetch_##op(volatile type *p, type v, int order);                    \
    type __tsan_atomic##bits##_fetch_##op(volatile type *p, type v, int order)                     \
    {                                                                                              \
        (void)order;                                                                               \
        before_locked(p);                                                                          \
        return __atomic_fetch_##op(p, v, __ATOMIC_SEQ_CST);                                        \
    }

#define LOAD_STORE(type, bits)                                                                     \
    type __tsan_atomic##bits##_load(const volatile type *p, int order);                            \
    type __tsan_atomic##bits##_load(const volatile type *p, int order)                             \
    {                                                                                              \
        (void)order;                                                                               \
        before_read(p, sizeof(type));                                                              \
        return *p;                                                                                 \
    }                                                                                              \
    void __tsan_atomic##bits##_store(volatile type *p, type v, int order);                         \
    void __tsan_atomic##bits##_store(volatile type *p, type v, int order)                          \
    {                                                                                              \
        if (!put_off(p, sizeof(type), v, order))                                                   \
            *p = v;                                                                                \
    }

#define EXCHANGE(type, bits)                                                                       \
    type __tsan_atomic##bits##_exchange(volatile type *p, type v, int order);                      \
    type __tsan_atomic##bits##_exchange(volatile type *p, type v, int order)                       \
    {                                                                                              \
        (void)order;                                                                               \
        before_locked(p);                                                                          \
        return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                        \
    }                                                                                              \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile type *p, type *old, type v,         \
                                                      int order, int failed);                      \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile type *p, type *old, type v,         \
                                                      int order, int failed)                       \
    {                                                                                              \
        (void)order, (void)failed;                                                                 \
        before_locked(p);                                                                          \
        return __atomic_compare_exchange_n(p, old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);  \
    }                                                                                              \
    int __tsan_atomic##bits##_compare_exchange_weak(volatile type *p, type *old, type v,           \
                                                    int order, int failed);                        \
    int __tsan_atomic##bits##_compare_exchange_weak(volatile type *p, type *old, type v,           \
                                                    int order, int failed)                         \
    {                                                                                              \
        return __tsan_atomic##bits##_compare_exchange_strong(p, old, v, order, failed);            \
    }

#define ATOMIC(type, bits)                                                                         \
    LOAD_STORE(type, bits)                                                                         \
    EXCHANGE(type, bits)                                                                           \
    FETCH(type, bits, add)                                                                         \
    FETCH(type, bits, sub)                                                                         \
    FETCH(type, bits, or)                                                                          \
    FETCH(type, bits, and)                                                                         \
    FETCH(type, bits, xor)
ATOMIC(uint8_t, 8)
ATOMIC(uint16_t, 16)
ATOMIC(uint32_t, 32)
ATOMIC(uint64_t, 64)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
    before_fence(order);
}
