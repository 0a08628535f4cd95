/* ELF64 files in memory: their load segments, notes and sections, every bound checked once, here. Knows
 * nothing of what the notes mean. The file is not changed and must stay where it is. */
#ifndef COMMON_ELF_H
#define COMMON_ELF_H

#include "common/compiler.h"

#define ELF_MAX_SEGMENTS 16u

struct elf_segment {
    uint64_t offset, filesz;            /* inside the file */
    uint64_t paddr, memsz;              /* memsz >= filesz, paddr + memsz does not wrap */
};

struct elf_file {
    const uint8_t *data;
    uint64_t size;
    uint64_t entry;
    unsigned nr_segments;
    struct elf_segment segment[ELF_MAX_SEGMENTS];   /* PT_LOAD with memsz > 0; no two overlap */
    uint64_t paddr_start, paddr_end;                /* around all of them */
    uint64_t phoff, shoff;
    unsigned phnum, shnum, shstrndx;                /* tables that lie inside the file; else 0 entries */
};

struct elf_note {
    uint32_t type;
    const char *owner;                  /* NUL-terminated */
    const uint8_t *desc;                /* unaligned */
    uint32_t desc_len;
};

bool elf_magic(const void *data, uint64_t size);
/* NULL, or why this is no ELF64 x86-64 program that could be loaded. */
const char *elf_parse(struct elf_file *e, const void *data, uint64_t size);
/* Calls fn for every well-formed note of the PT_NOTE segments or, when there is none, of the SHT_NOTE
 * sections. Returns how many there were. */
unsigned elf_for_each_note(const struct elf_file *e, void (*fn)(void *ctx, const struct elf_note *n), void *ctx);
/* The contents of the first section of that name; NULL: none, or not inside the file. */
const char *elf_section(const struct elf_file *e, const char *name, uint64_t *len);

#endif
