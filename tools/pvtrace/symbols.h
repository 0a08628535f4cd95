/* Between the two files that read symbols: symbols.c collects and finds them, symbols_elf.c takes them
 * out of an ELF file. */
#ifndef PVTRACE_SYMBOLS_H
#define PVTRACE_SYMBOLS_H

#include "tools/pvtrace/pvtrace.h"

#define MAX_SYMBOL_NAME 255u            /* longer ones are cut */

/* name need not end with a NUL. The better the rank (0 is best), the sooner it names an address that has
 * several. False: no memory, or more than anybody has. */
bool symbol_add(uint64_t va, const char *name, size_t len, unsigned rank);
/* NULL: done (perhaps without any symbol in it). Else what is wrong with the file. */
const char *symbols_from_elf(int fd);

#endif
