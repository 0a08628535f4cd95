/* The guest's symbols: a sorted array, filled from text (System.map, what nm prints, a saved
 * /proc/kallsyms) or from an ELF file for x86-64, read by elfutils' libelf: .symtab; where that was
 * stripped, the tables of a Linux kernel (kallsyms.c); where the file is no kernel, .dynsym.
 * Several files may be loaded, one after the other. Called by main.c, and by the decoder for each
 * address that it shows. */
#include "tools/pvtrace/pvtrace.h"

#include <ctype.h>
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "common/compiler.h"

#define GROW_BY 4096u
#define NEAR (1ull << 20)         /* farther than this below an address, a symbol is not about it */

struct symbol {
    uint64_t va;
    unsigned rank, order;               /* order: in which it was added */
    char *name;
};

static struct symbol *symbols;
static size_t nr_symbols;

/* The better the rank (0 is best), the sooner it names an address that has several. */
static void symbol_add(uint64_t va, const char *name, size_t len, unsigned rank)
{
    struct symbol *s;

    len = MIN(len, MAX_SYMBOL_NAME);
    if (len == 0)
        return;
    if (nr_symbols % GROW_BY == 0)
        symbols = reallocarray(symbols, nr_symbols + GROW_BY, sizeof(*symbols));
    if (symbols == NULL)
        errx(EXIT_TROUBLE, "out of memory");
    s = &symbols[nr_symbols];
    *s = (struct symbol){ .va = va, .rank = rank, .order = (unsigned)nr_symbols++,
                          .name = xcalloc(len + 1, 1) };
    for (size_t i = 0; i < len; i++)    /* a file's bytes on somebody's terminal */
        s->name[i] = isgraph((unsigned char)name[i]) ? name[i] : '?';
}

void symbol_add_kind(uint64_t va, char kind, const char *name, size_t len)
{
    static const char kinds[] = "TtWwVvDdBbRrGgSsiu";
    const char *known = kind != '\0' ? strchr(kinds, kind) : NULL;

    if (known != NULL)
        symbol_add(va, name, len, (unsigned)(known - kinds));
}

static int by_address(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;

    if (x->va != y->va)
        return x->va < y->va ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* One symbol an address: the best. */
static void sort_symbols(void)
{
    size_t kept = 0;

    if (nr_symbols != 0)
        qsort(symbols, nr_symbols, sizeof(*symbols), by_address);
    for (size_t i = 0; i < nr_symbols; i++)
        if (kept == 0 || symbols[kept - 1].va != symbols[i].va)
            symbols[kept++] = symbols[i];
        else
            free(symbols[i].name);
    nr_symbols = kept;
}

/* --- Text ------------------------------------------------------------------------------------- */
/* "ffffffff81000000 T _text", perhaps with a tab and the module behind it. The address of Debian's
 * System.map, which is one line that names a package, is no symbol's; nor is 0, which all are in a
 * /proc/kallsyms that was not read by root. */
static void parse_line(const char *line)
{
    char *end;
    uint64_t va = strtoull(line, &end, 16);

    if (!isxdigit((unsigned char)line[0]) || *end != ' ' || end[1] == '\0' || end[2] != ' ')
        return;
    if (va != 0 && va != UINT64_MAX)
        symbol_add_kind(va, end[1], end + 3, strcspn(end + 3, " \t\r\n"));
}

static const char *symbols_from_text(FILE *f)
{
    char line[1024];
    bool at_start = true;

    while (fgets(line, sizeof(line), f) != NULL) {
        if (at_start)
            parse_line(line);
        at_start = strchr(line, '\n') != NULL;  /* the rest of a long line is not the next line */
    }
    return ferror(f) ? strerror(errno) : NULL;
}

/* --- ELF -------------------------------------------------------------------------------------- */
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

static const char *symbols_from_elf(int fd)
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

/* --- Loading, finding ------------------------------------------------------------------------- */
bool symbols_load(const char *path)
{
    FILE *f = fopen(path, "re");
    size_t before = nr_symbols;
    const char *wrong;
    int first;

    if (f == NULL) {
        warn("%s", path);
        return false;
    }
    first = ungetc(getc(f), f);
    if (first == 'M')
        wrong = "a packed kernel: tools/unpack-kernel makes the ELF file of it";
    else
        wrong = first == '\177' ? symbols_from_elf(fileno(f)) : symbols_from_text(f);
    fclose(f);
    if (wrong != NULL)
        warnx("%s: %s", path, wrong);
    else if (nr_symbols == before)
        warnx("%s: no symbols in it; use the kernel's ELF file (a stripped vmlinux will do), or "
              "what root sees in the guest's /proc/kallsyms", path);
    sort_symbols();
    return wrong == NULL;
}

const char *symbol_at(uint64_t va, uint64_t *distance)
{
    size_t low = 0, high = nr_symbols;

    while (low < high) {                /* the first above va */
        size_t middle = low + (high - low) / 2;

        if (symbols[middle].va <= va)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || va - symbols[low - 1].va >= NEAR)
        return NULL;
    *distance = va - symbols[low - 1].va;
    return symbols[low - 1].name;
}
