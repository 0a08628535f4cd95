/* One line of a guest's output, between its bytes and the terminal's. */
#ifndef XEN_CONSOLE_LINE_H
#define XEN_CONSOLE_LINE_H

#include "common/utf8.h"

struct domain;

/* A guest has two ways to print, and a line on each. */
enum console_way { CONSOLE_BY_RING, CONSOLE_BY_CALL, NR_CONSOLE_WAYS };

struct console_line {
    /* What is not on the terminal yet: whole characters, and of the controls \b, \r, \a, \t and CLEAR. */
    char text[256];
    unsigned len;
    uint64_t since;             /* ns when the last of it came */
    struct utf8 utf8;           /* the character that has begun */
    uint8_t state, number;      /* inside an escape sequence, and its number */

    /* What is on the terminal already. */
    bool begun;                 /* the start of this line */
    bool returning;             /* a carriage return not carried out yet */
    unsigned column;            /* where the cursor stands, from the prefix on: at least there */
};

/* A byte of the guest's, any but a line feed: filtered, and appended. What is there is shown if it has no room left. */
void console_line_add(struct domain *d, struct console_line *l, char c);
void console_line_end(struct domain *d, struct console_line *l);    /* what has begun ends with the line */
void console_line_start(struct console_line *l);                    /* it begins anew on the terminal */
void console_line_show(struct console_line *l);                     /* its text goes to the terminal */

#endif
