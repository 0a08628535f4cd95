/* Reads ELF64 files. No offset or size in a file is trusted: each is checked against the file's
 * size before it is used. Called by the domain builder (xen/boot/image.c, build.c) and xen.efi.
 * What notes mean is image.c's. */
#include "common/elf.h"
#include "common/string.h"

#define TEXT_MAX 4096u                  /* of a text inside the file: Xen reads no further */

static bool inside(const struct elf_file *e, uint64_t offset, uint64_t len)
{
    return len <= e->size && offset <= e->size - len;
}

static struct elf64_phdr program_header(const struct elf_file *e, unsigned i)
{
    struct elf64_phdr p;

    memcpy(&p, e->data + e->phoff + i * sizeof(p), sizeof(p));
    return p;
}

struct elf64_shdr elf_section_header(const struct elf_file *e, unsigned i)
{
    struct elf64_shdr s;

    memcpy(&s, e->data + e->shoff + i * sizeof(s), sizeof(s));
    return s;
}

bool elf_magic(const void *data, uint64_t size)
{
    return size >= 4 && memcmp(data, "\177ELF", 4) == 0;
}

static const char *check_header(struct elf_file *e)
{
    struct elf64_ehdr h;

    if (!elf_magic(e->data, e->size))
        return "not an ELF file";
    if (!inside(e, 0, sizeof(h)))
        return "truncated: the ELF header is cut";
    memcpy(&h, e->data, sizeof(h));
    if (h.ident[4] != ELF_CLASS_64)
        return "a 32-bit ELF file; only 64-bit kernels can be started";
    if (h.ident[5] != ELF_DATA_LSB || h.machine != ELF_MACHINE_X86_64)
        return "an ELF file for another processor";
    if (h.phnum == 0 || h.phentsize != sizeof(struct elf64_phdr))
        return "an ELF file without usable program headers";
    if (!inside(e, h.phoff, (uint64_t)h.phnum * sizeof(struct elf64_phdr)))
        return "truncated: the program headers lie beyond the end of the file";
    e->entry = h.entry;
    e->phoff = h.phoff;
    e->phnum = h.phnum;
    if (h.shentsize == sizeof(struct elf64_shdr) &&
        inside(e, h.shoff, (uint64_t)h.shnum * sizeof(struct elf64_shdr))) {
        e->shoff = h.shoff;
        e->shnum = h.shnum;
        e->shstrndx = h.shstrndx;
    }
    return NULL;
}

/* Segments without any permission are not loaded, as in Xen. */
bool elf_segment(const struct elf_file *e, unsigned i, struct elf_segment *s)
{
    struct elf64_phdr p = program_header(e, i);

    *s = (struct elf_segment){ p.offset, p.filesz, p.paddr, p.memsz };
    return p.type == PT_LOAD && (p.flags & PF_ANY) != 0;
}

static const char *check_segment(const struct elf_file *e, const struct elf_segment *s)
{
    if (s->filesz > s->memsz)
        return "a segment has more bytes in the file than in memory (filesz > memsz)";
    if (!inside(e, s->offset, s->filesz))
        return "truncated: a segment lies beyond the end of the file";
    if (s->paddr + s->memsz < s->paddr)
        return "a segment's address range wraps around";
    return NULL;
}

/* Empty segments also count for the range, as in Xen. */
static const char *check_segments(struct elf_file *e)
{
    uint64_t total = 0;
    bool too_many = false;

    for (unsigned i = 0; i < e->phnum; i++) {
        struct elf_segment s;
        const char *reason;

        if (!elf_segment(e, i, &s))
            continue;
        reason = check_segment(e, &s);
        if (reason != NULL)
            return reason;
        e->paddr_start = MIN(e->paddr_start, s.paddr);
        e->paddr_end = MAX(e->paddr_end, s.paddr + s.memsz);
        too_many |= total + s.memsz < total;
        total += s.memsz;
    }
    if (e->paddr_start >= e->paddr_end)
        return "an ELF file with nothing to load";
    if (too_many || total / 2 > e->paddr_end - e->paddr_start)
        return "its segments overlap too often";
    return NULL;
}

const char *elf_parse(struct elf_file *e, const void *data, uint64_t size)
{
    const char *reason;

    *e = (struct elf_file){ .data = data, .size = size, .paddr_start = UINT64_MAX };
    reason = check_header(e);
    return reason != NULL ? reason : check_segments(e);
}

const char *elf_text(const struct elf_file *e, const void *p)
{
    const uint8_t *text = p;
    uint64_t limit = MIN(e->size - (uint64_t)(text - e->data), TEXT_MAX);

    for (uint64_t i = 0; i < limit; i++)
        if (text[i] == '\0')
            return p;
    return NULL;
}

struct walk {
    const char *owner;
    void (*fn)(void *ctx, const struct elf_note *n);
    void *ctx;
    unsigned count;
};

/* Notes of one segment or section, up to the first that does not fit. The NUL behind an owner's
 * name may be counted in its length or be left to the padding: both are in use. */
static void walk_notes(struct walk *w, const uint8_t *p, uint64_t len)
{
    uint64_t owner_len = strlen(w->owner) + 1;
    struct elf64_nhdr h;

    while (len >= sizeof(h)) {
        uint64_t name_len, desc_len;
        const uint8_t *name = p + sizeof(h);

        memcpy(&h, p, sizeof(h));
        name_len = ALIGN_UP((uint64_t)h.namesz, 4ull);
        desc_len = ALIGN_UP((uint64_t)h.descsz, 4ull);
        len -= sizeof(h);
        if (name_len > len || h.descsz > len - name_len)
            break;
        if (name_len >= owner_len && memcmp(name, w->owner, owner_len) == 0) {
            w->fn(w->ctx, &(struct elf_note){ h.type, name + name_len, h.descsz });
            w->count++;
        }
        desc_len = MIN(desc_len, len - name_len);       /* the last one may lack its padding */
        p = name + name_len + desc_len;
        len -= name_len + desc_len;
    }
}

/* Some versions of binutils left the offset of a note segment 0: as in Xen, such a segment is
 * skipped. */
unsigned elf_for_each_note(const struct elf_file *e, const char *owner,
                           void (*fn)(void *ctx, const struct elf_note *n), void *ctx)
{
    struct walk w = { owner, fn, ctx, 0 };

    for (unsigned i = 0; i < e->phnum; i++) {
        struct elf64_phdr p = program_header(e, i);

        if (p.type == PT_NOTE && p.offset != 0 && inside(e, p.offset, p.filesz))
            walk_notes(&w, e->data + p.offset, p.filesz);
    }
    for (unsigned i = 0, nr = w.count == 0 ? e->shnum : 0; i < nr; i++) {
        struct elf64_shdr s = elf_section_header(e, i);

        if (s.type == SHT_NOTE && inside(e, s.offset, s.size))
            walk_notes(&w, e->data + s.offset, s.size);
    }
    return w.count;
}

const char *elf_section(const struct elf_file *e, const char *name, uint64_t *len)
{
    uint64_t need = strlen(name) + 1;
    struct elf64_shdr names;

    if (e->shstrndx >= e->shnum)
        return NULL;
    names = elf_section_header(e, e->shstrndx);
    if (!inside(e, names.offset, names.size))
        return NULL;
    for (unsigned i = 0; i < e->shnum; i++) {
        struct elf64_shdr s = elf_section_header(e, i);

        if (s.name >= names.size || names.size - s.name < need || !inside(e, s.offset, s.size))
            continue;
        if (memcmp(e->data + names.offset + s.name, name, need) == 0) {
            *len = s.size;
            return (const char *)e->data + s.offset;
        }
    }
    return NULL;
}
