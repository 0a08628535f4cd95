/* snprintf and vsnprintf for code without a C library: the log, the console, xen.efi. No allocation
 * and no state, so that a panic can use it. */
#include "common/compiler.h"
#include "common/printf.h"
#include "common/string.h"

struct out {
    char *buf;
    size_t size, len;                   /* len also counts what did not fit */
};

struct spec {
    bool left, zero, alternate;
    /* '+' or ' ' before a number that is not negative; 0: nothing */
    char sign;
    int width, precision;               /* precision -1: none given */
    unsigned size;                      /* of the integer argument, in bytes */
};

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void pad(struct out *o, char c, int n)
{
    while (n-- > 0)
        put(o, c);
}

/* Writes the prefix, zeros up to the precision or the width, then the text. */
static void put_field(struct out *o, const struct spec *s, const char *prefix, int zeros,
                      const char *text, int len)
{
    int plen = (int)strlen(prefix), fill;

    zeros = MAX(zeros, 0);
    if (s->zero && !s->left && s->precision < 0)
        zeros = MAX(zeros, s->width - plen - len);
    fill = s->width - plen - zeros - len;
    if (!s->left)
        pad(o, ' ', fill);
    while (*prefix != '\0')
        put(o, *prefix++);
    pad(o, '0', zeros);
    for (int i = 0; i < len; i++)
        put(o, text[i]);
    if (s->left)
        pad(o, ' ', fill);
}

static void put_number(struct out *o, const struct spec *s, uint64_t value, bool negative,
                       char conversion)
{
    const char *digits = conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    unsigned base = conversion == 'x' || conversion == 'X' ? 16 : conversion == 'o' ? 8 : 10;
    char text[24], *p = text + sizeof(text), sign[2] = { negative ? '-' : s->sign, '\0' };
    const char *prefix = base == 16 && s->alternate && value != 0 ? "0x" : sign;
    int len;

    for (; value != 0; value /= base)
        *--p = digits[value % base];
    len = (int)(text + sizeof(text) - p);
    put_field(o, s, prefix, (s->precision < 0 ? 1 : s->precision) - len, p, len);
}

static uint64_t unsigned_arg(unsigned size, va_list *ap)
{
    if (size == 8)
        return va_arg(*ap, unsigned long);
    return va_arg(*ap, unsigned) & (size == 1 ? 0xffu : size == 2 ? 0xffffu : ~0u);
}

static int64_t signed_arg(unsigned size, va_list *ap)
{
    int value;

    if (size == 8)
        return va_arg(*ap, long);
    value = va_arg(*ap, int);
    return size == 1 ? (int8_t)value : size == 2 ? (int16_t)value : value;
}

static int number_or_star(const char **fmt, va_list *ap)
{
    int n = 0;

    if (**fmt == '*') {
        (*fmt)++;
        return va_arg(*ap, int);
    }
    for (; **fmt >= '0' && **fmt <= '9' && n < 10000; (*fmt)++)
        n = n * 10 + (**fmt - '0');
    return n;
}

static const char *parse_spec(const char *fmt, struct spec *s, va_list *ap)
{
    *s = (struct spec){ .precision = -1, .size = sizeof(int) };
    for (;; fmt++) {
        if (*fmt == '-')
            s->left = true;
        else if (*fmt == '0')
            s->zero = true;
        else if (*fmt == '#')
            s->alternate = true;
        else if (*fmt == '+' || (*fmt == ' ' && s->sign == 0))
            s->sign = *fmt;
        else if (*fmt != ' ')
            break;
    }
    s->width = number_or_star(&fmt, ap);
    if (s->width < 0) {
        s->left = true;
        s->width = -s->width;
    }
    if (*fmt == '.') {
        fmt++;
        s->precision = number_or_star(&fmt, ap);
    }
    for (; *fmt == 'h'; fmt++)
        s->size /= 2;
    for (; *fmt != '\0' && strchr("lztj", *fmt) != NULL; fmt++)
        s->size = 8;
    return fmt;
}

static void put_string(struct out *o, struct spec *s, const char *text)
{
    int len = 0;

    if (text == NULL)
        text = "(null)";
    while ((s->precision < 0 || len < s->precision) && text[len] != '\0')
        len++;
    s->zero = false;
    put_field(o, s, "", 0, text, len);
}

static void put_conversion(struct out *o, struct spec *s, char conversion, va_list *ap)
{
    int64_t i;
    char c;

    switch (conversion) {
    case 'd': case 'i':
        i = signed_arg(s->size, ap);
        put_number(o, s, i < 0 ? -(uint64_t)i : (uint64_t)i, i < 0, 'd');
        break;
    case 'u': case 'x': case 'X': case 'o':
        s->sign = 0;
        put_number(o, s, unsigned_arg(s->size, ap), false, conversion);
        break;
    case 'p':
        s->alternate = true;
        put_number(o, s, (uintptr_t)va_arg(*ap, void *), false, 'x');
        break;
    case 's':
        put_string(o, s, va_arg(*ap, const char *));
        break;
    case 'c':
        c = (char)va_arg(*ap, int);
        s->zero = false;
        put_field(o, s, "", 0, &c, 1);
        break;
    default:
        put(o, conversion);
    }
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct out o = { .buf = buf, .size = size };
    struct spec s;
    va_list args;

    /* Its address can be passed on; that of an array parameter cannot. */
    va_copy(args, ap);
    for (; *fmt != '\0'; fmt++) {
        if (*fmt != '%') {
            put(&o, *fmt);
            continue;
        }
        fmt = parse_spec(fmt + 1, &s, &args);
        if (*fmt == '\0')
            break;
        put_conversion(&o, &s, *fmt, &args);
    }
    va_end(args);
    if (size != 0)
        buf[MIN(o.len, size - 1)] = '\0';
    return (int)o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return len;
}
