/* struct text: see write.h. */
#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "common/compiler.h"
#include "tools/pvtrace/write.h"

void text_flush(struct text *t)
{
    errno = 0;
    if (t->error == 0 && (fwrite(t->buf, 1, t->len, t->file) != t->len || fflush(t->file) != 0))
        t->error = errno != 0 ? errno : EIO;
    t->len = 0;
}

int text_close(struct text *t, const char *what)
{
    text_flush(t);
    if (t->error != 0)
        warnx("%s: cannot write: %s", what, strerror(t->error));
    return t->error != 0;
}

void text_put(struct text *t, const char *s, size_t len)
{
    while (unlikely(len >= t->size - t->len)) {
        size_t room = t->size - t->len - 1;

        memcpy(t->buf + t->len, s, room);
        t->len += room;
        t->buf[t->len] = '\0';
        if (t->file == NULL)
            return;
        text_flush(t);
        s += room;
        len -= room;
    }
    memcpy(t->buf + t->len, s, len);
    t->len += len;
    t->buf[t->len] = '\0';
}

void text_cut(struct text *t, size_t len)
{
    t->len = MIN(len, t->len);
    t->buf[t->len] = '\0';
}

bool text_full(const struct text *t)
{
    return t->file == NULL && t->len + 1 >= t->size;
}

/* --- Numbers ---------------------------------------------------------------------------------- */
static char *put_digits(char *end, uint64_t value)
{
    do
        *--end = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    return end;
}

void text_dec(struct text *t, uint64_t value)
{
    char digits[20], *end = digits + sizeof(digits), *p = put_digits(end, value);

    text_put(t, p, (size_t)(end - p));
}

static uint64_t put_sign(struct text *t, int64_t value)
{
    if (value < 0)
        text_put(t, "-", 1);
    return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

void text_int(struct text *t, int64_t value)
{
    text_dec(t, put_sign(t, value));
}

static void put_fixed(struct text *t, uint64_t n, unsigned decimals)
{
    char digits[40], *end = digits + sizeof(digits), *p = end;

    for (; decimals > 0; decimals--, n /= 10)
        *--p = (char)('0' + n % 10);
    *--p = '.';
    p = put_digits(p, n);
    text_put(t, p, (size_t)(end - p));
}

void text_fixed(struct text *t, int64_t n, unsigned decimals)
{
    put_fixed(t, put_sign(t, n), decimals);
}

void text_seconds(struct text *t, uint64_t ns)
{
    if (ns != 0)
        put_fixed(t, ns, 9);
    text_char(t, ns != 0 ? 's' : '0');
}

void text_hex(struct text *t, uint64_t value)
{
    char digits[18], *end = digits + sizeof(digits), *p = end;

    do
        *--p = "0123456789abcdef"[value & 15];
    while ((value >>= 4) != 0);
    *--p = 'x';
    *--p = '0';
    text_put(t, p, (size_t)(end - p));
}

void text_pointer(struct text *t, uint64_t va)
{
    if (va == 0)
        text_put(t, "NULL", 4);
    else
        text_hex(t, va);
}

void text_name(struct text *t, const char *name, uint64_t value)
{
    if (name != NULL)
        text_str(t, name);
    else
        text_dec(t, value);
}

void text_add(struct text *t, const char *fmt, ...)
{
    char buf[1024];
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(buf, sizeof(buf), fmt, ap);
    va_end(ap);
    if (len > 0)
        text_put(t, buf, MIN((size_t)len, sizeof(buf) - 1));
}

/* --- Foreign bytes ---------------------------------------------------------------------------- */
void text_escape(struct text *t, const char *s, size_t len)
{
    static const char letters[] = "abtnvfr";

    for (size_t i = 0; i < len && !text_full(t); i++) {
        unsigned char c = (unsigned char)s[i];
        char escaped[4] = { '\\', (char)('0' + (c >> 6)), (char)('0' + (c >> 3 & 7)),
                            (char)('0' + (c & 7)) };
        size_t n = 4;

        if (c == '"' || c == '\\') {
            escaped[1] = (char)c;
            n = 2;
        } else if (c >= '\a' && c <= '\r') {
            escaped[1] = letters[c - '\a'];
            n = 2;
        } else if (c >= ' ' && c <= '~') {
            escaped[0] = (char)c;
            n = 1;
        }
        text_put(t, escaped, n);
    }
}

/* How many of the len bytes at s, of which the first is no ASCII, are one character of UTF-8. */
static size_t utf8_length(const char *s, size_t len)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t n = u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : u[0] < 0xf5 ? 4 : 0;

    if (n > len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    /* Longer than needed, a surrogate, above U+10FFFF: no characters. XML may not have U+FFFE and
     * U+FFFF either. */
    if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
        (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f) ||
        (u[0] == 0xef && u[1] == 0xbf && u[2] > 0xbd))
        return 0;
    return n;
}

void text_utf8(struct text *t, const char *s, size_t len, const bool special[128],
               escape_fn *escape)
{
    size_t from = 0;

    for (size_t i = 0, n; i < len; i += n) {
        unsigned char c = (unsigned char)s[i];

        n = c < 0x80 ? c >= ' ' && c != 0x7f && !special[c] : utf8_length(s + i, len - i);
        if (likely(n != 0))
            continue;
        text_put(t, s + from, i - from);
        escape(t, c);
        n = 1;
        from = i + 1;
    }
    text_put(t, s + from, len - from);
}
