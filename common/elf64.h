/* The structures of a 64-bit ELF file, as far as they are read or written here (System V ABI). */
#ifndef COMMON_ELF64_H
#define COMMON_ELF64_H

#include <stdint.h>

struct elf64_ehdr {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct elf64_phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
struct elf64_shdr {
    uint32_t name, type;
    uint64_t flags, addr, offset, size;
    uint32_t link, info;
    uint64_t addralign, entsize;
};
struct elf64_nhdr {
    uint32_t namesz, descsz, type;
};
_Static_assert(sizeof(struct elf64_ehdr) == 64 && sizeof(struct elf64_phdr) == 56 &&
                   sizeof(struct elf64_shdr) == 64,
               "ELF64");

#define ELF_CLASS_64 2
#define ELF_DATA_LSB 1
#define ELF_MACHINE_X86_64 62
#define PT_LOAD 1u
#define PT_NOTE 4u
#define PF_ANY 7u                       /* readable, writable or executable */
#define SHT_SYMTAB 2u
#define SHT_STRTAB 3u
#define SHT_NOTE 7u

#endif
