/* The symbols of a kernel whose BSD_SYMTAB note asks for them. They are copied behind the kernel,
 * to the next multiple of 8, in this form:
 *
 *   0    number of the bytes from 4 on to the end of the strings, 32 bits
 *   4    the file's ELF header, without program headers and with three sections
 *   68   the sections' headers: none, the symbol table, its strings; offsets are counted from the
 *        ELF header
 *   264  the symbol table
 *   ...  its strings, at the next multiple of 8
 *
 * Called by the loader of kernels (xen/boot/image.c, xen/boot/build.c). */
#include "common/elf.h"
#include "common/elf_symbols.h"
#include "common/string.h"

#define SECTIONS 3u                     /* none, symbols, strings */
#define ROUND 8u

struct head {
    uint32_t bytes;
    struct elf64_ehdr header;
    struct elf64_shdr section[SECTIONS];
} __attribute__((packed));
_Static_assert(sizeof(struct head) == ELF_SYMBOLS_HEAD, "no padding");

static bool inside(const struct elf_file *e, const struct elf64_shdr *s)
{
    return s->size <= e->size && s->offset <= e->size - s->size;
}

/* The first symbol table with a string table. A file has at most one; a table whose link is not to
 * strings is ignored, as in Xen. */
const char *elf_symbols_find(const struct elf_file *e, struct elf_symbols *s)
{
    *s = (struct elf_symbols){ .bytes = 0 };
    for (unsigned i = 1; i < e->shnum; i++) {
        s->table = elf_section_header(e, i);
        if (s->table.type != SHT_SYMTAB || s->table.link >= e->shnum)
            continue;
        s->strings = elf_section_header(e, s->table.link);
        if (s->strings.type != SHT_STRTAB)
            return NULL;
        if (!inside(e, &s->table) || !inside(e, &s->strings))
            return "truncated: its symbols, which its notes ask for, lie beyond the end of the "
                   "file";
        s->bytes = ALIGN_UP(elf_symbols_strings_at(s) + s->strings.size, ROUND);
        return NULL;
    }
    return NULL;
}

uint64_t elf_symbols_table_at(void)
{
    return ALIGN_UP(sizeof(struct head), ROUND);
}

uint64_t elf_symbols_strings_at(const struct elf_symbols *s)
{
    return ALIGN_UP(elf_symbols_table_at() + s->table.size, ROUND);
}

void elf_symbols_head(const struct elf_file *e, const struct elf_symbols *s,
                      uint8_t to[ELF_SYMBOLS_HEAD])
{
    struct head h = { .section = { [1] = s->table, [2] = s->strings } };
    uint64_t start = offsetof(struct head, header);

    memcpy(&h.header, e->data, sizeof(h.header));
    h.bytes = (uint32_t)(elf_symbols_strings_at(s) + s->strings.size - start);
    h.header.phoff = 0;
    h.header.phnum = h.header.phentsize = 0;
    h.header.shoff = offsetof(struct head, section) - start;
    h.header.ehsize = sizeof(h.header);
    h.header.shentsize = sizeof(h.section[0]);
    h.header.shnum = SECTIONS;
    h.header.shstrndx = 0;
    h.section[1].offset = elf_symbols_table_at() - start;
    h.section[1].link = 2;
    h.section[2].offset = elf_symbols_strings_at(s) - start;
    memcpy(to, &h, sizeof(h));
}
