/* The one writer of text: a line of bounded length, or, with a file behind it, as much as there is.
 * Numbers are written millions of times, so nothing here goes through printf. There is always a NUL
 * behind the text. */
#ifndef PVTRACE_WRITE_H
#define PVTRACE_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct text {
    char *buf;
    size_t size, len;
    FILE *file;                 /* NULL: what does not fit is cut */
    int error;                  /* errno of the first failure; nothing is written after it */
};
#define TEXT(array) ((struct text){ .buf = (array), .size = sizeof(array) })

/* Knows %s %c %%, and %d %u %x, also with l; none with a width. */
void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_put(struct text *t, const char *s, size_t len);
/* Here, because the length of most strings is known where it is called. */
static inline void text_str(struct text *t, const char *s)
{
    text_put(t, s, strlen(s));
}
void text_char(struct text *t, char c);
void text_dec(struct text *t, uint64_t value);
void text_int(struct text *t, int64_t value);
void text_hex(struct text *t, uint64_t value);          /* 0x1f */
void text_byte(struct text *t, uint8_t byte);           /* 0a */
/* n units of which 10^decimals make one: text_fixed(t, 1234567, 3) is 1234.567 */
void text_fixed(struct text *t, int64_t n, unsigned decimals);
void text_seconds(struct text *t, uint64_t ns);         /* 12.000000345s; 0 */
void text_pointer(struct text *t, uint64_t va);         /* NULL or hexadecimal */
void text_name(struct text *t, const char *name,
               uint64_t value); /* the number, where name is NULL */
/* bytes of a guest: as in a C string, without quotes */
void text_escape(struct text *t, const char *s, size_t len);
void text_cut(struct text *t, size_t len);              /* forget what came after */
bool text_full(const struct text *t);

/* With a file: */
void text_flush(struct text *t);
int text_close(struct text *t, const char *what);         /* 0, or 1: said why on stderr */

/* How many bytes at s (len > 0 of them) are one character of UTF-8; 0: they are none. */
size_t utf8_length(const char *s, size_t len);

#endif
