/* Memory and strings, for code without a C library. The four functions that compilers call are
 * weak, so that an architecture can have faster ones. */
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
/* Parses the number at s, hexadecimal after "0x", else decimal. *end: behind its last digit; s
 * itself when there is no number or it is too large. */
uint64_t parse_number(const char *s, const char **end);
/* The same with a suffix B, K, M, G or T (either case); without a suffix the number is in KiB, as
 * in Xen. */
uint64_t parse_size(const char *s, const char **end);

/* With -ffreestanding the compiler does not know these functions; by the builtins it does, and
 * small copies become inline code. Not where they are defined, nor where a test gives them other
 * names. */
#if !defined(COMMON_STRING_C) && !defined(memcpy)
#define memcpy(to, from, n) __builtin_memcpy(to, from, n)
#define memmove(to, from, n) __builtin_memmove(to, from, n)
#define memset(to, c, n) __builtin_memset(to, c, n)
#define memcmp(a, b, n) __builtin_memcmp(a, b, n)
#endif

#endif
