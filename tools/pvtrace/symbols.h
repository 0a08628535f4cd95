/* Between the files that read symbols: symbols.c collects and finds them and reads text,
 * symbols_elf.c reads an ELF file's tables, kallsyms.c those that a Linux kernel carries in its
 * memory. */
#ifndef PVTRACE_SYMBOLS_H
#define PVTRACE_SYMBOLS_H

#include "tools/pvtrace/pvtrace.h"

#define MAX_SYMBOL_NAME 255u            /* longer ones are cut */

/* name need not end with a NUL. The better the rank (0 is best), the sooner it names an address
 * that has several. */
void symbol_add(uint64_t va, const char *name, size_t len, unsigned rank);
/* By nm's letter for what it is, of which some (absolute, undefined) are no places: not added. */
void symbol_add_kind(uint64_t va, char kind, const char *name, size_t len);
/* NULL: done (perhaps without any symbol in it). Else what is wrong with the file. */
const char *symbols_from_elf(int fd);
/* Are there such tables in these bytes? Then their symbols are added. */
bool symbols_from_kallsyms(const uint8_t *image, size_t size);

#endif
