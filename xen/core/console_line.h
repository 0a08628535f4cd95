/* One line of a guest's output, between its bytes and the terminal's. */
#ifndef XEN_CONSOLE_LINE_H
#define XEN_CONSOLE_LINE_H

#include "common/utf8.h"

struct domain;

/* A guest has two ways to print, and a line on each. */
enum console_way { CONSOLE_BY_RING, CONSOLE_BY_CALL, NR_CONSOLE_WAYS };

#define CONSOLE_REMEMBERED 256u          /* more than a kernel says before its console is up, and then again */

struct console_line {
    /* What is not on the terminal yet: whole characters, and of the controls \b, \r, \a, \t and CLEAR. */
    char text[256];
    unsigned len;
    uint64_t since;             /* ns when the last of it came */
    struct utf8 utf8;           /* the character that has begun */
    uint8_t state, number;      /* inside an escape sequence, and its number */
    uint32_t hash;              /* of all of the line so far, but for carriage returns */

    /* What is on the terminal already. */
    bool begun;                 /* the start of this line */
    bool returning;             /* a carriage return not carried out yet */
    unsigned column;            /* where the cursor stands, from the prefix on: at least there */

    bool repeating;             /* the line before was not shown, for it had come the other way */
    uint32_t said[CONSOLE_REMEMBERED];  /* hashes of the last lines that came only this way; 0: none */
    unsigned next;              /* of said, to be overwritten */
};

/* A byte of the guest's, any but a line feed: filtered, and appended. What is there is shown if it has no room left. */
void console_line_add(struct domain *d, struct console_line *l, char c);
void console_line_end(struct domain *d, struct console_line *l);    /* what has begun ends with the line */
/* The line is whole: it came the other way before, or else is remembered. */
bool console_line_repeats(struct console_line *l, struct console_line *other);
void console_line_start(struct console_line *l);                    /* it begins anew on the terminal */
void console_line_show(struct console_line *l);                     /* its text goes to the terminal */

#endif
