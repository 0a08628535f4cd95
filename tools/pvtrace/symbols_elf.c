/* Takes the symbols out of an ELF file for x86-64. The file may be anything: each offset, size and index
 * in it is checked against the file's size before it is used. */
#include "tools/pvtrace/symbols.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct image {
    const unsigned char *bytes;
    uint64_t size;
};

/* NULL: not all of [offset, offset + len) is in the file. */
static const void *part(const struct image *im, uint64_t offset, uint64_t len)
{
    return offset <= im->size && len <= im->size - offset ? im->bytes + offset : NULL;
}

/* Section headers may lie at any address: they are copied, not cast. */
static bool section(const struct image *im, const Elf64_Ehdr *eh, uint64_t index, Elf64_Shdr *sh)
{
    const void *p;

    if (eh->e_shentsize < sizeof(*sh) || index > UINT32_MAX || eh->e_shoff > im->size)
        return false;
    p = part(im, eh->e_shoff + index * eh->e_shentsize, sizeof(*sh));
    if (p != NULL)
        memcpy(sh, p, sizeof(*sh));
    return p != NULL;
}

/* Functions before other things, global before local. */
static unsigned rank_of(const Elf64_Sym *sym)
{
    return (ELF64_ST_TYPE(sym->st_info) == STT_FUNC ? 0u : 2u) + (ELF64_ST_BIND(sym->st_info) == STB_LOCAL);
}

static bool is_place(const Elf64_Sym *sym)
{
    unsigned type = ELF64_ST_TYPE(sym->st_info);

    return (type == STT_NOTYPE || type == STT_OBJECT || type == STT_FUNC || type == STT_GNU_IFUNC) &&
           sym->st_shndx != SHN_UNDEF && (sym->st_shndx < SHN_LORESERVE || sym->st_shndx == SHN_XINDEX);
}

static const char *take_table(const struct image *im, const Elf64_Ehdr *eh, const Elf64_Shdr *table)
{
    Elf64_Shdr strings;
    const unsigned char *syms = part(im, table->sh_offset, table->sh_size);
    const char *names;
    uint64_t step = table->sh_entsize;

    if (syms == NULL || step < sizeof(Elf64_Sym))
        return "its symbol table is not all in the file";
    if (!section(im, eh, table->sh_link, &strings) || strings.sh_type != SHT_STRTAB)
        return "its symbol table has no strings";
    names = part(im, strings.sh_offset, strings.sh_size);
    if (names == NULL)
        return "its symbols' strings are not all in the file";
    for (uint64_t at = 0; at < table->sh_size && table->sh_size - at >= sizeof(Elf64_Sym); at += step) {
        Elf64_Sym sym;
        uint64_t most;

        memcpy(&sym, syms + at, sizeof(sym));
        if (is_place(&sym) && sym.st_name < strings.sh_size) {
            most = strings.sh_size - sym.st_name;
            if (most > MAX_SYMBOL_NAME)
                most = MAX_SYMBOL_NAME;
            if (!symbol_add(sym.st_value, names + sym.st_name, strnlen(names + sym.st_name, most),
                            rank_of(&sym)))
                return "too many symbols";
        }
        if (step > table->sh_size - at)
            break;
    }
    return NULL;
}

/* .symtab, and only where there is none .dynsym. */
static const char *take_tables(const struct image *im)
{
    Elf64_Ehdr eh;
    Elf64_Shdr sh;
    uint64_t count;

    if (im->size < sizeof(eh))
        return "ends within its ELF header";
    memcpy(&eh, im->bytes, sizeof(eh));
    if (memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
        eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_machine != EM_X86_64)
        return "not an ELF file for x86-64";
    count = eh.e_shnum;
    if (count == 0 && section(im, &eh, 0, &sh))
        count = sh.sh_size;             /* more than fit into e_shnum */
    for (unsigned type = SHT_SYMTAB; type != 0; type = type == SHT_SYMTAB ? SHT_DYNSYM : 0)
        for (uint64_t i = 0; i < count && section(im, &eh, i, &sh); i++)
            if (sh.sh_type == type)
                return take_table(im, &eh, &sh);
    return "it has no symbol table";
}

const char *symbols_from_elf(int fd)
{
    struct image im;
    struct stat st;
    const char *wrong;
    void *map;

    if (fstat(fd, &st) != 0)
        return strerror(errno);
    if (st.st_size <= 0)
        return "not an ordinary file";
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return strerror(errno);
    im = (struct image) { .bytes = map, .size = (uint64_t)st.st_size };
    wrong = take_tables(&im);
    munmap(map, (size_t)st.st_size);
    return wrong;
}
