/* Between symbols.c, which collects and finds symbols, and kallsyms.c, which reads those that a
 * Linux kernel carries in its memory. */
#ifndef PVTRACE_SYMBOLS_H
#define PVTRACE_SYMBOLS_H

#include "tools/pvtrace/pvtrace.h"

#define MAX_SYMBOL_NAME 255u            /* longer ones are cut */

/* By nm's letter for what it is, of which some (absolute, undefined) are no places: not added.
 * name need not end with a NUL. */
void symbol_add_kind(uint64_t va, char kind, const char *name, size_t len);
/* Are there such tables in these bytes? Then their symbols are added. */
bool symbols_from_kallsyms(const uint8_t *image, size_t size);

#endif
