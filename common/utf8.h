/* UTF-8, one byte after the other: what is a character, how many columns it takes, and which ones
 * are not for a terminal that shows several parties' lines. The caller keeps the state; zeroed it
 * is between two characters. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include "common/compiler.h"

#define UTF8_REPLACEMENT "\xef\xbf\xbd"         /* U+FFFD */

struct utf8 {
    uint32_t code;              /* so far; whole after UTF8_WHOLE */
    uint8_t left;               /* bytes that have to follow; 0: between two characters */
    uint8_t len;                /* bytes so far */
    char bytes[4];
};

enum utf8_result {
    UTF8_MORE,                  /* the character goes on */
    UTF8_WHOLE,                 /* code, and bytes[0..len) */
    /* no character ends here: stray, overlong, a surrogate, beyond U+10FFFF */
    UTF8_BAD,
    /* the bytes before this one are no character; this one is to be fed again */
    UTF8_CUT,
};
enum utf8_result utf8_feed(struct utf8 *u, char c);

/* C1 controls, and those that turn the direction of text or begin a line: a terminal may obey
 *    them. */
bool utf8_steers(uint32_t code);
/* Columns on a terminal, at least: 0 where a character may be one that joins the one before. */
unsigned utf8_columns(uint32_t code);

#endif
