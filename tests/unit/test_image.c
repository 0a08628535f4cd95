/* Kernels that image_parse() accepts or refuses, as Xen does: where the notes are, what they
 * say, and the older __xen_guest string. Not here: symbols and the domain that is built
 * (test_image_build.c). */
#include "cmocka_main.h"
#include "xen/boot/image.h"
#include "image_fixture.h"

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

/* Kernels in the forms of NetBSD, FreeBSD and Linux. */
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

static void kernels_that_xen_accepts_are_accepted(void **state)
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

static void kernels_that_xen_refuses_are_refused(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_that_xen_accepts_are_accepted),
        cmocka_unit_test(kernels_that_xen_refuses_are_refused),
    };

    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
