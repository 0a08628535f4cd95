/* What every part of the reader may need: memory that is there or ends the program, and complaints
 * that end it. Nothing here knows of traces. */
#ifndef PVTRACE_UTIL_H
#define PVTRACE_UTIL_H

#include <stddef.h>

#define EXIT_DAMAGED 1              /* the input was; what could be read of it was shown */
#define EXIT_TROUBLE 2              /* usage, a file that cannot be opened or written, no memory */

/* "pvtrace: ...", then exit(EXIT_TROUBLE). */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void *xcalloc(size_t n, size_t size);
/* The array with room for at least `wanted` elements; *room is doubled as often as it takes. */
void *xgrow(void *array, size_t *room, size_t wanted, size_t size);

#endif
