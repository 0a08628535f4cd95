/* Owns the guest's symbols: a sorted array, filled from System.map, from what nm prints, or from an ELF
 * file's symbol table (symbols_elf.c). Several files may be loaded, one after the other. */
#include "tools/pvtrace/symbols.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/compiler.h"

#define NEAR (1ull << 20)               /* farther than this below an address, a symbol is not about it */
#define MAX_SYMBOLS (1u << 23)
#define MAX_NAME_BYTES (1u << 30)

struct symbol {
    uint64_t va;
    uint32_t name;                      /* in names */
    uint32_t rank;
};

static struct symbol *symbols;
static uint32_t nr_symbols, room_symbols;
static char *names;
static uint32_t names_used, names_room;

/* Where the last addresses asked for are: traces ask for the same few over and over. */
static struct {
    uint64_t va;
    uint32_t after;                     /* 1 + index of the symbol; 0: empty */
} cache[1024];

/* array with room for wanted elements; NULL: there will never be that much, and array is as it was. */
static void *grow(void *array, uint32_t *room, uint32_t wanted, uint32_t most, size_t size)
{
    uint32_t more = *room != 0 ? *room : 4096;
    void *bigger;

    if (wanted <= *room)
        return array;
    if (wanted > most)
        return NULL;
    while (more < wanted)
        more *= 2;
    bigger = realloc(array, more * size);
    if (bigger != NULL)
        *room = more;
    return bigger;
}

bool symbol_add(uint64_t va, const char *name, size_t len, unsigned rank)
{
    struct symbol *more_symbols;
    char *more_names;

    len = MIN(len, MAX_SYMBOL_NAME);
    if (len == 0)
        return true;
    more_symbols = grow(symbols, &room_symbols, nr_symbols + 1, MAX_SYMBOLS, sizeof(*symbols));
    if (more_symbols == NULL)
        return false;
    symbols = more_symbols;
    more_names = grow(names, &names_room, names_used + (uint32_t)len + 1, MAX_NAME_BYTES, 1);
    if (more_names == NULL)
        return false;
    names = more_names;
    symbols[nr_symbols++] = (struct symbol) { .va = va, .name = names_used, .rank = rank };
    for (size_t i = 0; i < len; i++)    /* a file's bytes on somebody's terminal */
        names[names_used++] = isgraph((unsigned char)name[i]) ? name[i] : '?';
    names[names_used++] = '\0';
    return true;
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
    uint32_t kept = 0;

    if (nr_symbols != 0)
        qsort(symbols, nr_symbols, sizeof(*symbols), by_address);
    for (uint32_t i = 0; i < nr_symbols; i++)
        if (kept == 0 || symbols[kept - 1].va != symbols[i].va)
            symbols[kept++] = symbols[i];
    nr_symbols = kept;
    memset(cache, 0, sizeof(cache));
}

/* "ffffffff81000000 T _text", perhaps with a tab and the module behind it. Absolute and undefined symbols
 * are no places. */
static bool take_line(const char *line)
{
    static const char kinds[] = "TtWwVvDdBbRrGgSsiu";
    char *end;
    uint64_t va = strtoull(line, &end, 16);
    const char *kind;
    unsigned rank;

    if (!isxdigit((unsigned char)line[0]) || end == line || *end != ' ' || end[1] == '\0' || end[2] != ' ')
        return true;
    kind = strchr(kinds, end[1]);
    if (kind == NULL)
        return true;
    rank = (unsigned)(kind - kinds);
    return symbol_add(va, end + 3, strcspn(end + 3, " \t\r\n"), rank);
}

static const char *symbols_from_text(FILE *f)
{
    char line[1024];
    bool at_start = true;

    while (fgets(line, sizeof(line), f) != NULL) {
        bool whole = strchr(line, '\n') != NULL;

        if (at_start && !take_line(line))
            return "too many symbols";
        at_start = whole;               /* the rest of a line that is too long is not the next line */
    }
    return ferror(f) ? strerror(errno) : NULL;
}

bool symbols_load(const char *path)
{
    FILE *f = fopen(path, "re");
    uint32_t before = nr_symbols;
    const char *wrong;
    int first;

    if (f == NULL) {
        fprintf(stderr, "pvtrace: %s: %s\n", path, strerror(errno));
        return false;
    }
    first = getc(f);
    if (first == '\177') {
        wrong = symbols_from_elf(fileno(f));
    } else {
        ungetc(first, f);
        wrong = symbols_from_text(f);
    }
    fclose(f);
    if (wrong == NULL && nr_symbols == before)
        wrong = "no symbols in it";
    sort_symbols();
    if (wrong != NULL)
        fprintf(stderr, "pvtrace: %s: %s\n", path, wrong);
    return wrong == NULL;
}

const char *symbol_at(uint64_t va, uint64_t *distance)
{
    unsigned slot = (unsigned)((va ^ va >> 10) & (ARRAY_SIZE(cache) - 1));
    uint32_t low = 0, high = nr_symbols;

    if (nr_symbols == 0)
        return NULL;
    if (cache[slot].after != 0 && cache[slot].va == va) {
        low = cache[slot].after;
    } else {
        while (low < high) {            /* the first above va */
            uint32_t middle = low + (high - low) / 2;

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
