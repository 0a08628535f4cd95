/* Owns which of a guest's bytes reach the terminal, and as what. A shell needs to go back on its line, clear
 * the rest of it and ring the bell, and may; but never left of its own text, where the prefix says whose line it
 * is, and never to another line. Whatever else steers a terminal is dropped, sequences as a whole. Called by
 * console.c: on the way into the guest's line buffer, and from there to the terminal. */
#include "common/printf.h"
#include "xen/console.h"

#define ESC '\033'
#define CLEAR '\033'                    /* in the line buffer: clear what is right of here */
#define MAX_COLUMN 60000u

enum { TEXT, ESCAPE, CHARSET, SEQUENCE };       /* what the next byte belongs to */

static bool printable(char c)
{
    uint8_t u = (uint8_t)c;

    return c == '\t' || (u >= ' ' && u <= '~') || u >= 0xa0;
}

/* The last byte of a sequence decides what it was; its number is 0 when none was given. */
static unsigned end_sequence(unsigned number, char last, char *out)
{
    if (last == 'D') {
        *out = '\b';
        return number != 0 ? number : 1;
    }
    *out = CLEAR;
    return (last == 'J' || last == 'K') && number == 0;
}

static unsigned in_sequence(struct domain *d, char c, char *out)
{
    bool text = d->console_state == ESCAPE && c != '[';

    if (text || d->console_state == CHARSET) {
        d->console_state = text && (c == '(' || c == ')') ? CHARSET : TEXT;
        return 0;
    }
    if (d->console_state == ESCAPE) {
        d->console_state = SEQUENCE;
        d->console_number = 0;
        return 0;
    }
    if (c >= ' ' && c < '@') {
        d->console_number = c < '0' || c > '9' ? 255 : (uint8_t)MIN(d->console_number * 10 + (c - '0'), 255);
        return 0;
    }
    d->console_state = TEXT;
    return end_sequence(d->console_number, c, out);
}

unsigned console_filter(struct domain *d, char c, char *out)
{
    if (d->console_state == TEXT) {
        *out = c;
        if (c == ESC)
            d->console_state = ESCAPE;
        return printable(c) || c == '\b' || c == '\r' || c == '\a';
    }
    if (c == ESC) {
        d->console_state = ESCAPE;
        return 0;
    }
    return in_sequence(d, c, out);
}

/* The column is counted too low where a byte may not be one: so it never leads into the prefix. */
static void go_back(struct domain *d, unsigned n)
{
    char text[16];

    n = MIN(n, d->console_column);
    d->console_column -= n;
    if (n == 1)
        console_raw("\b", 1);
    else if (n != 0)
        console_raw(text, (size_t)snprintf(text, sizeof(text), "\033[%uD", n));
}

void console_show(struct domain *d, char c)
{
    if (c == '\r') {
        d->console_return = true;       /* before a line feed, as mostly, it means nothing */
        return;
    }
    if (d->console_return)
        go_back(d, d->console_column);
    d->console_return = false;
    if (c == '\b') {
        go_back(d, 1);
    } else if (c == CLEAR) {
        console_raw("\033[K", 3);
    } else {
        console_raw(&c, 1);
        if (c >= ' ' && c <= '~' && d->console_column < MAX_COLUMN)
            d->console_column++;
    }
}

void console_show_start(struct domain *d)
{
    d->console_column = 0;
    d->console_return = false;
}
