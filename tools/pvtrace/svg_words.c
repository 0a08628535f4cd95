/* --svg: words and numbers in the picture, as XML wants them and as wide as there is room. */
#include <string.h>

#include "tools/pvtrace/svg.h"

/* How many bytes of s are one character that XML allows; 0: none. */
static unsigned xml_char(const unsigned char *s)
{
    unsigned n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

    if (n == 1)
        return s[0] >= 0x20 && s[0] != 0x7f;
    for (unsigned i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xef && s[1] == 0xbf && s[2] > 0xbd) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

/* Names come from guests and from the command line: anything may be in them. */
void svg_text(FILE *f, const char *text)
{
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        unsigned n = xml_char(s);

        if (n == 0)
            fputc('?', f);
        else if (strchr("<>&\"'", *s))
            fprintf(f, "&#%u;", *s);
        else
            fwrite(s, 1, n, f);
        s += n ? n : 1;
    }
}

const char *svg_amount(const struct picture *p, double ticks, char *buf, size_t size)
{
    static const char *const seconds[] = {"ns", "\u00b5s", "ms", "s"};
    static const char *const insns[] = {"insn", "k insn", "M insn", "G insn"};
    double x = p->o->instructions
                   ? ticks
                   : ticks_to_seconds(p->clock, ticks < 1e18 ? (uint64_t)ticks : 1000000000000000000u) * 1e9;
    unsigned unit = 0;

    for (; x >= 999.5 && unit < 3; unit++)
        x /= 1000;
    snprintf(buf, size, "%.*f %s",
             x >= 99.95 || (unit == 0 && x == (double)(uint64_t)x) ? 0
             : x >= 9.995                                          ? 1
                                                                   : 2,
             x, p->o->instructions ? insns[unit] : seconds[unit]);
    return buf;
}

/* Thousands apart by a narrow space. */
const char *svg_number(uint64_t n, char *buf, size_t size)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
    struct text t = { buf, size, 0 };

    buf[0] = 0;
    for (int i = 0; i < len; i++)
        text_add(&t, "%s%c", i && (len - i) % 3 == 0 && len > 4 ? "\u202f" : "", digits[i]);
    return buf;
}

/* In the widest of the usual fonts; viewers have different ones. */
double svg_width(const char *s, double size)
{
    double width = 0;

    for (; *s; s++)
        if ((unsigned char)*s >= 0xc0)
            width += 0.85;
        else if ((unsigned char)*s < 0x80)
            width += strchr("ijl.,:;|!()[] 't", *s) ? 0.36
                     : *s == '_'                    ? 0.52
                     : *s >= 'A' && *s <= 'Z'       ? 0.74
                                                    : 0.62;
    return width * size;
}

void svg_words(const struct picture *p, double x, double y, const char *class, const char *s)
{
    fprintf(p->f, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
    svg_text(p->f, s);
    fputs("</text>\n", p->f);
}

const char *svg_fit(double room, double size, const char *const choices[], unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (svg_width(choices[i], size) <= room)
            return choices[i];
    return "";
}

/* As much of the text as fits, or nothing. */
void svg_label(const struct picture *p, double x, double y, double room, double size, const char *class,
               const char *ink, const char *s)
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
    if (len == 0 || (len < 3 && s[len]))
        return;
    fprintf(p->f, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" fill=\"%s\">", class, x, y, ink);
    svg_text(p->f, cut);
    fputs("</text>\n", p->f);
}

double svg_share(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}
