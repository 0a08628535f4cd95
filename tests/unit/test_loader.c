/* Kernel files as they come: each wrong field is found and named in the error; and what is built
 * from a valid file. */
#include "arch/arch.h"
#include "cmocka_main.h"
#include <stdlib.h>
#include <string.h>
#include "support.h"
#include "common/elf.h"
#include "xen/boot/build.h"
#include "xen/boot/image.h"
#include "xen/boot/module_words.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"

static struct tiny_elf *fresh(void)
{
    struct tiny_elf *e = malloc(sizeof(*e));

    elf_make(e);
    return e;
}

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

#define BAD(name) { #name, name }
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

static void refuses_bad_files(void **state)
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

static void accepts_a_good_one(void **state)
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
static void survives_truncation(void **state)
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
static void survives_mutation(void **state)
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

static int build(struct tiny_elf *e, uint64_t frames, const void *ramdisk, uint64_t ramdisk_size,
                 struct domain **out)
{
    struct domain_config c = { .name = "k", .cmdline = "hello world" };
    struct domain *d = domain_create(9, c.name, 1, frames, 256);
    int rc;

    assert_non_null(d);
    rc = build_domain(d, &c, e, sizeof(*e), ramdisk, ramdisk_size);
    audit();
    if (rc != 0 || out == NULL)
        guest_end(d);
    else
        *out = d;
    return rc;
}

static void addresses_low_noncanonical(struct tiny_elf *e)
{
    elf_add_number(e, XEN_ELFNOTE_VIRT_BASE, 0x7fffffffe000);
    elf_add_number(e, XEN_ELFNOTE_ENTRY, 0x7fffffffe000);
}

static void addresses_at_the_end(struct tiny_elf *e)
{
    elf_add_number(e, XEN_ELFNOTE_VIRT_BASE, 0xffffffffffffe000);
    elf_add_number(e, XEN_ELFNOTE_ENTRY, 0xffffffffffffe000);
}

static void p2m_in_the_hole(struct tiny_elf *e)
{
    elf_add_number(e, XEN_ELFNOTE_INIT_P2M, HOLE_START);
}

static void p2m_not_canonical(struct tiny_elf *e)
{
    elf_add_number(e, XEN_ELFNOTE_INIT_P2M, 1ull << 47);
}

static void memory_huge(struct tiny_elf *e) { e->load.memsz = 1ull << 40; }

static void memory_beyond(struct tiny_elf *e)
{
    e->load.paddr = 0x10000000;
    elf_add_number(e, XEN_ELFNOTE_ENTRY, GUEST_BASE + 0x10000000);
}

/* Valid files that ask for an address that they cannot have. */
static void refuses_bad_places(void **state)
{
    static const struct { const char *name; void (*spoil)(struct tiny_elf *e); } places[] = {
        BAD(addresses_low_noncanonical), BAD(addresses_at_the_end), BAD(p2m_in_the_hole),
        BAD(p2m_not_canonical), BAD(memory_huge), BAD(memory_beyond),
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
        struct tiny_elf *e = fresh();
        uint64_t before = nr_free_frames();

        places[i].spoil(e);
        if (build(e, GUEST_FRAMES, NULL, 0, NULL) == 0)
            fail_msg("%s was built", places[i].name);
        assert_int_equal(nr_free_frames(), before);
        free(e);
    }
}

/* public/xen.h, struct start_info and the comment above it. */
static void builds_the_drawn_layout(void **state)
{
    struct tiny_elf *e = fresh();
    static const char ramdisk[5000] = "ramdisk bytes";
    struct domain *d = NULL;
    const struct start_info *si;
    const uint64_t *list;
    struct vcpu *v;

    (void)state;
    memcpy(e->text + 0x100, "kernel text", 12);
    elf_add_number(e, XEN_ELFNOTE_HYPERCALL_PAGE, GUEST_BASE + 0x2000);
    assert_int_equal(build(e, GUEST_FRAMES, ramdisk, sizeof(ramdisk), &d), 0);
    domain_start(d);
    v = d->vcpu[0];
    si = guest_start_info(d);
    assert_string_equal(si->magic, "xen-3.0-x86_64");
    assert_string_equal((const char *)si->cmd_line, "hello world");
    assert_int_equal(si->nr_pages, GUEST_FRAMES);
    assert_int_equal(si->shared_info, virt_to_mfn(d->shared) << PAGE_SHIFT);
    assert_int_equal(si->mod_len, sizeof(ramdisk));
    assert_int_equal(si->flags, 0);

    host_become(v);
    uint64_t text[2], byte = 0, pt;

    guest_get(text, GUEST_BASE + 0x100, 12);
    assert_memory_equal(text, "kernel text", 12);
    guest_get(text, si->mod_start, 14);
    assert_memory_equal(text, "ramdisk bytes", 14);
    guest_get(text, GUEST_BASE + GUEST_IMAGE_BYTES - 8, 8);
    assert_int_equal(text[0], 0);                       /* bss */
    guest_get(text, GUEST_BASE + 0x2000 + 32 * 29, 16);
    assert_memory_equal(text, "\x51\x41\x53\xb8\x1d\0\0\0\x0f\x05\x41\x5b\x59\xc3", 14);
    for (uint64_t i = 0; i < si->nr_pt_frames; i++) {
        pt = si->pt_base + i * PAGE_SIZE;
        guest_get(text, pt, 8);
        assert_false(host_guest_write(pt, &byte, 1));   /* tables are mapped read-only */
    }
    assert_int_equal(mfn_of_va(si->pt_base) << PAGE_SHIFT, v->root_kernel);
    assert_true(mfn_to_frame(mfn_of_va(si->pt_base))->type & TYPE_PINNED);
    for (pfn_t pfn = 0; pfn < GUEST_FRAMES; pfn++) {
        uint64_t mfn;

        guest_get(&mfn, si->mfn_list + 8 * pfn, 8);
        assert_int_equal(m2p_table[mfn], pfn);
        assert_ptr_equal(frame_owner(mfn_to_frame(mfn)), d);
        if (pfn * PAGE_SIZE < GUEST_IMAGE_BYTES)
            assert_int_equal(mfn_of_va(GUEST_BASE + pfn * PAGE_SIZE), mfn);
    }
    list = NULL;
    (void)list;
    assert_int_equal(guest_regs(v)->rip, GUEST_BASE);
    assert_int_equal(guest_regs(v)->cs, 0xe033);
    assert_int_equal(guest_regs(v)->ss, 0xe02b);
    assert_int_equal(guest_regs(v)->rsp % PAGE_SIZE, 0);
    assert_int_equal(guest_regs(v)->rflags & 0x200, 0x200);
    assert_true(host_guest_write(guest_regs(v)->rsp - 8, &byte, 8));
    assert_true(v->kernel_mode && v->info->evtchn_upcall_mask);
    free(e);
}

static void p2m_and_ramdisk_by_note(void **state)
{
    struct tiny_elf *e = fresh();
    struct domain *d = NULL;
    const struct start_info *si;
    uint64_t mfn;

    (void)state;
    elf_add_number(e, XEN_ELFNOTE_INIT_P2M, 0x8000000000);
    elf_add_number(e, XEN_ELFNOTE_MOD_START_PFN, 1);
    assert_int_equal(build(e, GUEST_FRAMES, "ramdisk", 8, &d), 0);
    domain_start(d);
    si = guest_start_info(d);
    assert_int_equal(si->mfn_list, 0x8000000000);
    assert_int_equal(si->flags, SIF_MOD_START_PFN);
    assert_true(si->nr_p2m_frames >= 3 + 3 &&
                si->first_p2m_pfn + si->nr_p2m_frames <= GUEST_FRAMES);
    host_become(d->vcpu[0]);
    guest_get(&mfn, si->mfn_list + 8 * si->mod_start, 8);
    assert_memory_equal(mfn_to_virt(mfn), "ramdisk", 8);
    guest_get(&mfn, si->mfn_list + 8 * GUEST_FRAMES, 8);
    assert_int_equal(mfn, ~0ull);                       /* padded to the page, writable */
    assert_true(host_guest_write(si->mfn_list + 8 * GUEST_FRAMES, &mfn, 8));
    free(e);
}

/* Whichever allocation fails while a domain is made: an error, and every frame is freed. */
static void survives_lack_of_memory(void **state)
{
    struct tiny_elf *e = fresh();
    struct domain_config c = { .name = "k" };
    uint64_t n, before = nr_free_frames();
    bool built = false;

    (void)state;
    for (n = 0; !built; n += n < 64 || n > GUEST_FRAMES ? 1 : 97) {
        struct domain *d;

        assert_true(n < GUEST_FRAMES + 100);
        host_leave_free(n);
        d = domain_create(5, "k", 2, GUEST_FRAMES, 256);
        if (d != NULL) {
            built = build_domain(d, &c, e, sizeof(*e), NULL, 0) == 0;
            guest_end(d);
        }
        host_free_taken();
        if (nr_free_frames() != before)
            fail_msg("with %lu frames: %ld were lost", n, (long)(before - nr_free_frames()));
    }
    assert_true(n > GUEST_FRAMES);
    free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_bad_files), cmocka_unit_test(accepts_a_good_one),
        cmocka_unit_test(survives_truncation), cmocka_unit_test(survives_mutation),
        with_machine(refuses_bad_places), with_machine(builds_the_drawn_layout),
        with_machine(p2m_and_ramdisk_by_note), with_machine(survives_lack_of_memory),
    };

    return cmocka_run_group_tests_name("loader", tests, NULL, NULL);
}
