/* Memory and strings, for code without a C library. The four that compilers call by themselves are
 * weak, so that an architecture may bring faster ones. */
#ifndef COMMON_STRING_H
#define COMMON_STRING_H

#include "common/compiler.h"

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);

/* At most size - 1 bytes of src and a NUL (size > 0). False: it was cut. */
bool copy_string(char *dst, const char *src, size_t size);
/* The number at s in base 16 after "0x", else 10. *end: behind its last digit; s itself when there
 * is none or it does not fit. */
uint64_t parse_number(const char *s, const char **end);
/* The same with a suffix K, M, G or T (either case) or B; without one the number counts KiB, Xen's
 * habit. */
uint64_t parse_size(const char *s, const char **end);

/* Freestanding code calls these for every struct it clears; by these names the compiler knows what
 * they do, and writes out the small ones. Not where they are defined, nor where a test gives them
 * other names. */
#if !defined(COMMON_STRING_C) && !defined(memcpy)
#define memcpy(to, from, n) __builtin_memcpy(to, from, n)
#define memmove(to, from, n) __builtin_memmove(to, from, n)
#define memset(to, c, n) __builtin_memset(to, c, n)
#define memcmp(a, b, n) __builtin_memcmp(a, b, n)
#endif

#endif
