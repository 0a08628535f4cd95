/* The symbols of an ELF file, in the form in which a BSD kernel expects them. */
#ifndef COMMON_ELF_SYMBOLS_H
#define COMMON_ELF_SYMBOLS_H

#include "common/elf.h"

/* The data that a BSD kernel with a BSD_SYMTAB note finds behind its image: an ELF file with only
 * the symbols, with its size in front, in the same form as Xen's (drawn in elf_symbols.c). */
#define ELF_SYMBOLS_HEAD 260u
struct elf_symbols {
    uint64_t bytes;                     /* of all; a multiple of 8; 0: the file has no symbols */
    struct elf64_shdr table, strings;   /* as in the file; both lie inside it */
};

/* Returns NULL, or why the symbols of this file cannot be loaded. */
const char *elf_symbols_find(const struct elf_file *e, struct elf_symbols *s);
/* The offsets of the table and of the strings in the whole. */
uint64_t elf_symbols_table_at(void);
uint64_t elf_symbols_strings_at(const struct elf_symbols *s);
/* Writes the part before the symbol table. */
void elf_symbols_head(const struct elf_file *e, const struct elf_symbols *s,
                      uint8_t head[ELF_SYMBOLS_HEAD]);

#endif
