/* One line of a guest's output: filtered and held back, then shown. */
#ifndef XEN_CONSOLE_LINE_H
#define XEN_CONSOLE_LINE_H

#include "common/utf8.h"

struct domain;

/* A guest can print by its PV console ring and by the hypercall console_io; each has a line of its
 * own. */
enum console_way { CONSOLE_BY_RING, CONSOLE_BY_CALL, NR_CONSOLE_WAYS };

/* More lines than a kernel prints before its console starts. */
#define CONSOLE_REMEMBERED 256u

struct console_line {
    /* Not shown yet: complete characters, and of the control characters \b, \r, \a, \t and
     * CLEAR. */
    char text[256];
    unsigned len;
    uint64_t since;             /* ns of the last write */
    struct utf8 utf8;           /* the character of which bytes are missing */
    uint8_t state, number;      /* of the escape sequence that is being read */
    uint32_t hash;              /* of the line so far, without carriage returns */

    /* Shown already. */
    bool begun;                 /* the start of this line */
    bool returning;             /* a carriage return that did not move the cursor yet */
    /* The cursor's, counted from behind the prefix; never more than the true one. */
    unsigned column;

    bool repeating;             /* the line before was not shown, as a repetition */
    /* Hashes of the last lines that came only this way; 0: none. */
    uint32_t hashes[CONSOLE_REMEMBERED];
    unsigned next;              /* index in hashes that is overwritten next */
};

/* Filters and appends one byte, which is not a line feed. Shows the text so far when there is no
 * room for it. */
void console_line_add(struct domain *d, struct console_line *l, char c);
/* Ends an incomplete character or sequence. */
void console_line_end(struct domain *d, struct console_line *l);
/* The line is complete. True: it is a repetition of other's. Otherwise its hash is remembered. */
bool console_line_repeats(struct console_line *l, struct console_line *other);
/* The cursor is right behind the prefix. */
void console_line_start(struct console_line *l);
/* Moves the text to the terminal. */
void console_line_show(struct console_line *l);

#endif
