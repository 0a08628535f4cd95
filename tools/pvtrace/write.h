/* The one writer of text: a line of bounded length, or, with a file behind it, as much as there is.
 * Numbers are written millions of times, so they do not go through printf. There is always a NUL
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

/* At most 1023 characters at a time. Slow: not for what comes in every line. */
void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_put(struct text *t, const char *s, size_t len);
/* Here, because the length of most strings is known where it is called. */
static inline void text_str(struct text *t, const char *s)
{
    text_put(t, s, strlen(s));
}
static inline void text_char(struct text *t, char c)
{
    text_put(t, &c, 1);
}
void text_dec(struct text *t, uint64_t value);
void text_int(struct text *t, int64_t value);
void text_hex(struct text *t, uint64_t value);          /* 0x1f */
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

/* len bytes of anybody: characters of UTF-8 as they are, but not control characters, nor what is
 * `special`. Each byte of what is left out goes to escape. */
typedef void escape_fn(struct text *t, unsigned char c);
void text_utf8(struct text *t, const char *s, size_t len, const bool special[128],
               escape_fn *escape);

#endif
