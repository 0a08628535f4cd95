/* Formatted text into a buffer: %c %s %d %i %u %x %X %o %p %% with flags - 0 # + space, width,
 * precision, * and the lengths hh h l ll z t j. No floating point. */
#ifndef COMMON_PRINTF_H
#define COMMON_PRINTF_H

#include <stdarg.h>
#include <stddef.h>

/* Writes at most size - 1 characters and a NUL; returns the length of the whole text. */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
int snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
