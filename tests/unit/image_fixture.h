/* A tiny kernel whose notes, sections and headers the test writes. Included by test_image.c and
 * test_image_build.c. */
#ifndef IMAGE_FIXTURE_H
#define IMAGE_FIXTURE_H

#include <string.h>
#include "common/elf64.h"
#include "support.h"
#include "xen/core/domain.h"

#define ENTRY_AT 0x40u

static struct tiny_elf elf;
static uint8_t *tail;                   /* where put() appends, in the space of the text */
static struct elf64_shdr *sections;     /* at the end of that space */

static inline uint64_t put(const void *data, size_t len)
{
    uint64_t offset = (uint64_t)(tail - (uint8_t *)&elf);

    memcpy(tail, data, len);
    tail += ALIGN_UP(len, 8);
    return offset;
}

static inline unsigned add_section(const char *name, uint32_t type, const void *data, uint64_t len,
                                   uint32_t link)
{
    unsigned i = elf.eh.shnum++;

    sections[i] = (struct elf64_shdr){
        .type = type, .link = link, .offset = put(data, len), .size = len,
    };
    sections[i].name = (uint32_t)(put(name, strlen(name) + 1) - sections[1].offset);
    return i;
}

static inline void note(uint32_t type, const char *text)
{
    elf_add_note(&elf, type, text, (uint32_t)strlen(text) + 1);
}

/* The kernel at address 0, with a section table and without notes. */
static inline void bare(void)
{
    elf_make(&elf);
    elf.load.vaddr = 0;
    elf.load.filesz = 0x800;            /* the tables below are no part of the image */
    elf.eh.entry = ENTRY_AT;
    elf.note.filesz = 0;
    memset(elf.notes, 0, sizeof(elf.notes));
    tail = elf.text + 0x800;
    sections = (struct elf64_shdr *)(elf.text + sizeof(elf.text) - 8 * sizeof(*sections));
    memset(tail, 0, sizeof(elf.text) - 0x800);
    elf.eh.shoff = (uint64_t)((uint8_t *)sections - (uint8_t *)&elf);
    elf.eh.shentsize = sizeof(*sections);
    elf.eh.shnum = 2;
    elf.eh.shstrndx = 1;
    sections[1] = (struct elf64_shdr){
        .type = SHT_STRTAB, .offset = (uint64_t)(tail - (uint8_t *)&elf), .size = 0x400,
    };
}

/* The four notes that a kernel of the Mini-OS family has. */
static inline void four_notes(void)
{
    bare();
    note(XEN_ELFNOTE_GUEST_OS, "Mini-OS");
    note(XEN_ELFNOTE_LOADER, "generic");
    elf_add_number(&elf, XEN_ELFNOTE_HYPERCALL_PAGE, 0x1000);
    note(XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
}

/* Program header i after the two that exist already. */
static inline struct elf64_phdr *more_header(unsigned i)
{
    elf.eh.phnum = (uint16_t)MAX(elf.eh.phnum, 3 + i);
    return (struct elf64_phdr *)elf.gap + i;
}

#endif
