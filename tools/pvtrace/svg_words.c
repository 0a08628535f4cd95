/* --svg: words, numbers and rectangles in the picture, as XML wants them and as wide as there is
 * room. Called by svg.c and svg_boxes.c. */
#include <stdarg.h>
#include <string.h>

#include "common/compiler.h"
#include "tools/pvtrace/svg.h"

const char *svg_put(const char *fmt, ...)
{
    static char words[16][320];
    static unsigned at;
    char *buf = words[at++ % 16];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(buf, sizeof(words[0]), fmt, ap);
    va_end(ap);
    return buf;
}

/* --- Numbers ---------------------------------------------------------------------------------- */
const char *svg_amount(const struct picture *p, double ticks)
{
    static const char *const seconds[] = { "ns", "\u00b5s", "ms", "s" };
    static const char *const insns[] = { "insn", "k insn", "M insn", "G insn" };
    bool insn = p->a->o.instructions;
    double x = insn ? ticks : ticks_to_seconds(p->a->clock, (uint64_t)MIN(ticks, 1e18)) * 1e9;
    unsigned unit = 0;
    int decimals;

    for (; x >= 999.5 && unit < 3; unit++)
        x /= 1000;
    decimals = x >= 99.95 || (unit == 0 && x == (double)(uint64_t)x) ? 0 : x >= 9.995 ? 1 : 2;
    return svg_put("%.*f %s", decimals, x, (insn ? insns : seconds)[unit]);
}

const char *svg_mean(const struct picture *p, double ticks, uint64_t calls)
{
    return svg_amount(p, calls != 0 ? ticks / (double)calls : 0);
}

/* Thousands apart by a narrow space, from five digits on. */
const char *svg_number(uint64_t n)
{
    char digits[24], buf[64];
    int len = snprintf(digits, sizeof(digits), "%lu", n);
    struct text t = TEXT(buf);

    for (int i = 0; i < len; i++)
        text_add(&t, "%s%c", i > 0 && (len - i) % 3 == 0 && len > 4 ? "\u202f" : "", digits[i]);
    return svg_put("%s", buf);
}

const char *svg_share(double part, double whole, int decimals)
{
    return svg_put("%.*f %%", decimals, whole > 0 ? 100 * part / whole : 0);
}

/* --- Words ------------------------------------------------------------------------------------ */
static const bool special[128] = {
    ['<'] = true, ['>'] = true, ['&'] = true, ['"'] = true, ['\''] = true,
};

static void escape_byte(struct text *t, unsigned char c)
{
    text_add(t, c < 128 && special[c] ? "&#%u;" : "?", c);
}

/* Names come from guests and from the command line: anything may be in them. */
static void escape(FILE *f, const char *s)
{
    char buf[512];
    struct text t = TEXT(buf);

    t.file = f;
    text_utf8(&t, s, strlen(s), special, escape_byte);
    text_flush(&t);
}

/* In the widest of the usual fonts; viewers have different ones. */
double svg_width(const char *s, double size)
{
    double width = 0;

    for (; *s; s++)
        if ((unsigned char)*s >= 0xc0)
            width += 0.85;
        else if ((unsigned char)*s < 0x80)
            width += strchr("ijl.,:;|!()[] 't", *s) ? 0.36 : *s == '_' ? 0.52
                     : *s >= 'A' && *s <= 'Z' ? 0.74 : 0.62;
    return width * size;
}

const char *svg_fit(double room, double size, const char *const choices[], unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (svg_width(choices[i], size) <= room)
            return choices[i];
    return "";
}

void svg_words(const struct picture *p, const char *class, double x, double y, const char *more,
               const char *s)
{
    fprintf(p->f, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\"%s>", class, x, y, more);
    escape(p->f, s);
    fputs("</text>\n", p->f);
}

void svg_label(const struct picture *p, const char *class, double x, double y, double room,
               double size, const char *ink, const char *s)
{
    char cut[96];
    size_t len;

    snprintf(cut, sizeof(cut) - 4, "%s", s);
    len = strlen(cut);
    while (len > 0 && svg_width(cut, size) > room) {
        do
            len--;
        while (len > 0 && ((unsigned char)s[len] & 0xc0) == 0x80);
        snprintf(cut + len, sizeof(cut) - len, "\u2026");
    }
    if (len > 0 && (len >= 3 || s[len] == '\0'))
        svg_words(p, class, x, y, svg_put(" fill=\"%s\"", ink), cut);
}

void svg_rect(const struct picture *p, double x, double y, double width, double height,
              const char *fill, const char *more)
{
    fprintf(p->f,
            "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" fill=\"%s\"%s/>\n", x,
            y, width, height, fill, more);
}

void svg_group(const struct picture *p, const char *name, const char *rest)
{
    fputs("<g><title>", p->f);
    escape(p->f, name);
    fprintf(p->f, "\n%s</title>\n", rest);
}
