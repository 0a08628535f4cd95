/* The symbols of an ELF file, in the form in which a BSD kernel expects them. */
#ifndef COMMON_ELF_SYMBOLS_H
#define COMMON_ELF_SYMBOLS_H

#include "common/elf.h"

/* What a BSD kernel finds behind itself when it asks for its symbols: an image of an ELF file that
 * has nothing but them, made as Xen makes it, with the number of its bytes in front (elf_symbols.c
 * draws it). */
#define ELF_SYMBOLS_HEAD 260u
struct elf_symbols {
    uint64_t bytes;                     /* of all; a multiple of 8; 0: the file has no symbols */
    struct elf64_shdr table, strings;   /* as in the file; both lie inside it */
};

/* NULL, or why the symbols of this file cannot be loaded. */
const char *elf_symbols_find(const struct elf_file *e, struct elf_symbols *s);
/* Where the table and the strings go, counted from the start of all. */
uint64_t elf_symbols_table_at(void);
uint64_t elf_symbols_strings_at(const struct elf_symbols *s);
/* Writes what stands before them, at the start of all. */
void elf_symbols_head(const struct elf_file *e, const struct elf_symbols *s,
                      uint8_t head[ELF_SYMBOLS_HEAD]);

#endif
