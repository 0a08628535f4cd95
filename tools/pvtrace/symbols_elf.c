/* The symbols of an ELF file for x86-64, read by elfutils' libelf: .symtab; where that was
 * stripped, the tables of a Linux kernel (kallsyms.c); where the file is no kernel, .dynsym. Called
 * by symbols.c. */
#include "tools/pvtrace/symbols.h"

#include <gelf.h>
#include <string.h>

/* Functions before other things, global before local. */
static unsigned rank_of(const GElf_Sym *sym)
{
    return (GELF_ST_TYPE(sym->st_info) == STT_FUNC ? 0u : 2u) +
           (GELF_ST_BIND(sym->st_info) == STB_LOCAL);
}

static bool is_place(const GElf_Sym *sym)
{
    unsigned type = GELF_ST_TYPE(sym->st_info);

    return (type == STT_NOTYPE || type == STT_OBJECT || type == STT_FUNC ||
            type == STT_GNU_IFUNC) &&
           sym->st_shndx != SHN_UNDEF &&
           (sym->st_shndx < SHN_LORESERVE || sym->st_shndx == SHN_XINDEX);
}

/* False: there is no table of that type. */
static bool read_table(Elf *elf, GElf_Word type)
{
    Elf_Scn *section = NULL;
    Elf_Data *data;
    GElf_Shdr header;
    GElf_Sym sym;

    do
        section = elf_nextscn(elf, section);
    while (section != NULL && (gelf_getshdr(section, &header) == NULL || header.sh_type != type));
    data = section != NULL ? elf_getdata(section, NULL) : NULL;
    for (int i = 0; data != NULL && gelf_getsym(data, i, &sym) != NULL; i++) {
        const char *name = elf_strptr(elf, header.sh_link, sym.st_name);

        if (name != NULL && is_place(&sym))
            symbol_add(sym.st_value, name, strlen(name), rank_of(&sym));
    }
    return section != NULL;
}

static const char *read_elf(Elf *elf)
{
    size_t size = 0;
    const char *image;
    GElf_Ehdr header;

    if (gelf_getehdr(elf, &header) == NULL || gelf_getclass(elf) != ELFCLASS64 ||
        header.e_machine != EM_X86_64)
        return "not an ELF file for x86-64";
    if (read_table(elf, SHT_SYMTAB))
        return NULL;
    image = elf_rawfile(elf, &size);
    if (image == NULL || !symbols_from_kallsyms((const uint8_t *)image, size))
        read_table(elf, SHT_DYNSYM);
    return NULL;
}

const char *symbols_from_elf(int fd)
{
    const char *wrong;
    Elf *elf;

    elf_version(EV_CURRENT);
    elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    if (elf == NULL)
        return elf_errmsg(-1);
    wrong = read_elf(elf);
    elf_end(elf);
    return wrong;
}
