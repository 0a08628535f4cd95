/* Owns the reading of ELF64 files: whatever a file says of itself is a claim, checked against the file's size
 * before it is used. Called by the domain builder on modules that nobody vouches for. */
#include "common/elf.h"
#include "common/string.h"

/* The System V ABI's structures, as far as they are read. */
struct ehdr {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
struct shdr {
    uint32_t name, type;
    uint64_t flags, addr, offset, size;
    uint32_t link, info;
    uint64_t addralign, entsize;
};
struct nhdr {
    uint32_t namesz, descsz, type;
};
_Static_assert(sizeof(struct ehdr) == 64 && sizeof(struct phdr) == 56 && sizeof(struct shdr) == 64, "ELF64");

#define CLASS_64 2
#define DATA_LSB 1
#define MACHINE_X86_64 62
#define PT_LOAD 1u
#define PT_NOTE 4u
#define SHT_NOTE 7u

static bool inside(const struct elf_file *e, uint64_t offset, uint64_t len)
{
    return len <= e->size && offset <= e->size - len;
}

static struct phdr program_header(const struct elf_file *e, unsigned i)
{
    struct phdr p;

    memcpy(&p, e->data + e->phoff + i * sizeof(p), sizeof(p));
    return p;
}

static struct shdr section_header(const struct elf_file *e, unsigned i)
{
    struct shdr s;

    memcpy(&s, e->data + e->shoff + i * sizeof(s), sizeof(s));
    return s;
}

bool elf_magic(const void *data, uint64_t size)
{
    return size >= 4 && memcmp(data, "\177ELF", 4) == 0;
}

static const char *check_header(struct elf_file *e)
{
    struct ehdr h;

    if (!elf_magic(e->data, e->size))
        return "not an ELF file";
    if (!inside(e, 0, sizeof(h)))
        return "truncated: the ELF header is cut";
    memcpy(&h, e->data, sizeof(h));
    if (h.ident[4] != CLASS_64)
        return "a 32-bit ELF file; only 64-bit PV kernels can be started";
    if (h.ident[5] != DATA_LSB || h.machine != MACHINE_X86_64)
        return "an ELF file for another processor";
    if (h.phnum == 0 || h.phentsize != sizeof(struct phdr))
        return "an ELF file without usable program headers";
    if (!inside(e, h.phoff, (uint64_t)h.phnum * sizeof(struct phdr)))
        return "truncated: the program headers lie beyond the end of the file";
    e->entry = h.entry;
    e->phoff = h.phoff;
    e->phnum = h.phnum;
    if (h.shentsize == sizeof(struct shdr) && inside(e, h.shoff, (uint64_t)h.shnum * sizeof(struct shdr))) {
        e->shoff = h.shoff;
        e->shnum = h.shnum;
        e->shstrndx = h.shstrndx;
    }
    return NULL;
}

static const char *add_segment(struct elf_file *e, const struct phdr *p)
{
    struct elf_segment s = { p->offset, p->filesz, p->paddr, p->memsz };

    if (s.filesz > s.memsz)
        return "a segment has more bytes in the file than in memory (filesz > memsz)";
    if (!inside(e, s.offset, s.filesz))
        return "truncated: a segment lies beyond the end of the file";
    if (s.paddr + s.memsz < s.paddr)
        return "a segment's address range wraps around";
    if (s.memsz == 0)
        return NULL;
    if (e->nr_segments == ELF_MAX_SEGMENTS)
        return "too many load segments";
    for (unsigned i = 0; i < e->nr_segments; i++)
        if (s.paddr < e->segment[i].paddr + e->segment[i].memsz && e->segment[i].paddr < s.paddr + s.memsz)
            return "two segments overlap";
    e->segment[e->nr_segments++] = s;
    e->paddr_start = MIN(e->paddr_start, s.paddr);
    e->paddr_end = MAX(e->paddr_end, s.paddr + s.memsz);
    return NULL;
}

const char *elf_parse(struct elf_file *e, const void *data, uint64_t size)
{
    const char *reason;

    *e = (struct elf_file){ .data = data, .size = size, .paddr_start = UINT64_MAX };
    reason = check_header(e);
    for (unsigned i = 0; reason == NULL && i < e->phnum; i++) {
        struct phdr p = program_header(e, i);

        if (p.type == PT_LOAD)
            reason = add_segment(e, &p);
    }
    if (reason == NULL && e->nr_segments == 0)
        reason = "an ELF file with nothing to load";
    return reason;
}

/* Notes of one segment or section, up to the first that does not fit. */
static unsigned walk_notes(const uint8_t *p, uint64_t len, void (*fn)(void *, const struct elf_note *), void *ctx)
{
    unsigned count = 0;
    struct nhdr h;

    while (len >= sizeof(h)) {
        uint64_t name_len, desc_len;
        const uint8_t *name = p + sizeof(h);

        memcpy(&h, p, sizeof(h));
        name_len = ALIGN_UP((uint64_t)h.namesz, 4ull);
        desc_len = ALIGN_UP((uint64_t)h.descsz, 4ull);
        len -= sizeof(h);
        if (name_len > len || h.descsz > len - name_len)
            break;
        if (h.namesz > 0 && name[h.namesz - 1] == '\0') {
            fn(ctx, &(struct elf_note){ h.type, (const char *)name, name + name_len, h.descsz });
            count++;
        }
        desc_len = MIN(desc_len, len - name_len);       /* the last one may lack its padding */
        p = name + name_len + desc_len;
        len -= name_len + desc_len;
    }
    return count;
}

unsigned elf_for_each_note(const struct elf_file *e, void (*fn)(void *ctx, const struct elf_note *n), void *ctx)
{
    unsigned count = 0;

    for (unsigned i = 0; i < e->phnum; i++) {
        struct phdr p = program_header(e, i);

        if (p.type == PT_NOTE && inside(e, p.offset, p.filesz))
            count += walk_notes(e->data + p.offset, p.filesz, fn, ctx);
    }
    for (unsigned i = 0, nr = count == 0 ? e->shnum : 0; i < nr; i++) {
        struct shdr s = section_header(e, i);

        if (s.type == SHT_NOTE && inside(e, s.offset, s.size))
            count += walk_notes(e->data + s.offset, s.size, fn, ctx);
    }
    return count;
}

const char *elf_section(const struct elf_file *e, const char *name, uint64_t *len)
{
    uint64_t need = strlen(name) + 1;
    struct shdr names;

    if (e->shstrndx >= e->shnum)
        return NULL;
    names = section_header(e, e->shstrndx);
    if (!inside(e, names.offset, names.size))
        return NULL;
    for (unsigned i = 0; i < e->shnum; i++) {
        struct shdr s = section_header(e, i);

        if (s.name >= names.size || names.size - s.name < need || !inside(e, s.offset, s.size))
            continue;
        if (memcmp(e->data + names.offset + s.name, name, need) == 0) {
            *len = s.size;
            return (const char *)e->data + s.offset;
        }
    }
    return NULL;
}
