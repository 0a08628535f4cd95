/* struct text: see write.h. */
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
        fprintf(stderr, "pvtrace: %s: cannot write: %s\n", what, strerror(t->error));
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

void text_char(struct text *t, char c)
{
    if (unlikely(t->size - t->len < 2)) {
        text_put(t, &c, 1);
        return;
    }
    t->buf[t->len++] = c;
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
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";

    for (; value >= 100; value /= 100)
        memcpy(end -= 2, pairs + value % 100 * 2, 2);
    if (value >= 10)
        memcpy(end -= 2, pairs + value * 2, 2);
    else
        *--end = (char)('0' + value);
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

static const char hex_digits[] = "0123456789abcdef";

static void put_hex(struct text *t, uint64_t value, const char *prefix)
{
    char digits[18], *end = digits + sizeof(digits), *p = end;

    do {
        *--p = hex_digits[value & 15];
        value >>= 4;
    } while (value != 0);
    if (*prefix != '\0')
        memcpy(p -= 2, prefix, 2);
    text_put(t, p, (size_t)(end - p));
}

void text_hex(struct text *t, uint64_t value)
{
    put_hex(t, value, "0x");
}

void text_byte(struct text *t, uint8_t byte)
{
    text_put(t, (const char[]){ hex_digits[byte >> 4], hex_digits[byte & 15] }, 2);
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

/* --- Formats ---------------------------------------------------------------------------------- */
/* Writes what the conversion at f (behind its %) asks for; returns where the format goes on. */
static const char *convert(struct text *t, const char *f, va_list *ap)
{
    bool wide = *f == 'l';

    f += wide;
    switch (*f) {
    case 's':
        text_str(t, va_arg(*ap, const char *));
        break;
    case 'd':
        text_int(t, wide ? va_arg(*ap, long) : va_arg(*ap, int));
        break;
    case 'u':
        text_dec(t, wide ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned));
        break;
    case 'x':
        put_hex(t, wide ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned), "");
        break;
    case 'c':
        text_char(t, (char)va_arg(*ap, int));
        break;
    default:
        text_char(t, *f);
        break;
    }
    return f + 1;
}

void text_add(struct text *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    for (const char *from = fmt; *from != '\0'; from = fmt) {
        while (*fmt != '\0' && *fmt != '%')
            fmt++;
        text_put(t, from, (size_t)(fmt - from));
        if (*fmt == '%')
            fmt = convert(t, fmt + 1, &ap);
    }
    va_end(ap);
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

size_t utf8_length(const char *s, size_t len)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t n = u[0] < 0x80 ? 1 : u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : u[0] < 0xf5 ? 4 : 0;

    if (n > len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    /* Longer than needed, a surrogate, above U+10FFFF: no characters. */
    if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
        (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
        return 0;
    return n;
}
