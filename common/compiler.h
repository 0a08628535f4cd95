/* What the compiler and the C language leave to be named: hints, array sizes, containers, minimum
 * and maximum. */
#ifndef COMMON_COMPILER_H
#define COMMON_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ALIGN_UP(x, a) (((x) + (a) - 1) & ~((a) - 1))
#define ALIGN_DOWN(x, a) ((x) & ~((a) - 1))

/* One access, which the compiler does not split or repeat: for words that a guest or another CPU
 * may write. Relaxed atomics, so that ThreadSanitizer knows that they are meant. Order and atomic
 * changes: atomic.h. */
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#define barrier() __asm__ volatile("" ::: "memory")

#endif
