/* What is built from a kernel file: addresses that it cannot have, the documented layout, the p2m
 * list and the ramdisk by notes, and no domain without memory. */
#include "cmocka_main.h"
#include "loader_fixture.h"
#include "xen/boot/build.h"
#include "xen/boot/module_words.h"
#include "xen/core/alloc.h"
#include "xen/core/frame.h"

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
static void bad_addresses_are_refused(void **state)
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
static void domain_has_the_documented_layout(void **state)
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
    assert_true(mfn_to_frame(mfn_of_va(si->pt_base))->word & TYPE_PINNED);
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
static void without_memory_no_domain_and_no_frame_lost(void **state)
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
        with_machine(bad_addresses_are_refused),
        with_machine(domain_has_the_documented_layout),
        with_machine(p2m_and_ramdisk_by_note),
        with_machine(without_memory_no_domain_and_no_frame_lost),
    };

    return cmocka_run_group_tests_name("loader build", tests, NULL, NULL);
}
