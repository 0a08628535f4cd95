/* Kernel files as they come: each wrong field is found and named in the error, and neither a
 * truncated nor a mutated file does harm. What is built: test_loader_build.c. */
#include "cmocka_main.h"
#include "loader_fixture.h"
#include "common/elf.h"
#include "xen/boot/image.h"

static void no_magic(struct tiny_elf *e) { e->eh.ident[0] = 0; }

static void class_32(struct tiny_elf *e) { e->eh.ident[4] = 1; }

static void big_endian(struct tiny_elf *e) { e->eh.ident[5] = 2; }

static void other_machine(struct tiny_elf *e) { e->eh.machine = 3; }

static void no_headers(struct tiny_elf *e) { e->eh.phnum = 0; }

static void headers_outside(struct tiny_elf *e) { e->eh.phoff = ELF_BYTES - 56; }

static void headers_wrap(struct tiny_elf *e) { e->eh.phoff = ~0ull - 55; }

static void headers_too_many(struct tiny_elf *e) { e->eh.phnum = 0xffff; }

static void header_size(struct tiny_elf *e) { e->eh.phentsize = 32; }

static void segment_outside(struct tiny_elf *e) { e->load.offset = ELF_BYTES; }

static void segment_offset_wraps(struct tiny_elf *e) { e->load.offset = ~0ull - 0x800; }

static void segment_filesz_huge(struct tiny_elf *e) { e->load.filesz = e->load.memsz = ~0ull; }

static void filesz_beyond_memsz(struct tiny_elf *e) { e->load.memsz = e->load.filesz - 1; }

static void memory_wraps(struct tiny_elf *e) { e->load.paddr = ~0ull - 0xfff; }

static void below_the_base(struct tiny_elf *e)
{
    elf_add_number(e, XEN_ELFNOTE_PADDR_OFFSET, 0x1000);
}

static void overlaps_often(struct tiny_elf *e)
{
    e->eh.phnum = 4;
    memcpy(e->gap, &e->load, sizeof(e->load));
    memcpy(e->gap + sizeof(e->load), &e->load, sizeof(e->load));
}

static void nothing_to_load(struct tiny_elf *e) { e->load.type = 0; }

static void nothing_in_memory(struct tiny_elf *e) { e->load.filesz = e->load.memsz = 0; }

static void no_notes(struct tiny_elf *e) { e->note.type = 0; }

static void notes_outside(struct tiny_elf *e) { e->note.offset = ELF_BYTES + 4; }

static void entry_outside(struct tiny_elf *e)
{
    elf_add_number(e, XEN_ELFNOTE_ENTRY, GUEST_BASE + GUEST_IMAGE_BYTES + 1);
}

static void entry_before(struct tiny_elf *e)
{
    elf_add_number(e, XEN_ELFNOTE_ENTRY, GUEST_BASE - 1);
}

static void base_unaligned(struct tiny_elf *e)
{
    elf_add_number(e, XEN_ELFNOTE_VIRT_BASE, GUEST_BASE + 8);
}

static void base_not_canonical(struct tiny_elf *e)
{
    elf_add_number(e, XEN_ELFNOTE_VIRT_BASE, 1ull << 47);
    elf_add_number(e, XEN_ELFNOTE_ENTRY, 1ull << 47);
}

static void base_in_the_hole(struct tiny_elf *e)
{
    elf_add_number(e, XEN_ELFNOTE_VIRT_BASE, HOLE_START);
    elf_add_number(e, XEN_ELFNOTE_ENTRY, HOLE_START);
}

static void into_the_hole(struct tiny_elf *e)
{
    elf_add_number(e, XEN_ELFNOTE_VIRT_BASE, HOLE_END - 0x1000);
    elf_add_number(e, XEN_ELFNOTE_ENTRY, HOLE_END);
}

static void hypercall_page_outside(struct tiny_elf *e)
{
    elf_add_number(e, XEN_ELFNOTE_HYPERCALL_PAGE, GUEST_BASE + GUEST_IMAGE_BYTES);
}

static void hypercall_page_before(struct tiny_elf *e)
{
    elf_add_number(e, XEN_ELFNOTE_HYPERCALL_PAGE, GUEST_BASE - 1);
}

static void note_text_open(struct tiny_elf *e)
{
    static char text[ELF_BYTES];

    memset(text, 'x', sizeof(text));
    elf_add_note(e, XEN_ELFNOTE_LOADER, text, TEXT_OFFSET - NOTE_OFFSET - e->note.filesz - 24);
    memset(e->notes + e->note.filesz, 'x', TEXT_OFFSET - NOTE_OFFSET - e->note.filesz);
    memset(e->text, 'x', sizeof(e->text));
}

static void feature_unknown(struct tiny_elf *e)
{
    elf_add_note(e, XEN_ELFNOTE_FEATURES, "x|!frobnicate", 14);
}

static void feature_dom0(struct tiny_elf *e) { elf_add_note(e, XEN_ELFNOTE_FEATURES, "!dom0", 6); }

static void p2m_in_the_image(struct tiny_elf *e)
{
    elf_add_number(e, XEN_ELFNOTE_INIT_P2M, GUEST_BASE + 0x1000);
}

static void bzimage(struct tiny_elf *e) { memcpy((char *)e + 0x202, "HdrS", 4); }

static void gzip(struct tiny_elf *e) { memcpy(e, "\x1f\x8b", 2); }

static void note_text_empty(struct tiny_elf *e) { elf_add_note(e, XEN_ELFNOTE_XEN_VERSION, "", 0); }

static void other_interface(struct tiny_elf *e)
{
    elf_add_note(e, XEN_ELFNOTE_XEN_VERSION, "xen-2.0", 8);
}

static const struct { const char *name; void (*spoil)(struct tiny_elf *e); } bad[] = {
    BAD(no_magic), BAD(class_32), BAD(big_endian), BAD(other_machine), BAD(no_headers),
    BAD(headers_outside), BAD(headers_wrap), BAD(headers_too_many), BAD(header_size),
    BAD(segment_outside), BAD(segment_offset_wraps), BAD(segment_filesz_huge),
    BAD(filesz_beyond_memsz), BAD(memory_wraps), BAD(below_the_base), BAD(overlaps_often),
    BAD(nothing_to_load), BAD(nothing_in_memory), BAD(no_notes), BAD(notes_outside),
    BAD(entry_outside), BAD(entry_before), BAD(base_unaligned), BAD(base_not_canonical),
    BAD(base_in_the_hole), BAD(into_the_hole), BAD(hypercall_page_outside),
    BAD(hypercall_page_before), BAD(note_text_open), BAD(feature_unknown), BAD(feature_dom0),
    BAD(p2m_in_the_image), BAD(bzimage), BAD(gzip), BAD(note_text_empty), BAD(other_interface),
};

static void bad_files_are_refused_with_the_reason(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        struct tiny_elf *e = fresh();
        struct kernel_image k;
        const char *reason;

        bad[i].spoil(e);
        reason = image_parse(&k, e, sizeof(*e));
        if (reason == NULL)
            fail_msg("%s was believed", bad[i].name);
        assert_true(strlen(reason) > 8);
        free(e);
    }
}

static void good_file_is_accepted(void **state)
{
    struct tiny_elf *e = fresh();
    struct kernel_image k;

    (void)state;
    assert_null(image_parse(&k, e, sizeof(*e)));
    assert_int_equal(k.virt_base, GUEST_BASE);
    assert_int_equal(k.entry, GUEST_BASE);
    assert_int_equal(k.virt_start, GUEST_BASE);
    assert_int_equal(k.virt_end, GUEST_BASE + GUEST_IMAGE_BYTES);
    assert_string_equal(k.guest_os, "tiny");
    free(e);
}

/* The same file cut anywhere: refused, and never read beyond the cut (which the sanitizer sees). */
static void truncated_file_is_refused(void **state)
{
    struct tiny_elf *e = fresh();
    struct kernel_image k;

    (void)state;
    for (size_t len = 0; len < sizeof(*e); len += len < 0x400 ? 1 : 61) {
        uint8_t *cut = malloc(len ? len : 1);

        memcpy(cut, e, len);
        assert_non_null(image_parse(&k, cut, len));
        free(cut);
    }
    free(e);
}

/* A random change of headers and notes is refused, or gives an image that lies inside the file. */
static void mutated_file_is_refused_or_safe(void **state)
{
    unsigned accepted = 0;

    (void)state;
    srand(7);
    for (unsigned round = 0; round < 30000; round++) {
        struct tiny_elf *e = fresh();
        size_t span = offsetof(struct tiny_elf, notes) + e->note.filesz;
        struct kernel_image k;

        for (unsigned n = 1 + (unsigned)rand() % 3; n > 0; n--) {
            size_t at = (size_t)rand() % 4 ? (size_t)rand() % 176 : (size_t)rand() % span;

            ((uint8_t *)e)[at] = rand() % 2 ? (uint8_t)rand() : (uint8_t)(rand() % 2 * 255);
        }
        if (image_parse(&k, e, sizeof(*e)) == NULL) {
            accepted++;
            assert_in_range(k.entry, k.virt_start, k.virt_end);
            assert_true(guest_range_ok(k.virt_start, k.virt_end - k.virt_start));
            for (unsigned i = 0; i < k.elf.phnum; i++) {
                struct elf_segment s;

                if (!elf_segment(&k.elf, i, &s))
                    continue;
                assert_in_range(s.offset + s.filesz, 0, sizeof(*e));
                assert_true(s.paddr >= k.paddr_offset && s.paddr + s.memsz <= k.elf.paddr_end);
            }
        }
        free(e);
    }
    assert_true(accepted > 1000);       /* otherwise the mutations would test nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_files_are_refused_with_the_reason),
        cmocka_unit_test(good_file_is_accepted),
        cmocka_unit_test(truncated_file_is_refused),
        cmocka_unit_test(mutated_file_is_refused_or_safe),
    };

    return cmocka_run_group_tests_name("loader", tests, NULL, NULL);
}
