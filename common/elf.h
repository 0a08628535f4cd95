/* ELF64 files in memory: their load segments, notes, sections and texts, with all bounds checked.
 * The file is not changed and must stay where it is. The meaning of Xen's notes is
 * xen/boot/image.c's. */
#ifndef COMMON_ELF_H
#define COMMON_ELF_H

#include "common/compiler.h"
#include "common/elf64.h"

struct elf_segment {
    uint64_t offset, filesz;            /* inside the file */
    uint64_t paddr, memsz;              /* memsz >= filesz, paddr + memsz does not wrap */
};

/* Load segments may overlap: they are loaded in the order of their headers, and the last one
 * counts. All their bytes together are at most twice the range around them, so that a file of many
 * headers costs no more than a large one. */
struct elf_file {
    const uint8_t *data;
    uint64_t size;
    uint64_t entry;
    uint64_t paddr_start, paddr_end;    /* around all load segments; not empty */
    uint64_t phoff, shoff;
    unsigned phnum, shnum, shstrndx;    /* tables that lie inside the file; else 0 entries */
};

struct elf_note {
    uint32_t type;
    const uint8_t *desc;                /* unaligned */
    uint32_t desc_len;
};

bool elf_magic(const void *data, uint64_t size);
/* Returns NULL, or why this is not an ELF64 x86-64 program that can be loaded. */
const char *elf_parse(struct elf_file *e, const void *data, uint64_t size);
/* Program header i, below phnum, as a load segment. False: it is not one. */
bool elf_segment(const struct elf_file *e, unsigned i, struct elf_segment *s);
/* Calls fn for every well-formed note of that owner in the PT_NOTE segments or, when it has none
 * there, in the SHT_NOTE sections. Returns how many there were. */
unsigned elf_for_each_note(const struct elf_file *e, const char *owner,
                           void (*fn)(void *ctx, const struct elf_note *n), void *ctx);
/* The text at p, which is in the file; NULL: it has no NUL. */
const char *elf_text(const struct elf_file *e, const void *p);
/* The contents of the first section of that name; NULL: none, or not inside the file. */
const char *elf_section(const struct elf_file *e, const char *name, uint64_t *len);
/* Section header i, below shnum. */
struct elf64_shdr elf_section_header(const struct elf_file *e, unsigned i);

#endif
