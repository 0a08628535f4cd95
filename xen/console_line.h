/* One line of a guest's output, between its bytes and the terminal's. */
#ifndef XEN_CONSOLE_LINE_H
#define XEN_CONSOLE_LINE_H

#include "common/utf8.h"

struct domain;

struct console_line {
    /* What is not on the terminal yet: whole characters, and of the controls \b, \r, \a, \t and CLEAR. */
    char text[192];
    unsigned len;
    uint64_t since;             /* ns when the last of it came */
    struct utf8 utf8;           /* the character that has begun */
    uint8_t state, number;      /* inside an escape sequence, and its number */

    /* What is on the terminal already. */
    bool returning;             /* a carriage return not carried out yet */
    unsigned column;            /* where the cursor stands, from the prefix on: at least there */
};

/* A byte of the guest's, any but a line feed: filtered, and appended. What is there is shown if it has no room left. */
void console_line_add(struct domain *d, struct console_line *l, char c);
void console_line_end(struct domain *d, struct console_line *l);        /* what has begun ends with the line */
void console_line_start(struct console_line *l);                        /* it begins anew on the terminal */
void console_line_show(struct console_line *l);                         /* its text goes to the terminal */

#endif
