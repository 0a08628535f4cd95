/* UTF-8, decoded byte by byte: where a character ends, how many columns it has, and whether it is a
 * control character for a terminal. The caller keeps the state; all zero, it is between two
 * characters. */
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
    /* invalid: a stray byte, overlong, a surrogate, beyond U+10FFFF */
    UTF8_BAD,
    /* The bytes before this one are incomplete; feed this one again. */
    UTF8_CUT,
};
enum utf8_result utf8_feed(struct utf8 *u, char c);

/* C1 controls, and characters that change the direction of text or begin a line. */
bool utf8_steers(uint32_t code);
/* The least number of columns on a terminal: 0 for a character that may combine with the one
 * before. */
unsigned utf8_columns(uint32_t code);

#endif
