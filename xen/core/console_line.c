/* Filters a guest's output, so that it cannot imitate other lines. A guest may move the cursor back
 * in its line, clear the rest of the line and ring the bell, as shells do; but not move left of its
 * own text, where the prefix stands, nor to another line. All other control characters and escape
 * sequences are dropped. Text is UTF-8; invalid bytes and Unicode control characters become U+FFFD.
 *
 * Called by console.c, first when bytes are added to the guest's line, and then when the line is
 * shown. */
#include "common/printf.h"
#include "common/string.h"
#include "xen/core/console.h"
#include "xen/core/console_line.h"
#include "xen/core/domain.h"

#define ESC '\033'
#define CLEAR '\033'                    /* in the line's text: clear what is right of here */
#define MAX_COLUMN 60000u
#define HASH_PRIME 0x1000193u           /* FNV-1a */
#define SHORT_LINE 16u

enum { TEXT, ESCAPE, CHARSET, SEQUENCE };       /* what the next byte belongs to */

static void append(struct domain *d, struct console_line *l, const char *s, unsigned len)
{
    if (l->len + len > sizeof(l->text))
        console_show_line(d, l, false);
    memcpy(l->text + l->len, s, len);
    l->len += len;
    for (; len != 0; len--, s++)
        if (*s != '\r')
            l->hash = (l->hash ^ (uint8_t)*s) * HASH_PRIME;
}

static void append_char(struct domain *d, struct console_line *l, char c)
{
    append(d, l, &c, 1);
}

static void append_replacement(struct domain *d, struct console_line *l)
{
    append(d, l, UTF8_REPLACEMENT, sizeof(UTF8_REPLACEMENT) - 1);
}

/* The last byte of a sequence names its function (ECMA-48: J and K clear, D moves left); a missing
 * number is 0 here. */
static void end_sequence(struct domain *d, struct console_line *l, char last)
{
    unsigned number = l->number;

    if ((last == 'J' || last == 'K') && number == 0)
        append_char(d, l, CLEAR);
    for (number = MAX(number, 1u); last == 'D' && number != 0; number--)
        append_char(d, l, '\b');
}

static void in_sequence(struct domain *d, struct console_line *l, char c)
{
    bool text = l->state == ESCAPE && c != '[';

    if (text || l->state == CHARSET) {
        l->state = text && (c == '(' || c == ')') ? CHARSET : TEXT;
    } else if (l->state == ESCAPE) {
        l->state = SEQUENCE;
        l->number = 0;
    } else if (c >= ' ' && c < '@') {
        l->number = c < '0' || c > '9' ? 255 : (uint8_t)MIN(l->number * 10 + (c - '0'), 255);
    } else {
        l->state = TEXT;
        end_sequence(d, l, c);
    }
}

static void add_ascii(struct domain *d, struct console_line *l, char c)
{
    if ((c >= ' ' && c <= '~') || c == '\t' || c == '\b' || c == '\r' || c == '\a')
        append_char(d, l, c);
}

static void add_text(struct domain *d, struct console_line *l, char c)
{
    enum utf8_result result = utf8_feed(&l->utf8, c);

    if (result == UTF8_CUT) {
        append_replacement(d, l);
        result = utf8_feed(&l->utf8, c);
    }
    if (result == UTF8_BAD || (result == UTF8_WHOLE && utf8_steers(l->utf8.code)))
        append_replacement(d, l);
    else if (result == UTF8_WHOLE && l->utf8.len == 1)
        add_ascii(d, l, c);
    else if (result == UTF8_WHOLE)
        append(d, l, l->utf8.bytes, l->utf8.len);
}

void console_line_end(struct domain *d, struct console_line *l)
{
    if (l->utf8.left != 0)
        append_replacement(d, l);
    l->utf8.left = 0;
    l->state = TEXT;
}

void console_line_add(struct domain *d, struct console_line *l, char c)
{
    bool text = l->state == TEXT && l->utf8.left == 0 && c >= ' ' && c <= '~';

    if (likely(text)) {                 /* mostly */
        append(d, l, &c, 1);
    } else if (c == ESC) {
        console_line_end(d, l);
        l->state = ESCAPE;
    } else if (l->state == TEXT) {
        add_text(d, l, c);
    } else {
        in_sequence(d, l, c);
    }
}

/* True: the line came by the guest's other way already, so it is not shown again. Kernels that
 * print both by console_io and by their ring print each line twice: one directly after the other,
 * as Linux does with earlyprintk=xen,keep, or all lines again when the ring's console starts. A
 * short line may be repeated on purpose, so it counts as a repetition only directly after a longer
 * one. */
bool console_line_repeats(struct console_line *l, struct console_line *other)
{
    uint32_t hash = l->hash | 1;        /* 0: none */
    bool known = !l->begun && (l->len >= SHORT_LINE || l->repeating);

    l->hash = 0;
    l->repeating = false;
    for (unsigned i = 0; i < CONSOLE_REMEMBERED && known; i++)
        if (other->hashes[i] == hash) {
            other->hashes[i] = 0;
            l->repeating = true;
            return true;
        }
    l->hashes[l->next] = hash;
    l->next = (l->next + 1) % CONSOLE_REMEMBERED;
    return false;
}

/* Showing. Where the width of a character is not certain, the column is counted too low, so that
 * the cursor never moves into the prefix. */
static void go_back(struct console_line *l, unsigned n)
{
    char text[16];

    n = MIN(n, l->column);
    l->column -= n;
    if (n == 1)
        console_raw("\b", 1);
    else if (n != 0)
        console_raw(text, (size_t)snprintf(text, sizeof(text), "\033[%uD", n));
}

/* Shows one character; returns the number of its bytes. */
static unsigned show_text(struct console_line *l, const char *s, unsigned len)
{
    struct utf8 u = { 0 };
    unsigned n = 0;

    while (n < len && utf8_feed(&u, s[n++]) == UTF8_MORE)
        ;
    console_raw(s, n);
    l->column = MIN(l->column + utf8_columns(u.code), MAX_COLUMN);
    return n;
}

/* A carriage return moves the cursor only when more text follows: most come before a line feed,
 * where it has no effect. */
void console_line_show(struct console_line *l)
{
    for (unsigned i = 0; i < l->len;) {
        char c = l->text[i];

        if (c != '\r' && l->returning)
            go_back(l, l->column);
        l->returning = c == '\r';
        if (c == '\b')
            go_back(l, 1);
        else if (c == CLEAR)
            console_raw("\033[K", 3);
        i += c == '\b' || c == CLEAR || c == '\r' ? 1 : show_text(l, &l->text[i], l->len - i);
    }
    l->len = 0;
}

void console_line_start(struct console_line *l)
{
    l->column = 0;
    l->returning = false;
}
