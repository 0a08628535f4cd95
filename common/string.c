/* Functions of a C library for memory and strings, as plain loops, in words of eight bytes for
 * large copies. Used by all of xen/ and arch/; the compiler also generates calls of memcpy, memset,
 * memmove and memcmp. */
#define COMMON_STRING_C
#include "common/string.h"

typedef uint64_t __attribute__((may_alias, aligned(1))) word_t;

__attribute__((weak)) void *memcpy(void *dst, const void *src, size_t n)
{
    char *d = dst;
    const char *s = src;

    for (; n >= 32; n -= 32, d += 32, s += 32) {
        word_t a = ((const word_t *)s)[0], b = ((const word_t *)s)[1];
        word_t c = ((const word_t *)s)[2], e = ((const word_t *)s)[3];

        ((word_t *)d)[0] = a;
        ((word_t *)d)[1] = b;
        ((word_t *)d)[2] = c;
        ((word_t *)d)[3] = e;
    }
    while (n-- != 0)
        *d++ = *s++;
    return dst;
}

__attribute__((weak)) void *memset(void *dst, int c, size_t n)
{
    char *d = dst;
    word_t w = (uint8_t)c * 0x0101010101010101ull;

    for (; n >= 32; n -= 32, d += 32) {
        ((word_t *)d)[0] = w;
        ((word_t *)d)[1] = w;
        ((word_t *)d)[2] = w;
        ((word_t *)d)[3] = w;
    }
    while (n-- != 0)
        *d++ = (char)c;
    return dst;
}

__attribute__((weak)) void *memmove(void *dst, const void *src, size_t n)
{
    char *d = dst;
    const char *s = src;

    if ((uintptr_t)d - (uintptr_t)s >= n)
        return memcpy(dst, src, n);
    while (n-- != 0) {
        d[n] = s[n];
        /* Else the compiler replaces the loop by a call of memmove. */
        barrier();
    }
    return dst;
}

__attribute__((weak)) int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (; n != 0; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n] != '\0') {
        n++;
        barrier();
    }
    return n;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n != 0; n--, a++, b++)
        if (*a != *b || *a == '\0')
            return (uint8_t)*a - (uint8_t)*b;
    return 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)(uintptr_t)s;
        if (*s == '\0')
            return NULL;
    }
}

bool copy_string(char *dst, const char *src, size_t size)
{
    size_t n = strlen(src);
    bool fits = n < size;

    n = fits ? n : size - 1;
    memcpy(dst, src, n);
    dst[n] = '\0';
    return fits;
}

static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

uint64_t parse_number(const char *s, const char **end)
{
    unsigned base = s[0] == '0' && (s[1] | 0x20) == 'x' && digit_value(s[2]) < 16 ? 16 : 10;
    const char *p = base == 16 ? s + 2 : s;
    uint64_t value = 0;

    for (; digit_value(*p) < base; p++)
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit_value(*p), &value)) {
            *end = s;
            return 0;
        }
    *end = p;
    return value;
}

uint64_t parse_size(const char *s, const char **end)
{
    static const char units[] = "bkmgt";
    uint64_t value = parse_number(s, end);
    const char *unit = **end != '\0' ? strchr(units, **end | 0x20) : NULL;
    unsigned shift = unit != NULL ? (unsigned)(unit - units) * 10 : 10;

    if (*end == s)
        return 0;
    *end += unit != NULL;
    if (value > UINT64_MAX >> shift) {
        *end = s;
        return 0;
    }
    return value << shift;
}
