/* Owns struct text: a line that is put together piece by piece. Called millions of times, hence no printf where a
 * number is all there is to write. At the end of the buffer the rest is dropped; the text always has a NUL behind it. */
#include <stdarg.h>
#include <string.h>

#include "tools/pvtrace/decode.h"

void text_put(struct text *t, const char *s, size_t len)
{
    if (t->len + 1 >= t->size)
        return;
    if (len > t->size - t->len - 1)
        len = t->size - t->len - 1;
    memcpy(t->buf + t->len, s, len);
    t->len += len;
    t->buf[t->len] = '\0';
}

void text_str(struct text *t, const char *s)
{
    text_put(t, s, strlen(s));
}

void text_cut(struct text *t, size_t len)
{
    if (len < t->len) {
        t->len = len;
        t->buf[len] = '\0';
    }
}

bool text_full(const struct text *t)
{
    return t->len + 1 >= t->size;
}

void text_add(struct text *t, const char *fmt, ...)
{
    size_t room = t->len < t->size ? t->size - t->len : 0;
    va_list ap;
    int n;

    if (room == 0)
        return;
    va_start(ap, fmt);
    n = vsnprintf(t->buf + t->len, room, fmt, ap);
    va_end(ap);
    if (n > 0)
        t->len += (size_t)n < room ? (size_t)n : room - 1;
}

void text_dec(struct text *t, uint64_t value)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    char digits[20], *p = digits + sizeof(digits);

    while (value >= 100) {
        p -= 2;
        memcpy(p, pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        p -= 2;
        memcpy(p, pairs + value * 2, 2);
    } else {
        *--p = (char)('0' + value);
    }
    text_put(t, p, (size_t)(digits + sizeof(digits) - p));
}

void text_int(struct text *t, int64_t value)
{
    if (value < 0)
        text_put(t, "-", 1);
    text_dec(t, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void text_hex(struct text *t, uint64_t value)
{
    char digits[18], *p = digits + sizeof(digits);

    do {
        *--p = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value != 0);
    *--p = 'x';
    *--p = '0';
    text_put(t, p, (size_t)(digits + sizeof(digits) - p));
}

void text_escape(struct text *t, const char *s, size_t len)
{
    for (size_t i = 0; i < len && !text_full(t); i++) {
        unsigned char c = (unsigned char)s[i];
        static const char letters[] = "abtnvfr";
        char escaped[4] = { '\\', (char)('0' + (c >> 6)), (char)('0' + (c >> 3 & 7)), (char)('0' + (c & 7)) };

        if (c == '"' || c == '\\') {
            escaped[1] = (char)c;
            text_put(t, escaped, 2);
        } else if (c >= '\a' && c <= '\r') {
            escaped[1] = letters[c - '\a'];
            text_put(t, escaped, 2);
        } else if (c < ' ' || c > '~') {
            text_put(t, escaped, 4);
        } else {
            text_put(t, s + i, 1);
        }
    }
}

void text_pointer(struct text *t, uint64_t va)
{
    if (va == 0)
        text_put(t, "NULL", 4);
    else
        text_hex(t, va);
}

void text_seconds(struct text *t, uint64_t ns)
{
    char digits[12] = ".000000000s";
    uint64_t rest = ns % 1000000000;

    if (ns == 0) {
        text_put(t, "0", 1);
        return;
    }
    text_dec(t, ns / 1000000000);
    for (unsigned i = 9; i > 0; i--, rest /= 10)
        digits[i] = (char)('0' + rest % 10);
    text_put(t, digits, 11);
}
