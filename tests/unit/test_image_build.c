/* A kernel's symbols, files with random changes, and what a domain that is built has in memory. */
#include <stdlib.h>
#include "cmocka_main.h"
#include "common/elf_symbols.h"
#include "xen/boot/build.h"
#include "xen/boot/image.h"
#include "xen/boot/module_words.h"
#include "image_fixture.h"

/* BSD symbols: a symbol table of 48 bytes, and strings of 5 bytes. */
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

static void symbols_outside_the_file_are_refused(void **state)
{
    static const uint64_t bytes[] = { ELF_BYTES, 1ull << 40, ~0ull, ~0ull - 400 };
    struct kernel_image k;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(bytes); i++) {
        add_symbols(bytes[i]);
        assert_non_null(image_parse(&k, &elf, sizeof(elf)));
    }
    add_symbols(48);
    sections[2].link = 2;               /* a link to a section that is no string table */
    assert_null(image_parse(&k, &elf, sizeof(elf)));
    assert_int_equal(k.virt_end, 0x2234);
    sections[2].link = 99;
    assert_null(image_parse(&k, &elf, sizeof(elf)));
    assert_int_equal(k.virt_end, 0x2234);
}

/* Random changes of the tables give an error, or an image whose symbols lie inside the file and
 * behind its segments. */
static void random_edits_give_an_error_or_a_safe_image(void **state)
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
        cmocka_unit_test(symbols_outside_the_file_are_refused),
        cmocka_unit_test(random_edits_give_an_error_or_a_safe_image),
        with_machine(symbols_stand_behind_the_kernel),
        with_machine(later_header_counts_where_segments_overlap),
        with_machine(p2m_list_is_where_the_note_says),
    };

    return cmocka_run_group_tests_name("image build", tests, NULL, NULL);
}
