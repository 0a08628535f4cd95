/* The guest's symbols: a sorted array, filled from text (System.map, what nm prints, a saved
 * /proc/kallsyms) or from an ELF file (symbols_elf.c, kallsyms.c). Several files may be loaded, one
 * after the other. Called by main.c, and by the decoder for each address that it shows. */
#include "tools/pvtrace/symbols.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/compiler.h"
#include "tools/pvtrace/util.h"

#define NEAR (1ull << 20)         /* farther than this below an address, a symbol is not about it */

struct symbol {
    uint64_t va;
    size_t name;                        /* in names */
    unsigned rank;
};

static struct symbol *symbols;
static size_t nr_symbols, room_symbols;
static char *names;
static size_t names_used, names_room;

/* Where the last addresses asked for are: traces ask for the same few over and over. */
static struct {
    uint64_t va;
    size_t after;                       /* 1 + index of the symbol; 0: empty */
} cache[1024];

void symbol_add(uint64_t va, const char *name, size_t len, unsigned rank)
{
    len = MIN(len, MAX_SYMBOL_NAME);
    if (len == 0)
        return;
    symbols = xgrow(symbols, &room_symbols, nr_symbols + 1, sizeof(*symbols));
    names = xgrow(names, &names_room, names_used + len + 1, 1);
    symbols[nr_symbols++] = (struct symbol){ .va = va, .name = names_used, .rank = rank };
    for (size_t i = 0; i < len; i++)    /* a file's bytes on somebody's terminal */
        names[names_used++] = isgraph((unsigned char)name[i]) ? name[i] : '?';
    names[names_used++] = '\0';
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
    return x->name < y->name ? -1 : x->name > y->name;
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
    nr_symbols = kept;
    memset(cache, 0, sizeof(cache));
}

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

bool symbols_load(const char *path)
{
    FILE *f = fopen(path, "re");
    size_t before = nr_symbols;
    const char *wrong;
    int first;

    if (f == NULL) {
        fprintf(stderr, "pvtrace: %s: %s\n", path, strerror(errno));
        return false;
    }
    first = ungetc(getc(f), f);
    if (first == 'M')
        wrong = "a packed kernel: tools/unpack-kernel makes the ELF file of it";
    else
        wrong = first == '\177' ? symbols_from_elf(fileno(f)) : symbols_from_text(f);
    fclose(f);
    if (wrong != NULL)
        fprintf(stderr, "pvtrace: %s: %s\n", path, wrong);
    else if (nr_symbols == before)
        fprintf(stderr, "pvtrace: %s: no symbols in it; use the kernel's ELF file (a stripped vmlinux will "
                "do), or what root sees in the guest's /proc/kallsyms\n", path);
    sort_symbols();
    return wrong == NULL;
}

const char *symbol_at(uint64_t va, uint64_t *distance)
{
    unsigned slot = (unsigned)((va ^ va >> 10) & (ARRAY_SIZE(cache) - 1));
    size_t low = 0, high = nr_symbols;

    if (nr_symbols == 0)
        return NULL;
    if (cache[slot].after != 0 && cache[slot].va == va) {
        low = cache[slot].after;
    } else {
        while (low < high) {            /* the first above va */
            size_t middle = low + (high - low) / 2;

            if (symbols[middle].va <= va)
                low = middle + 1;
            else
                high = middle;
        }
        cache[slot].va = va;
        cache[slot].after = low;
    }
    if (low == 0 || va - symbols[low - 1].va >= NEAR)
        return NULL;
    *distance = va - symbols[low - 1].va;
    return names + symbols[low - 1].name;
}
