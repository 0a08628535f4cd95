/* Decodes UTF-8 (RFC 3629), and tells the width of a character on a terminal. Called by
 * xen/core/console_line.c for guests' output, and by log.c for log lines, which may contain words
 * of guests. */
#include "common/utf8.h"

struct range {
    uint32_t first, last;
};

static bool in_ranges(uint32_t code, const struct range *ranges, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

static bool is_character(uint32_t code, unsigned len)
{
    static const uint32_t least[] = { [1] = 0, [2] = 0x80, [3] = 0x800, [4] = 0x10000 };

    return code >= least[len] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

/* The leading one bits of the first byte give the number of bytes. */
static enum utf8_result first_byte(struct utf8 *u, uint8_t byte)
{
    static const struct {
        uint8_t mask, value, left;
    } kinds[] = { { 0x80, 0, 0 }, { 0xe0, 0xc0, 1 }, { 0xf0, 0xe0, 2 }, { 0xf8, 0xf0, 3 } };

    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
        if ((byte & kinds[i].mask) == kinds[i].value) {
            u->code = byte & (uint8_t)~kinds[i].mask;
            u->left = kinds[i].left;
            u->bytes[0] = (char)byte;
            u->len = 1;
            return u->left != 0 ? UTF8_MORE : UTF8_WHOLE;
        }
    return UTF8_BAD;
}

enum utf8_result utf8_feed(struct utf8 *u, char c)
{
    uint8_t byte = (uint8_t)c;

    if (u->left == 0)
        return first_byte(u, byte);
    if ((byte & 0xc0) != 0x80) {
        u->left = 0;
        return UTF8_CUT;
    }
    u->code = u->code << 6 | (byte & 0x3f);
    u->bytes[u->len++] = c;
    if (--u->left != 0)
        return UTF8_MORE;
    return is_character(u->code, u->len) ? UTF8_WHOLE : UTF8_BAD;
}

bool utf8_steers(uint32_t code)
{
    static const struct range ranges[] = {
        { 0x80, 0x9f }, { 0x61c, 0x61c }, { 0x200e, 0x200f },
        { 0x2028, 0x202e }, { 0x2066, 0x2069 },
    };

    return in_ranges(code, ranges, ARRAY_SIZE(ranges));
}

/* Ranges of characters that have the same width on every terminal. */
unsigned utf8_columns(uint32_t code)
{
    static const struct range narrow[] = {
        { ' ', '~' }, { 0xa0, 0xac }, { 0xae, 0x2ff },
        { 0x370, 0x377 }, { 0x37a, 0x37f },
        { 0x384, 0x482 }, { 0x48a, 0x52f }, { 0x2010, 0x2027 },
        { 0x2030, 0x205e }, { 0x20a0, 0x20bf },
        { 0x2100, 0x23ff }, { 0x2500, 0x27bf }, { 0x2800, 0x28ff }, { 0xfffd, 0xfffd },
    };
    static const struct range wide[] = {
        { 0x3041, 0x3096 }, { 0x30a0, 0x30ff }, { 0x3400, 0x4dbf },
        { 0x4e00, 0x9fff }, { 0xac00, 0xd7a3 },
        { 0xff01, 0xff60 },
    };

    if (in_ranges(code, narrow, ARRAY_SIZE(narrow)))
        return 1;
    return in_ranges(code, wide, ARRAY_SIZE(wide)) ? 2 : 0;
}
