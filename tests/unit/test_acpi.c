/* Finding ACPI's tables and reading the MADT (arch/x86_64/acpi_tables.c, madt.c), above all in
 * tables that lie. Every table is a block of memory of its own without slack, so that the address
 * sanitizer sees a read outside of it. */
#include "cmocka_main.h"
#include <stdlib.h>
#include <string.h>
#include "arch/x86_64/acpi_tables.h"
#include "arch/x86_64/madt.h"

#define RSDT_AT 0x10000u
#define XSDT_AT 0x20000u
#define TABLES_AT 0x30000u              /* one each 0x1000 */
#define EBDA_AT 0x9fc00u
#define BIOS_AT 0xf0000u

/* The machine's memory: what is not in a block cannot be read. */
static struct block {
    uint64_t pa, len;
    uint8_t *bytes;
} blocks[16];
static unsigned nr_blocks;

static const uint8_t none[ACPI_RSDP_BYTES];

static uint8_t *add_block(uint64_t pa, uint64_t len)
{
    struct block *b = &blocks[nr_blocks++];

    assert_true(nr_blocks <= ARRAY_SIZE(blocks));
    *b = (struct block){ pa, len, calloc(1, len) };
    return b->bytes;
}

static int empty(void **state)
{
    (void)state;
    while (nr_blocks > 0)
        free(blocks[--nr_blocks].bytes);
    return 0;
}

static const void *memory(uint64_t pa, uint64_t len)
{
    for (unsigned i = 0; i < nr_blocks; i++)
        if (pa >= blocks[i].pa && pa - blocks[i].pa <= blocks[i].len &&
            len <= blocks[i].len - (pa - blocks[i].pa))
            return blocks[i].bytes + (pa - blocks[i].pa);
    return NULL;
}

/* Changes the byte at `at` so that all add up to 0. */
static void make_sum(uint8_t *bytes, size_t len, size_t at)
{
    uint8_t sum = 0;

    bytes[at] = 0;
    for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[at] = (uint8_t)-sum;
}

static uint8_t *add_table(uint64_t pa, const char *signature, uint32_t len)
{
    uint8_t *t = add_block(pa, len);

    memcpy(t, signature, 4);
    memcpy(t + 4, &len, 4);
    make_sum(t, len, 9);
    return t;
}

static void fill_rsdp(uint8_t r[ACPI_RSDP_BYTES], unsigned revision, uint32_t rsdt, uint64_t xsdt)
{
    uint32_t len = ACPI_RSDP_BYTES;

    memset(r, 0, ACPI_RSDP_BYTES);
    memcpy(r, "RSD PTR ", 8);
    r[15] = (uint8_t)revision;
    memcpy(r + 16, &rsdt, 4);
    make_sum(r, 20, 8);
    if (revision < 2)
        return;
    memcpy(r + 20, &len, 4);
    memcpy(r + 24, &xsdt, 8);
    make_sum(r, ACPI_RSDP_BYTES, 32);
}

/* A root table with entries of that width; they point to TABLES_AT and the following pages. */
static uint8_t *add_root(uint64_t pa, const char *signature, unsigned width, unsigned n)
{
    uint8_t *t = add_table(pa, signature, 36 + n * width);

    for (unsigned i = 0; i < n; i++) {
        uint64_t entry = TABLES_AT + i * 0x1000u;

        memcpy(t + 36 + i * width, &entry, width);
    }
    make_sum(t, 36 + n * width, 9);
    return t;
}

static void add_tables(void)
{
    add_root(RSDT_AT, "RSDT", 4, 3);
    add_root(XSDT_AT, "XSDT", 8, 3);
    add_table(TABLES_AT, "FACP", 116);
    add_table(TABLES_AT + 0x1000, "APIC", 44);
    add_table(TABLES_AT + 0x2000, "HPET", 56);
}

static uint64_t found(const uint8_t *rsdp, const char *signature)
{
    const struct acpi_header *t = acpi_find(memory, rsdp, signature);

    for (unsigned i = 0; t != NULL && i < nr_blocks; i++)
        if (blocks[i].bytes == (const uint8_t *)t)
            return blocks[i].pa;
    return 0;
}

static void tables_are_found_by_both_roots(void **state)
{
    uint8_t r[ACPI_RSDP_BYTES];

    (void)state;
    add_tables();
    for (unsigned revision = 0; revision <= 2; revision += 2) {
        fill_rsdp(r, revision, RSDT_AT, XSDT_AT);
        assert_int_equal(found(r, "FACP"), TABLES_AT);
        assert_int_equal(found(r, "APIC"), TABLES_AT + 0x1000);
        assert_int_equal(found(r, "HPET"), TABLES_AT + 0x2000);
        assert_int_equal(found(r, "SRAT"), 0);
    }
    fill_rsdp(r, 0, 0, XSDT_AT);                /* revision 0 has no XSDT */
    assert_int_equal(found(r, "FACP"), 0);
    fill_rsdp(r, 2, RSDT_AT, 0);
    assert_int_equal(found(r, "FACP"), TABLES_AT);
    assert_int_equal(found(none, "FACP"), 0);
}

/* The first KiB of the EBDA, and the BIOS's memory, at 16-byte boundaries. */
static void root_pointer_is_searched(void **state)
{
    static const struct { uint64_t at; bool found; } table[] = {
        { EBDA_AT, true }, { EBDA_AT + 1024 - 32, true }, { EBDA_AT + 1024, false },
        { BIOS_AT + 0x4560, true }, { BIOS_AT + 0x4568, false }, { BIOS_AT - 16, false },
        { 0x100000 - 32, true },                /* revision 0 fits, more does not */
    };

    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        uint16_t segment = EBDA_AT >> 4;
        uint8_t *bda, *where;

        add_tables();
        bda = add_block(0x400, 0x100);
        memcpy(bda + 0xe, &segment, 2);
        add_block(EBDA_AT, 0x800);              /* from here on nothing is mapped but these */
        add_block(BIOS_AT, 0x10000);
        where = (uint8_t *)memory(table[i].at, 20);
        if (where != NULL) {
            uint8_t r[ACPI_RSDP_BYTES];

            fill_rsdp(r, 0, RSDT_AT, 0);
            memcpy(where, r, 20);
        }
        if (found(none, "FACP") != (table[i].found ? TABLES_AT : 0))
            fail_msg("row %u", i);
        empty(state);
    }
}

static void wrong_ebda_segments_are_not_followed(void **state)
{
    static const uint16_t segments[] = { 0, 0x10, 0x9fff, 0xa000, 0xffff };

    for (unsigned i = 0; i < ARRAY_SIZE(segments); i++) {
        uint8_t *bda = add_block(0x400, 0x100), r[ACPI_RSDP_BYTES];
        uint64_t pa = (uint64_t)segments[i] << 4;

        add_tables();
        memcpy(bda + 0xe, &segments[i], 2);
        fill_rsdp(r, 0, RSDT_AT, 0);
        memcpy(add_block(pa, 1024), r, 20);
        assert_int_equal(found(none, "FACP"), 0);
        empty(state);
    }
}

static void lying_root_pointers_give_nothing(void **state)
{
    uint8_t r[ACPI_RSDP_BYTES];

    (void)state;
    add_tables();
    for (unsigned i = 0; i < 20; i++) {
        fill_rsdp(r, 0, RSDT_AT, 0);
        r[i] ^= 0x40;
        assert_int_equal(found(r, "FACP"), 0);
    }
    for (unsigned i = 20; i < ACPI_RSDP_BYTES; i++) {       /* a wrong second part: the RSDT */
        fill_rsdp(r, 2, RSDT_AT, XSDT_AT);
        blocks[0].bytes[36] ^= 1;                           /* the RSDT's first entry: not there */
        make_sum(blocks[0].bytes, 48, 9);
        r[i] ^= 0x40;
        assert_int_equal(found(r, "FACP"), 0);
        assert_int_equal(found(r, "APIC"), TABLES_AT + 0x1000);
        blocks[0].bytes[36] ^= 1;
        make_sum(blocks[0].bytes, 48, 9);
    }
}

/* The length of the root pointer is judged even if its bytes add up, and so is that of a table that
 * would fit. */
static void lengths_out_of_bounds_are_refused(void **state)
{
    static const uint32_t lengths[] = { 0, 20, 35, 37, 4096, 0xffffffff };
    const uint32_t too_long = (1u << 20) + 1;
    uint8_t r[ACPI_RSDP_BYTES];

    (void)state;
    add_tables();
    blocks[0].bytes[36] ^= 1;                   /* the RSDT has no FADT, but the XSDT has */
    make_sum(blocks[0].bytes, 48, 9);
    for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
        fill_rsdp(r, 2, RSDT_AT, XSDT_AT);
        memcpy(r + 20, &lengths[i], 4);
        make_sum(r, ACPI_RSDP_BYTES, 32);
        assert_int_equal(found(r, "FACP"), 0);
        assert_int_equal(found(r, "APIC"), TABLES_AT + 0x1000);
    }
    add_table(TABLES_AT + 0x1000000, "LONG", too_long);
    assert_null(acpi_table_at(memory, TABLES_AT + 0x1000000));
}

static void lying_lengths_are_not_followed(void **state)
{
    static const uint32_t lengths[] = { 0, 1, 35, 117, 0x1000, 0x100000, 0x100001, 0xffffffff };
    uint8_t r[ACPI_RSDP_BYTES];

    (void)state;
    add_tables();
    fill_rsdp(r, 0, RSDT_AT, 0);
    for (unsigned b = 0; b < nr_blocks; b++)
        for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
            uint8_t before[36];

            memcpy(before, blocks[b].bytes, 36);
            memcpy(blocks[b].bytes + 4, &lengths[i], 4);
            make_sum(blocks[b].bytes, blocks[b].len, 9);
            assert_int_equal(found(r, "FACP"), blocks[b].pa == RSDT_AT || blocks[b].pa == TABLES_AT
                                                   ? 0 : TABLES_AT);
            memcpy(blocks[b].bytes, before, 36);
        }
}

static void tables_with_wrong_sums_do_not_count(void **state)
{
    uint8_t r[ACPI_RSDP_BYTES];

    (void)state;
    add_tables();
    fill_rsdp(r, 2, RSDT_AT, XSDT_AT);
    blocks[1].bytes[10] ^= 1;                               /* the XSDT: the RSDT serves */
    assert_int_equal(found(r, "APIC"), TABLES_AT + 0x1000);
    blocks[0].bytes[10] ^= 1;
    assert_int_equal(found(r, "APIC"), 0);
    blocks[1].bytes[10] ^= 1;
    blocks[3].bytes[43] ^= 1;
    assert_int_equal(found(r, "APIC"), 0);
    assert_int_equal(found(r, "FACP"), TABLES_AT);
}

/* --- The MADT --------------------------------------------------------------------------------- */

static struct madt madt;

static void parse(const uint8_t *entries, uint32_t len)
{
    uint32_t total = 44 + len;
    uint8_t *t = malloc(total);

    memset(t, 0, 44);
    memcpy(t, "APIC", 4);
    memcpy(t + 4, &total, 4);
    memcpy(t + 44, entries, len);
    madt_parse((const struct acpi_header *)t, &madt);
    free(t);
}

#define PARSE(...)                                                                                \
    do {                                                                                          \
        static const uint8_t bytes_[] = { __VA_ARGS__ };                                          \
        parse(bytes_, sizeof(bytes_));                                                            \
    } while (0)
#define APIC(uid, id, flags) 0, 8, uid, id, flags, 0, 0, 0
#define X2APIC(uid, id, flags) 9, 16, 0, 0, id, 1, 0, 0, flags, 0, 0, 0, uid, 2, 0, 0

#define IOAPIC(at, first) 1, 12, 5, 0, 0, at, 0xc0, 0xfe, first, 0, 0, 0
#define OVERRIDE(source, pin, flags) 2, 10, 0, source, pin, 0, 0, 0, flags, 0

/* As QEMU lists them; the first I/O APIC that has pin 0 counts. */
static void pins_are_listed(void **state)
{
    (void)state;
    PARSE(APIC(0, 0, 1));
    assert_int_equal(madt.ioapic, 0);
    PARSE(IOAPIC(1, 24), IOAPIC(0, 0), IOAPIC(2, 0), OVERRIDE(0, 2, 0), OVERRIDE(5, 5, 0xd),
          OVERRIDE(9, 9, 0xf), OVERRIDE(11, 20, 0xd), OVERRIDE(10, 30, 0xd), OVERRIDE(16, 3, 0xd),
          2, 10, 1, 3, 7, 0, 0, 0, 0xd, 0);             /* another bus */
    assert_int_equal(madt.ioapic, 0xfec00000);
    assert_int_equal(madt.pin[0].pin, 2);
    assert_int_equal(madt.pin[2].pin, MADT_NO_PIN);     /* 0 has it now */
    assert_true(madt.pin[5].pin == 5 && !madt.pin[5].low);
    assert_true(madt.pin[9].pin == 9 && madt.pin[9].low);
    assert_true(madt.pin[11].pin == 20 && !madt.pin[11].low);
    assert_int_equal(madt.pin[20].pin, MADT_NO_PIN);
    assert_int_equal(madt.pin[10].pin, MADT_NO_PIN);    /* not of this one */
    assert_true(madt.pin[3].pin == 3 && madt.pin[3].low);
    assert_true(madt.pin[16].pin == 16 && madt.pin[16].low);
    PARSE(1, 11, 5, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, OVERRIDE(5, 5, 0xd));
    assert_int_equal(madt.ioapic, 0);                   /* it is too short */
    assert_false(madt.pin[5].low);
}

static void enabled_cpus_are_listed(void **state)
{
    (void)state;
    PARSE(APIC(1, 7, 1), APIC(2, 8, 0), APIC(3, 9, 2), APIC(4, 10, 3), APIC(5, 255, 1),
          5, 12, 0, 0, 0, 0, 0xe0, 0xfe, 0, 0, 0, 0, X2APIC(6, 0x22, 1), X2APIC(7, 0x23, 2));
    assert_int_equal(madt.nr_cpus, 3);
    assert_int_equal(madt.nr_dropped, 0);
    assert_int_equal(madt.cpu[0].apic_id, 7);
    assert_int_equal(madt.cpu[0].uid, 1);
    assert_int_equal(madt.cpu[1].apic_id, 10);
    assert_int_equal(madt.cpu[2].apic_id, 0x122);
    assert_int_equal(madt.cpu[2].uid, 0x206);
    PARSE(APIC(1, 7, 1), APIC(2, 7, 1), 9, 16, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0);
    assert_int_equal(madt.nr_cpus, 1);          /* each CPU once */
    PARSE(9, 16, 0, 0, 255, 255, 255, 255, 1, 0, 0, 0, 9, 0, 0, 0);
    assert_int_equal(madt.nr_cpus, 0);
}

/* Only for CPUs that will be started: with maxcpus=1 the mode stays as it is. */
static void mode_depends_on_the_cpus_to_start(void **state)
{
    (void)state;
    PARSE(APIC(1, 7, 1), APIC(2, 8, 1), X2APIC(6, 0x22, 1), APIC(3, 9, 1));
    assert_false(madt_needs_x2apic(&madt, 7, 0));
    assert_false(madt_needs_x2apic(&madt, 7, 1));
    assert_true(madt_needs_x2apic(&madt, 7, 2));
    assert_true(madt_needs_x2apic(&madt, 9, 3));        /* 7, 8, 0x122 */
    assert_false(madt_needs_x2apic(&madt, 9, 2));
    assert_false(madt_needs_x2apic(&madt, 0x122, ~0u));
}

static void nmi_pins_are_noted(void **state)
{
    (void)state;
    PARSE(4, 6, 2, 0xf, 0, 0, APIC(1, 7, 1), APIC(2, 8, 1), 4, 6, 0xff, 5, 0, 1,
          X2APIC(3, 9, 1), 10, 12, 0, 0, 3, 2, 0, 0, 0, 0, 0, 0, 4, 6, 1, 0, 0, 2);
    assert_int_equal(madt.nr_cpus, 3);
    assert_int_equal(madt.cpu[0].nmi_pins, 2);
    assert_int_equal(madt.cpu[1].nmi_pins, 3);
    assert_int_equal(madt.cpu[1].nmi_low, 1);
    assert_int_equal(madt.cpu[2].nmi_pins, 3);
    assert_int_equal(madt.cpu[2].nmi_low, 0);
}

static void bad_entries_end_the_list(void **state)
{
    (void)state;
    PARSE(APIC(1, 7, 1), 0, 0, APIC(2, 8, 1));
    assert_int_equal(madt.nr_cpus, 1);
    PARSE(APIC(1, 7, 1), 0, 1, APIC(2, 8, 1));
    assert_int_equal(madt.nr_cpus, 1);
    PARSE(APIC(1, 7, 1), 77, 200, APIC(2, 8, 1));
    assert_int_equal(madt.nr_cpus, 1);
    PARSE(APIC(1, 7, 1), 0, 7, 2, 8, 1, 0, 0, APIC(3, 9, 1));
    assert_int_equal(madt.nr_cpus, 2);          /* too short for its kind: skipped */
    PARSE(APIC(1, 7, 1), 0, 8, 2);
    assert_int_equal(madt.nr_cpus, 1);
    PARSE(APIC(1, 7, 1), 0);
    assert_int_equal(madt.nr_cpus, 1);
    parse((const uint8_t *)"", 0);
    assert_int_equal(madt.nr_cpus, 0);
}

static void what_does_not_fit_is_counted(void **state)
{
    static uint8_t many[16 * (MADT_CPUS + 3)];

    (void)state;
    for (unsigned i = 0; i < MADT_CPUS + 3; i++) {
        uint8_t entry[] = { 9, 16, 0, 0, (uint8_t)i, (uint8_t)(i >> 8), 0, 0, 1 };

        memcpy(&many[16 * i], entry, sizeof(entry));
    }
    parse(many, sizeof(many));
    assert_int_equal(madt.nr_cpus, MADT_CPUS);
    assert_int_equal(madt.nr_dropped, 3);
}

/* Whatever the bytes are, nothing outside is read and the numbers stay within the table. */
static void random_tables_are_harmless(void **state)
{
    static const uint8_t likely[] = { 0, 4, 5, 6, 8, 9, 10, 12, 16, 255 };
    uint8_t entries[128];

    (void)state;
    srand(1);
    for (unsigned i = 0; i < 20000; i++) {
        for (unsigned k = 0; k < sizeof(entries); k++)
            entries[k] = rand() % 2 ? likely[rand() % (int)sizeof(likely)] : (uint8_t)rand();
        parse(entries, (uint32_t)(rand() % (int)sizeof(entries)));
        assert_true(madt.nr_cpus <= sizeof(entries) / 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(tables_are_found_by_both_roots, empty),
        cmocka_unit_test_teardown(root_pointer_is_searched, empty),
        cmocka_unit_test_teardown(wrong_ebda_segments_are_not_followed, empty),
        cmocka_unit_test_teardown(lying_root_pointers_give_nothing, empty),
        cmocka_unit_test_teardown(lengths_out_of_bounds_are_refused, empty),
        cmocka_unit_test_teardown(lying_lengths_are_not_followed, empty),
        cmocka_unit_test_teardown(tables_with_wrong_sums_do_not_count, empty),
        cmocka_unit_test(pins_are_listed),
        cmocka_unit_test(enabled_cpus_are_listed),
        cmocka_unit_test(mode_depends_on_the_cpus_to_start),
        cmocka_unit_test(nmi_pins_are_noted),
        cmocka_unit_test(bad_entries_end_the_list),
        cmocka_unit_test(what_does_not_fit_is_counted),
        cmocka_unit_test(random_tables_are_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
