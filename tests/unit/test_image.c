/* Kernel files of other build systems: each form of notes, and of files that no usual linker
 * writes, gives what Xen gives. The expected values come from Xen's own library for such files. */
#include "cmocka_main.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/elf64.h"
#include "support.h"
#include "common/elf_symbols.h"
#include "xen/boot/build.h"
#include "xen/boot/image.h"
#include "xen/boot/module_words.h"
#include "xen/core/domain.h"

#define ENTRY_AT 0x40u

static struct tiny_elf elf;
static uint8_t *tail;                   /* where put() goes on, in what would be text */
static struct elf64_shdr *sections;     /* at the end of it */

static uint64_t put(const void *data, size_t len)
{
    uint64_t offset = (uint64_t)(tail - (uint8_t *)&elf);

    memcpy(tail, data, len);
    tail += ALIGN_UP(len, 8);
    return offset;
}

static unsigned add_section(const char *name, uint32_t type, const void *data, uint64_t len,
                            uint32_t link)
{
    unsigned i = elf.eh.shnum++;

    sections[i] = (struct elf64_shdr){
        .type = type, .link = link, .offset = put(data, len), .size = len,
    };
    sections[i].name = (uint32_t)(put(name, strlen(name) + 1) - sections[1].offset);
    return i;
}

static void note(uint32_t type, const char *text)
{
    elf_add_note(&elf, type, text, (uint32_t)strlen(text) + 1);
}

/* At address 0, with a section table, and with no note at all. */
static void bare(void)
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

/* The four that a kernel of the Mini-OS family has. */
static void four_notes(void)
{
    bare();
    note(XEN_ELFNOTE_GUEST_OS, "Mini-OS");
    note(XEN_ELFNOTE_LOADER, "generic");
    elf_add_number(&elf, XEN_ELFNOTE_HYPERCALL_PAGE, 0x1000);
    note(XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
}

static void notes_in_section(void)
{
    four_notes();
    add_section(".note.Xen", SHT_NOTE, elf.notes, elf.note.filesz, 0);
    elf.note.type = 0;
}

/* The linker's build id is a note, too. */
static void build_id_in_segment(void)
{
    static const uint32_t id[] = { 4, 4, 3, 0x00554e47, 0x12345678 };

    notes_in_section();
    elf.note.type = PT_NOTE;
    memcpy(elf.notes, id, sizeof(id));
    elf.note.filesz = sizeof(id);
}

static void segment_at_offset_0(void)
{
    notes_in_section();
    elf.note.type = PT_NOTE;
    elf.note.offset = 0;
}

static void both_places(void)
{
    static const uint32_t entry[] = { 4, 8, XEN_ELFNOTE_ENTRY, 0x006e6558, 0x80, 0 };

    four_notes();
    add_section(".note.Xen", SHT_NOTE, entry, sizeof(entry), 0);
}

static void owner_without_nul(void)
{
    four_notes();
    for (uint8_t *p = elf.notes; p < elf.notes + elf.note.filesz;
         p += 16 + ALIGN_UP(*(uint32_t *)(p + 4), 4u))
        *p = 3;
}

static void texts_without_nul(void)
{
    four_notes();
    elf_add_note(&elf, XEN_ELFNOTE_XEN_VERSION, "xen-3.0", 7);
    elf_add_note(&elf, XEN_ELFNOTE_LOADER, "generic", 7);
}

static void guest_string(const char *text)
{
    bare();
    elf.note.type = 0;
    add_section("__xen_guest", 1, text, strlen(text) + 1, 0);
}

static void string_defaults(void)
{
    guest_string("GUEST_OS=old,XEN_VER=xen-3.0,LOADER=generic,VIRT_BASE=0xffffffff80000000,"
                 "PAE=yes,HYPERCALL_PAGE=0x2,FEATURES=writable_page_tables|"
                 "writable_descriptor_tables|auto_translated_physmap|pae_pgdir_above_4gb");
    elf.load.paddr = elf.eh.entry = GUEST_BASE;
}

static void string_entry(void)
{
    guest_string("GUEST_OS=old,XEN_VER=xen-3.0,LOADER=generic,VIRT_BASE=0x0,"
                 "ELF_PADDR_OFFSET=0x0,VIRT_ENTRY=0x50,BSD_SYMTAB");
}

static void string_beside_build_id(void)
{
    static const uint32_t id[] = { 4, 4, 3, 0x00554e47, 0x12345678 };

    string_entry();
    elf.note.type = PT_NOTE;
    memcpy(elf.notes, id, sizeof(id));
    elf.note.filesz = sizeof(id);
}

static void number_of_3(void)
{
    four_notes();
    elf_add_note(&elf, XEN_ELFNOTE_ENTRY, "\1\2\3", 3);
}

static void number_of_4(void)
{
    four_notes();
    elf_add_note(&elf, XEN_ELFNOTE_ENTRY, "\x70\0\0", 4);
}

/* As NetBSD, FreeBSD and Linux have them. */
static void notes_of_others(void)
{
    four_notes();
    note(XEN_ELFNOTE_PAE_MODE, "yes");
    note(XEN_ELFNOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb|whatever");
    note(XEN_ELFNOTE_BSD_SYMTAB, "yes");
    elf_add_note(&elf, XEN_ELFNOTE_L1_MFN_VALID, "\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0", 16);
    elf_add_number(&elf, XEN_ELFNOTE_SUSPEND_CANCEL, 1);
    elf_add_number(&elf, XEN_ELFNOTE_SUPPORTED_FEATURES, 0x8801);
    elf_add_number(&elf, XEN_ELFNOTE_HV_START_LOW, HOLE_START);
    elf_add_number(&elf, XEN_ELFNOTE_PHYS32_ENTRY, 0x1000);
    note(XEN_ELFNOTE_INFO, "MORE=yes");
    elf_add_number(&elf, 30, 7);
    elf_add_number(&elf, 77, 7);
}

static void entry_at_the_end(void)
{
    four_notes();
    elf_add_number(&elf, XEN_ELFNOTE_ENTRY, GUEST_IMAGE_BYTES);
}

/* Section header i after the two that exist already. */
static struct elf64_phdr *more_header(unsigned i)
{
    elf.eh.phnum = (uint16_t)MAX(elf.eh.phnum, 3 + i);
    return (struct elf64_phdr *)elf.gap + i;
}

static void segment_without_permission(void)
{
    four_notes();
    *more_header(0) = elf.load;
    *more_header(0) = (struct elf64_phdr){ .type = PT_LOAD, .paddr = 1ull << 40, .memsz = 1 };
}

static void empty_segment(void)
{
    four_notes();
    *more_header(0) = (struct elf64_phdr){
        .type = PT_LOAD, .flags = 4, .paddr = GUEST_IMAGE_BYTES + 0x1000,
    };
}

static const struct {
    const char *name;
    void (*make)(void);
    uint64_t entry, base, end;
} forms[] = {
#define FORM(name, ...) { #name, name, __VA_ARGS__ }
    FORM(four_notes, ENTRY_AT, 0, GUEST_IMAGE_BYTES),
    FORM(notes_in_section, ENTRY_AT, 0, GUEST_IMAGE_BYTES),
    FORM(build_id_in_segment, ENTRY_AT, 0, GUEST_IMAGE_BYTES),
    FORM(segment_at_offset_0, ENTRY_AT, 0, GUEST_IMAGE_BYTES),
    FORM(both_places, ENTRY_AT, 0, GUEST_IMAGE_BYTES),
    FORM(owner_without_nul, ENTRY_AT, 0, GUEST_IMAGE_BYTES),
    FORM(texts_without_nul, ENTRY_AT, 0, GUEST_IMAGE_BYTES),
    FORM(string_defaults, GUEST_BASE, GUEST_BASE, GUEST_BASE + GUEST_IMAGE_BYTES),
    FORM(string_entry, 0x50, 0, GUEST_IMAGE_BYTES),
    FORM(string_beside_build_id, 0x50, 0, GUEST_IMAGE_BYTES),
    FORM(number_of_3, 0, 0, GUEST_IMAGE_BYTES),
    FORM(number_of_4, 0x70, 0, GUEST_IMAGE_BYTES),
    FORM(notes_of_others, ENTRY_AT, 0, GUEST_IMAGE_BYTES),
    FORM(entry_at_the_end, GUEST_IMAGE_BYTES, 0, GUEST_IMAGE_BYTES),
    FORM(segment_without_permission, ENTRY_AT, 0, GUEST_IMAGE_BYTES),
    FORM(empty_segment, ENTRY_AT, 0, GUEST_IMAGE_BYTES + 0x1000),
};

static void accepts_what_xen_accepts(void **state)
{
    struct kernel_image k;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
        const char *reason;

        forms[i].make();
        reason = image_parse(&k, &elf, sizeof(elf));
        if (reason != NULL)
            fail_msg("%s: %s", forms[i].name, reason);
        if (k.entry != forms[i].entry || k.virt_base != forms[i].base ||
            k.virt_start != forms[i].base || k.virt_end != forms[i].end)
            fail_msg("%s: entry %lx, base %lx, %lx -> %lx", forms[i].name, k.entry, k.virt_base,
                     k.virt_start, k.virt_end);
    }
    string_defaults();
    assert_null(image_parse(&k, &elf, sizeof(elf)));
    assert_int_equal(k.hypercall_page, GUEST_BASE + 0x2000);
}

static void only_unknown_note(void)
{
    notes_in_section();
    elf.note.type = PT_NOTE;
    elf.note.filesz = 0;
    elf_add_number(&elf, 77, 7);
}

static void offset_without_base(void)
{
    four_notes();
    elf_add_number(&elf, XEN_ELFNOTE_PADDR_OFFSET, 0);
}

static void no_version(void) { bare(); note(XEN_ELFNOTE_LOADER, "generic"); }
static void pvh_only(void) { bare(); elf_add_number(&elf, XEN_ELFNOTE_PHYS32_ENTRY, 0x1000); }
static void last_loader_counts(void) { four_notes(); note(XEN_ELFNOTE_LOADER, "other"); }
static void empty_string(void) { guest_string(""); }
static void bzimage(void) { four_notes(); memcpy((char *)&elf + 0x202, "HdrS", 4); }
static void gzipped(void) { four_notes(); memcpy(&elf, "\x1f\x8b\x08", 3); }

static void long_number(void)
{
    guest_string("GUEST_OS=x,XEN_VER=xen-3.0,LOADER=generic,"
                 "VIRT_ENTRY=0x000000000000000000000000000000000050");
}

static void refuses_what_xen_refuses(void **state)
{
    static const struct { void (*make)(void); const char *reason; } table[] = {
        { only_unknown_note, "xen-3.0" }, { offset_without_base, "no VIRT_BASE" },
        { no_version, "xen-3.0" },
        { pvh_only, "PVH" }, { last_loader_counts, "generic loader" }, { empty_string, "xen-3.0" },
        { long_number, "too long" }, { bzimage, "tools/unpack-kernel" },
        { bzimage, "make run KERNEL=" },
        { gzipped, "tools/unpack-kernel" },
    };
    struct kernel_image k;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        const char *reason;

        table[i].make();
        reason = image_parse(&k, &elf, sizeof(elf));
        assert_non_null(reason);
        if (strstr(reason, table[i].reason) == NULL)
            fail_msg("%s: %s", table[i].reason, reason);
    }
}

/* What bsd symbols are, for a table of 48 bytes and strings of 5. */
static void add_symbols(uint64_t table_bytes)
{
    static const char symbols[48] = "the first symbol, the second one", strings[5] = "\0abc";
    unsigned i;

    four_notes();
    note(XEN_ELFNOTE_BSD_SYMTAB, "yes");
    i = add_section(".symtab", SHT_SYMTAB, symbols, sizeof(symbols), 3);
    add_section(".strtab", SHT_STRTAB, strings, sizeof(strings), 0);
    sections[i].size = table_bytes;
    sections[i].info = 1;
    sections[i].entsize = 24;
    elf.load.memsz = 0x2234;            /* no multiple of 8 */
}

static void refuses_symbols_outside(void **state)
{
    static const uint64_t bytes[] = { ELF_BYTES, 1ull << 40, ~0ull, ~0ull - 400 };
    struct kernel_image k;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(bytes); i++) {
        add_symbols(bytes[i]);
        assert_non_null(image_parse(&k, &elf, sizeof(elf)));
    }
    add_symbols(48);
    sections[2].link = 2;               /* to something that is no strings */
    assert_null(image_parse(&k, &elf, sizeof(elf)));
    assert_int_equal(k.virt_end, 0x2234);
    sections[2].link = 99;
    assert_null(image_parse(&k, &elf, sizeof(elf)));
    assert_int_equal(k.virt_end, 0x2234);
}

/* Random changes of the tables give an error, or an image whose symbols lie inside the file and
 * behind its segments. */
static void survives_edits(void **state)
{
    unsigned with_symbols = 0;

    (void)state;
    srand(11);
    for (unsigned round = 0; round < 30000; round++) {
        uint8_t *copy = malloc(sizeof(elf)), *table, head[ELF_SYMBOLS_HEAD];
        struct kernel_image k;

        add_symbols(48);
        table = copy + ((uint8_t *)sections - (uint8_t *)&elf);
        memcpy(copy, &elf, sizeof(elf));
        for (unsigned n = 1 + (unsigned)rand() % 3; n > 0; n--)
            (rand() % 4 ? table + 64 : copy)[rand() % 256] =
                (uint8_t)(rand() % 2 ? rand() : rand() % 2 * 255);
        if (image_parse(&k, copy, sizeof(elf)) == NULL && k.symbols.bytes != 0) {
            with_symbols++;
            assert_true(k.symbols.table.offset + k.symbols.table.size <= sizeof(elf));
            assert_true(k.symbols.strings.offset + k.symbols.strings.size <= sizeof(elf));
            assert_true(k.symbols_paddr >= k.elf.paddr_end && k.symbols_paddr % 8 == 0);
            assert_int_equal(k.virt_end - k.virt_start,
                             k.symbols_paddr + k.symbols.bytes - k.elf.paddr_start);
            elf_symbols_head(&k.elf, &k.symbols, head);
        }
        free(copy);
    }
    assert_true(with_symbols > 1000);
}

static struct domain *built(void)
{
    struct domain_config c = { .name = "k" };
    struct domain *d = domain_create(9, c.name, 1, GUEST_FRAMES, 256);

    assert_non_null(d);
    assert_int_equal(build_domain(d, &c, &elf, sizeof(elf), "ramdisk", 8), 0);
    audit();
    domain_start(d);
    host_become(d->vcpu[0]);
    return d;
}

static void symbols_stand_behind_the_kernel(void **state)
{
    struct __attribute__((packed)) {
        uint32_t bytes;
        struct elf64_ehdr eh;
        struct elf64_shdr sh[3];
    } head;
    struct kernel_image k;
    struct domain *d;
    char bytes[64];

    (void)state;
    add_symbols(48);
    assert_null(image_parse(&k, &elf, sizeof(elf)));
    assert_int_equal(k.virt_end, 0x2238 + 0x140);
    d = built();
    guest_get(&head, 0x2238, sizeof(head));
    assert_int_equal(head.bytes, 264 - 4 + 48 + 5);
    assert_memory_equal(&head.eh.ident, &elf.eh.ident, 16);
    assert_int_equal(head.eh.phoff | head.eh.phnum | head.eh.phentsize | head.eh.shstrndx, 0);
    assert_int_equal(head.eh.shoff, 64);
    assert_int_equal(head.eh.shnum, 3);
    assert_int_equal(head.sh[0].type, 0);
    assert_int_equal(head.sh[1].type, SHT_SYMTAB);
    assert_int_equal(head.sh[1].offset, 260);
    assert_int_equal(head.sh[1].size, 48);
    assert_int_equal(head.sh[1].link, 2);
    assert_int_equal(head.sh[1].info, 1);
    assert_int_equal(head.sh[1].entsize, 24);
    assert_int_equal(head.sh[2].type, SHT_STRTAB);
    assert_int_equal(head.sh[2].offset, 308);
    assert_int_equal(head.sh[2].size, 5);
    guest_get(bytes, 0x2238 + 4 + 260, 53);
    assert_memory_equal(bytes, "the first symbol, the second one", 32);
    assert_memory_equal(bytes + 48, "\0abc", 5);
    assert_int_equal(guest_start_info(d)->mod_start, 0x3000);
}

/* Where segments overlap, the later header wins; the hypercall page belongs to the segment that
 * holds its address. */
static void later_header_counts_where_segments_overlap(void **state)
{
    uint8_t bytes[16];

    (void)state;
    four_notes();
    *more_header(0) = (struct elf64_phdr){
        .type = PT_LOAD, .flags = 4, .offset = 0, .filesz = 4, .memsz = 8, .paddr = 0x104,
    };
    elf_add_number(&elf, XEN_ELFNOTE_HYPERCALL_PAGE, 0x2123);
    built();
    guest_get(bytes, 0x100, sizeof(bytes));
    assert_memory_equal(bytes, "\x90\x90\x90\x90\177ELF\0\0\0\0\x90\x90\x90\x90", 16);
    guest_get(bytes, 0x2000 + 32 * 29, 10);
    assert_memory_equal(bytes, "\x51\x41\x53\xb8\x1d\0\0\0\x0f\x05", 10);
}

/* The p2m list gets a mapping of its own only at a page-aligned address below the kernel's base. */
static void p2m_list_is_where_the_note_says(void **state)
{
    static const struct { uint64_t note; bool honoured; } table[] = {
        { 0x8000000000, true }, { 0, true }, { 0x8000000008, false },
        { GUEST_BASE - 0x40000000, false },
        { 0xfffffffffffff000, false }, { GUEST_BASE + 0x10000000, false },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        const struct start_info *si;
        struct domain *d;
        uint64_t mfn;

        elf_make(&elf);
        elf_add_number(&elf, XEN_ELFNOTE_INIT_P2M, table[i].note);
        d = built();
        si = guest_start_info(d);
        assert_int_equal(si->mfn_list == table[i].note, table[i].honoured);
        assert_int_equal(si->nr_p2m_frames != 0, table[i].honoured);
        guest_get(&mfn, si->mfn_list + 8, 8);
        assert_int_equal(mfn, mfn_of_va(GUEST_BASE + PAGE_SIZE));
        guest_end(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_xen_accepts),
        cmocka_unit_test(refuses_what_xen_refuses),
        cmocka_unit_test(refuses_symbols_outside),
        cmocka_unit_test(survives_edits),
        with_machine(symbols_stand_behind_the_kernel),
        with_machine(later_header_counts_where_segments_overlap),
        with_machine(p2m_list_is_where_the_note_says),
    };

    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
