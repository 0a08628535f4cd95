/* How xen.efi's stub parses text and numbers: its command line, xen.cfg, and the firmware's memory
 * map. */
#include "cmocka_main.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/x86_64/efi/config.h"
#include "arch/x86_64/efi/memory.h"
#include "xen/boot/boot_info.h"
#include "xen/core/options.h"

/* A copy of the file without slack, except the one byte behind it that the loader promises. */
static char *text_of(const char *s)
{
    char *copy = malloc(strlen(s) + 1);

    return strcpy(copy, s);
}

static void command_line_is_parsed_as_xen_does(void **state)
{
    static const struct {
        const char *text, *reason, *file, *section, *options;
        bool help;
    } table[] = {
        { .text = "", .options = "" },
        { .text = "   \t ", .options = "" },
        { .text = " linux", .section = "linux", .options = "" },
        { .text = "-cfg=a.cfg linux -- loglvl=all noreboot", .file = "a.cfg", .section = "linux",
          .options = "loglvl=all noreboot" },
        { .text = "linux /cfg=b.cfg --", .file = "b.cfg", .section = "linux", .options = "" },
        { .text = "-cfg c.cfg", .file = "c.cfg", .options = "" },
        { .text = "-basevideo -mapbs x", .section = "x", .options = "" },
        { .text = "-help", .help = true, .options = "" },
        { .text = "-cfg=", .reason = "without a file name" },
        { .text = "x -cfg", .reason = "without a file name" },
        { .text = "-x", .reason = "unknown switch" },
        { .text = "a b", .reason = "two sections" },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        char *text = text_of(table[i].text);
        struct command c;
        const char *reason = command_parse(&c, text);

        if (table[i].reason != NULL) {
            assert_non_null(reason);
            assert_non_null(strstr(reason, table[i].reason));
        } else {
            assert_null(reason);
            assert_string_equal(c.file ?: "-", table[i].file ?: "-");
            assert_string_equal(c.section ?: "-", table[i].section ?: "-");
            assert_string_equal(c.options, table[i].options);
            assert_int_equal(c.help, table[i].help);
        }
        free(text);
    }
}

/* The plan as one line: options|kernel+ramdisk|kernel... */
static void show(const struct plan *plan, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "%s", plan->options);

    for (unsigned i = 0; i < plan->nr_guests; i++)
        n += (size_t)snprintf(out + n, size - n, "|%s%s%s", plan->guest[i].kernel,
                              plan->guest[i].ramdisk ? "+" : "", plan->guest[i].ramdisk ?: "");
    for (unsigned i = 0; i < MIN(plan->nr_ignored, ARRAY_SIZE(plan->ignored)); i++)
        n += (size_t)snprintf(out + n, size - n, "|!%s", plan->ignored[i]);
}

static void section_gives_its_files_and_options(void **state)
{
    static const char two[] =
        "# a comment\n[global]\ndefault=b\noptions=loglvl=all\n\n"
        "[a]\nkernel=ka x -- y\n; another\n"
        "[b]\r\n  kernel = kb \r\nramdisk=r\noptions=o\n"
        "[c]\n";
    static const struct { const char *text, *wanted, *section, *plan, *reason; } table[] = {
        { two, NULL, "b", "o|kb+r", NULL },
        { two, "a", "a", "loglvl=all|ka x -- y", NULL },
        { two, "c", "c", NULL, "no kernel" },
        { two, "d", NULL, NULL, NULL },
        { "\xef\xbb\xbf[x]\nkernel=k", NULL, "x", "|k", NULL },
        { "kernel=k\nramdisk=r", NULL, "", "|k+r", NULL },
        { "[ x y ]\nkernel=k", NULL, "x y", "|k", NULL },
        { "[ x y ]\nkernel=k", "x y", "x y", "|k", NULL },
        { "[global]\nkernel=k\n[x]\noptions=o", "x", "x", "o|k", NULL },
        { "[x]\nkernel=a\nramdisk=ra\nkernel=b\nkernel=c\nramdisk=rc", NULL, "x", "|a+ra|b|c+rc",
          NULL },
        { "[x]\nramdisk=r\nkernel=k\nkernel=l", NULL, "x", "|k+r|l", NULL },
        { "[x]\nkernel=k\nxsm=f\nucode=u\nvideo=gfx-800x600", NULL, "x",
          "|k|!xsm=f|!ucode=u|!video=gfx-800x600", NULL },
        { "[x]\nkernel=k\nramdisk=r\nramdisk=s", NULL, "x", NULL, "two ramdisk= lines" },
        { "[x]\nramdisk=r\nkernel=k\nramdisk=s", NULL, "x", NULL, "two ramdisk= lines" },
        { "[x]\nkernel=", NULL, "x", NULL, "without a file name" },
        { "", NULL, NULL, NULL, NULL },
        { "\n\n#\n", NULL, NULL, NULL, NULL },
        { "[", NULL, NULL, NULL, NULL },
        { "[x\nkernel=k", NULL, "x", "|k", NULL },
        { "[x]\nkernels=k", NULL, NULL, NULL, NULL },
        { "[global]\ndefault=\n[x]\nkernel=k", NULL, "x", "|k", NULL },
        { "[x]\nkernel=k\n[y]\n[x]\nramdisk=r", "x", "x", "|k", NULL },
        { "[x]\r\n\tkernel\t=\tk\ta\r\noptions=\r\n", NULL, "x", "|k\ta", NULL },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        char *text = text_of(table[i].text), line[512];
        struct config c;
        struct plan plan;
        const char *section, *reason;

        config_init(&c, text, strlen(text));
        section = config_section(&c, table[i].wanted);
        if (table[i].section == NULL) {
            assert_true(section == NULL || !config_has_section(&c, section));
            free(text);
            continue;
        }
        assert_non_null(section);
        assert_string_equal(section, table[i].section);
        assert_true(config_has_section(&c, section));
        reason = config_plan(&c, section, &plan);
        if (table[i].reason != NULL) {
            assert_non_null(reason);
            assert_non_null(strstr(reason, table[i].reason));
        } else {
            assert_null(reason);
            show(&plan, line, sizeof(line));
            assert_string_equal(line, table[i].plan);
        }
        free(text);
    }
}

/* As the UEFI shell's editor writes it; an odd last byte is dropped. */
static void utf16_configuration_is_read(void **state)
{
    static const char form[] = "\xff\xfe[\0x\0]\0\r\0\n\0k\0e\0r\0n\0e\0l\0=\0k\0\xe9\1\n\0o";
    char *text = malloc(sizeof(form)), line[32];
    struct config c;
    struct plan plan;

    (void)state;
    memcpy(text, form, sizeof(form));
    config_init(&c, text, sizeof(form) - 1);
    assert_string_equal(config_section(&c, NULL), "x");
    assert_null(config_plan(&c, "x", &plan));
    show(&plan, line, sizeof(line));
    assert_string_equal(line, "|k?");
    free(text);
    text = malloc(3);
    memcpy(text, "\xff\xfe", 3);
    config_init(&c, text, 2);
    assert_null(config_section(&c, NULL));
    free(text);
}

static void kernels_beyond_the_limit_are_refused(void **state)
{
    char *text = calloc(1, 16 * (BOOT_MODULES + 1) + 8);
    struct config c;
    struct plan plan;

    (void)state;
    for (unsigned i = 0; i <= BOOT_MODULES; i++)
        sprintf(text + strlen(text), "kernel=k%u\n", i);
    config_init(&c, text, strlen(text));
    assert_non_null(config_plan(&c, "", &plan));
    free(text);
}

/* No access beyond the file, whatever is in it: the sanitizers check. */
static void random_configuration_is_read_within_bounds(void **state)
{
    static const char alphabet[] = "[]=#; \t\r\nkernelramdiskglobaldefault.-\0x";
    static const char *const sections[] = { NULL, "", "global", "x" };

    (void)state;
    srand(1);
    for (unsigned round = 0; round < 20000; round++) {
        size_t size = (size_t)rand() % 80;
        char *text = malloc(size + 1);
        struct config c;
        struct plan plan;
        const char *section;

        for (size_t i = 0; i < size; i++)
            text[i] = alphabet[(size_t)rand() % sizeof(alphabet)];
        if (round % 2 != 0 && size > 20)
            memcpy(text + (size_t)rand() % 10, "[x]\nkernel=", 11);
        text[size] = '\0';
        config_init(&c, text, size);
        assert_true(c.end <= text + size + 1);
        section = config_section(&c, sections[round % ARRAY_SIZE(sections)]);
        if (section != NULL && config_has_section(&c, section))
            config_plan(&c, section, &plan);
        free(text);
    }
}

static void configuration_is_named_after_the_program(void **state)
{
    static const struct { const char *program; const char *names[6]; } table[] = {
        { "xen.efi", { "xen.cfg", "xen.cfg", NULL } },
        { "xen-4.2-unstable.efi",
          { "xen-4.2-unstable.cfg", "xen-4.2.cfg", "xen-4.cfg", "xen.cfg", "xen.cfg", NULL } },
        { "BOOTX64.EFI", { "BOOTX64.cfg", "xen.cfg", NULL } },
        { "a-b", { "xen.cfg", NULL } },
        { "", { "xen.cfg", NULL } },
    };
    char name[64];

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        unsigned k = 0;

        for (; table[i].names[k] != NULL; k++) {
            assert_true(config_default_name(table[i].program, k, name, sizeof(name)));
            assert_string_equal(name, table[i].names[k]);
        }
        assert_false(config_default_name(table[i].program, k, name, sizeof(name)));
    }
    assert_true(config_file_name("vmlinuz console=hvc0", name, sizeof(name)));
    assert_string_equal(name, "vmlinuz");
    assert_false(config_file_name("vmlinuz", name, 7));
    assert_int_equal(config_memory("k name=x mem=64M vcpus=2 -- mem=1G"), 64 << 20);
    assert_int_equal(config_memory("vmlinuz mem=1G console=hvc0"), 0);
    assert_int_equal(config_memory("k --"), 0);
}

enum { WB = 8 };
#define RUNTIME (1ull << 63)

static struct boot_info info;

static void parse(const struct efi_descriptor *d, unsigned n, uint64_t image_start,
                  uint64_t image_end)
{
    struct efi_map map = { d, n * sizeof(*d), sizeof(*d) };

    memset(&info, 0, sizeof(info));
    memory_parse(&info, &map, image_start, image_end);
}

static void memory_map_becomes_ranges(void **state)
{
    static const struct efi_descriptor map[] = {
        { 7, 0, 0, 0, 0xa0, WB },                           /* the first MiB is not used */
        { 4, 0, 0x100000, 0, 0x100, WB },
        /* 2 to 6 MiB; the image lies at 3 to 4 */
        { 7, 0, 0x200000, 0, 0x400, WB },
        { 10, 0, 0x600000, 0, 0x100, WB },
        { 2, 0, 0x800000, 0, 0x100, WB },
        { 1, 0, 0x700000, 0, 0x100, WB },                   /* not in order */
        { 6, 0, 0x900000, 0, 0x10, WB | RUNTIME },
        { 11, 0, 0xffc00000, 0, 0x400, 1 | RUNTIME },
        { 7, 0, 0xa00000, 0, 0x10, WB | 1ull << 18 },       /* for a special purpose */
        { 7, 0, 0xb00000, 0, 0x10, 1 },                     /* cannot be cached */
        { 14, 0, 0xc00000, 0, 0x10, WB },
        { 9, 0, 0xd00000, 0, 0x10, WB },
        { 3, 0, 0x100000000, 0, 0x10000, WB },
    };
    static const struct ram_range expected[] = {
        { 0x100000, 0x300000 }, { 0x400000, 0x600000 }, { 0x700000, 0x900000 },
        { 0x100000000, 0x110000000 },
    };

    (void)state;
    parse(map, ARRAY_SIZE(map), 0x300000, 0x400000);
    assert_int_equal(info.nr_ranges, ARRAY_SIZE(expected));
    assert_memory_equal(info.ranges, expected, sizeof(expected));
    assert_int_equal(info.dropped, 0);
    assert_int_equal(info.runtime.nr_ranges, 2);
    assert_int_equal(info.runtime.range[0].start, 0x900000);
    assert_int_equal(info.runtime.range[0].end, 0x910000);
    assert_false(info.runtime.range[0].uncached);
    assert_true(info.runtime.range[1].uncached);
}

/* More pieces than fit: the smallest are dropped, wherever they are, and their size is reported. */
static void smallest_ranges_are_given_up(void **state)
{
    enum { N = BOOT_RANGES + 40 };
    static struct efi_descriptor map[N];
    uint64_t total = 0, kept = 0;

    (void)state;
    for (unsigned i = 0; i < N; i++) {
        unsigned k = i * 101 % N;                           /* 101 and N have no common factor */

        map[i] = (struct efi_descriptor){ 7, 0, (k + 1ull) << 21, 0, k % 8 == 0 ? 1 : k + 2, WB };
        total += map[i].nr_pages * EFI_PAGE;
    }
    parse(map, N, 0, 0);
    assert_int_equal(info.nr_ranges, BOOT_RANGES);
    for (unsigned i = 0; i < info.nr_ranges; i++) {
        assert_true(info.ranges[i].end - info.ranges[i].start > EFI_PAGE);
        assert_true(i == 0 || info.ranges[i].start > info.ranges[i - 1].end);
        kept += info.ranges[i].end - info.ranges[i].start;
    }
    assert_int_equal(kept + info.dropped, total);
}

/* If the firmware's ranges do not all fit, none is mapped, as half of the firmware would be
 * useless. */
static void firmware_is_mapped_whole_or_not(void **state)
{
    static struct efi_descriptor map[BOOT_RUNTIME_RANGES + 1];

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(map); i++)
        map[i] = (struct efi_descriptor){ 6, 0, (i + 1ull) << 21, 0, 1, WB | RUNTIME };
    parse(map, BOOT_RUNTIME_RANGES, 0, 0);
    assert_int_equal(info.runtime.nr_ranges, BOOT_RUNTIME_RANGES);
    parse(map, ARRAY_SIZE(map), 0, 0);
    assert_int_equal(info.runtime.nr_ranges, 0);
}

static void image_gets_a_place_that_fits(void **state)
{
    static const struct efi_descriptor d[] = {
        { 7, 0, 0x100000000, 0, 0x10000, WB },
        { 7, 0, 0x700000, 0, 0x200, WB },                   /* 7 to 9 MiB: 1 MiB from a boundary */
        { 2, 0, 0xa00000, 0, 0x800, WB },
        { 7, 0, 0x1280000, 0, 0x800, WB },                  /* 18.5 to 26.5 MiB */
        { 7, 0, 0, 0, 0x300, WB },                          /* 0 to 3 MiB */
    };
    struct efi_map map = { d, sizeof(d), sizeof(d[0]) };
    uint64_t align = 2ull << 20;

    (void)state;
    assert_int_equal(memory_place(&map, 1 << 20, align, 0), 0x200000);
    assert_int_equal(memory_place(&map, 1 << 20, align, 0x200001), 0x800000);
    assert_int_equal(memory_place(&map, 3 << 20, align, 0), 0x1400000);
    assert_int_equal(memory_place(&map, 1 << 20, align, 0x1600001), 0x1800000);
    assert_int_equal(memory_place(&map, 8 << 20, align, 0), 0);
}

/* The highest two pages below 640 KiB, not the first pages, not what the image or drivers have. */
static void low_pages_are_found(void **state)
{
    static const struct { uint64_t start, end, low; } table[] = {
        { 0, 0xa0000, 0x9e000 }, { 0, 0x9fc00, 0x9d000 }, { 0x1000, 0x9f001, 0x9d000 },
        { 0, 0x100000, 0x9e000 }, { 0x9e800, 0xa0000, 0 }, { 0, 0x9000, 0 }, { 0, 0xa000, 0x8000 },
        { 0x100000, 0x200000, 0 }, { 0xa0000, 0xb0000, 0 }, { 0, 0, 0 },
    };
    struct boot_info *boot = calloc(1, sizeof(*boot));
    static const struct efi_descriptor map[] = {
        { .type = 7, .start = 0x1000, .nr_pages = 0x50, .attributes = 8 },      /* free */
        { .type = 6, .start = 0x51000, .nr_pages = 0x40, .attributes = 8 },     /* a driver's */
    };
    const struct efi_map m = { map, sizeof(map), sizeof(map[0]) };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        boot->low_pages = 0;
        memory_note_low(boot, table[i].start, table[i].end);
        assert_int_equal(boot->low_pages, table[i].low);
    }
    memory_note_low(boot, 0, 0x50000);
    memory_note_low(boot, 0, 0x40000);
    assert_int_equal(boot->low_pages, 0x4e000);
    memory_parse(boot, &m, 0, 0);
    assert_int_equal(boot->low_pages, 0x4f000);
    free(boot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(low_pages_are_found),
        cmocka_unit_test(command_line_is_parsed_as_xen_does),
        cmocka_unit_test(section_gives_its_files_and_options),
        cmocka_unit_test(utf16_configuration_is_read),
        cmocka_unit_test(kernels_beyond_the_limit_are_refused),
        cmocka_unit_test(random_configuration_is_read_within_bounds),
        cmocka_unit_test(configuration_is_named_after_the_program),
        cmocka_unit_test(memory_map_becomes_ranges),
        cmocka_unit_test(smallest_ranges_are_given_up),
        cmocka_unit_test(firmware_is_mapped_whole_or_not),
        cmocka_unit_test(image_gets_a_place_that_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
