/* Words of the boot loader's command lines: the hypervisor's options, the words of a module, and
 * strings that are cut. What becomes of modules: test_modules.c. */
#include <stdlib.h>
#include "cmocka_main.h"
#include "modules_fixture.h"
#include "support.h"
#include "xen/boot/cmdline.h"
#include "xen/boot/module_words.h"
#include "xen/boot/modules.h"
#include "xen/core/domain_list.h"
#include "xen/core/guest_log.h"
#include "xen/core/options.h"
#include "xen/core/sched.h"
#include "xen/core/trace.h"
#include "xen/core/trace_control.h"

static void unknown_options_are_reported(void **state)
{
    static const struct { const char *cmdline, *complaint; } table[] = {
        { "loglvl=all", NULL },
        { "  loglvl=all   noreboot ", NULL },
        { "", NULL },
        { "no-sync_console", NULL },
        { "frobnicate=3", "frobnicate" },
        { "loglvl=loud", "loud" },
        { "sched_credit_tslice_ms=0", "sched_credit_tslice_ms" },
        { "sched_credit_tslice_ms=99999999999999999999", "sched_credit_tslice_ms" },
        { "com1=115200,8n1,0x2f8", NULL },
        { "com1=17", "com1" },
        { "trace=hypercall,-args trace_lines=0 trace_lines=100000 trace_size=64K trace_size=1G",
          NULL },
        { "trace_to=debugcon", NULL },
        { "trace", NULL },
        { "trace=everything", "everything" },
        { "trace=trap,everything", "everything" },
        { "trace_size=63K", "trace_size" },
        { "trace_size=1025M", "trace_size" },
        { "trace_size=1Q", "trace_size" },
        { "trace_lines=100001", "trace_lines" },
        { "trace_lines=many", "trace_lines" },
        { "trace_lines=", "trace_lines" },
        { "trace_to=com7", "trace_to" },
        { "wallclock=efi wallclock=cmos wallclock=auto", NULL },
        { "wallclock=sundial", "sundial" },
        { "dom0_mem=1G", "dom0_mem" },
        { "maxcpus=4 maxcpus=0 nosmp no-nosmp", NULL },
        { "maxcpus=many", "maxcpus" },
        { "maxcpus=", "maxcpus" },
        { "nosmp=4", "nosmp" },
        { "-- frobnicate", NULL },
        { "no-frobnicate", "no-frobnicate" },
        { "trace=off,off,off,off,off,off,off,off,off,off,off,off,off,off,off,off,off,off,off,off,"
          "off,off,off,off,off,off,off,off,off,off,off,off,off", "too long" },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        size_t before = host.console_len;

        log_threshold = LOG_INFO;
        options_parse(table[i].cmdline);
        if ((table[i].complaint == NULL) != (host.console_len == before) ||
            (table[i].complaint != NULL &&
             strstr(host.console + before, table[i].complaint) == NULL))
            fail_msg("\"%s\": said \"%s\"", table[i].cmdline, host.console + before);
    }
    trace_config = (struct trace_config){ .size = 16 << 20, .lines = 32 };
}

static void known_options_are_set(void **state)
{
    (void)state;
    options_parse("noreboot loglvl=error/warning guest_loglvl=debug sched_credit_tslice_ms=3 "
                  "com1=9600,8n1,0x2f8");
    assert_true(options.noreboot);
    assert_false(options.hypercall_counts);
    assert_int_equal(log_threshold, LOG_WARNING);
    assert_int_equal(guest_log_threshold, LOG_DEBUG);
    assert_int_equal(sched_slice_us, 3000);
    assert_int_equal(options.com1_port, 0x2f8);
    assert_int_equal(options.com1_baud, 9600);
    options_parse("maxcpus=4");
    assert_int_equal(options.max_cpus, 4);
    options_parse("no-nosmp");
    assert_false(options.nosmp);
    options_parse("nosmp maxcpus=4");
    assert_true(options.nosmp);
    options_parse("maxcpus=0");
    assert_int_equal(options.max_cpus, 1);
    options_parse("no-noreboot sched_credit_tslice_ms=10 loglvl=info guest_loglvl=warning "
                  "hypercall_counts");
    assert_true(options.hypercall_counts);
    assert_false(options.noreboot);
    for (unsigned i = 0; i < 3000; i++) {       /* a word longer than any buffer */
        static char line[4096];

        memset(line, 'a' + i % 26, i);
        line[i] = '\0';
        options_parse(line);
    }
}

/* An unknown word changes nothing; trace=off asks for a ring as any other value does. */
static void trace_options_are_set(void **state)
{
    const struct trace_config defaults = trace_config;

    (void)state;
    assert_false(trace_config.wanted);
    options_parse("trace=trap,bogus trace_size=1 trace_lines=x");
    assert_memory_equal(&trace_config, &defaults, sizeof(defaults));
    options_parse("trace=hypercalls,-args,trap trace_size=8M trace_lines=7");
    assert_true(trace_config.wanted);
    assert_int_equal(trace_config.classes, TRACE_HYPERCALL | TRACE_TRAP);
    assert_int_equal(trace_config.size, 8 << 20);
    assert_int_equal(trace_config.lines, 7);
    trace_config = defaults;
    options_parse("trace=off");
    assert_true(trace_config.wanted);
    assert_int_equal(trace_config.classes, 0);
    assert_int_equal(trace_on, 0);      /* the ring is allocated later */
    trace_config = defaults;
}

static void module_words_are_parsed(void **state)
{
    static const struct {
        const char *string;
        int rc;
        const char *name, *cmdline;
        uint64_t mem;
        unsigned vcpus, weight;
    } table[] = {
        { "console=hvc0 quiet", 0, "", "console=hvc0 quiet", 0, 1, 256 },
        { "name=web mem=64M vcpus=2 weight=512 -- quiet  init=/x", 0,
          "web", "quiet  init=/x", 64 << 20, 2, 512 },
        { "-- a -- b", 0, "", "a -- b", 0, 1, 256 },
        { "--", 0, "", "", 0, 1, 256 },
        { "", 0, "", "", 0, 1, 256 },
        { "a--b", 0, "", "a--b", 0, 1, 256 },
        { "mem=0 --", -EINVAL, "", "", 0, 1, 256 },
        { "vcpus=0 --", -EINVAL, "", "", 0, 0, 256 },
        { "vcpus=33 --", -EINVAL, "", "", 0, 33, 256 },
        { "weight=65536 --", -EINVAL, "", "", 0, 1, 65536 },
        { "mem=18446744073709551615G --", -EINVAL, "", "", 0, 1, 256 },
        { "name= --", -EINVAL, "", "", 0, 1, 256 },
        { "max_ports=62 --", -EINVAL, "", "", 0, 1, 256 },
        { "max_ports=131072 --", -EINVAL, "", "", 0, 1, 256 },
        { "trace=bogus --", -EINVAL, "", "", 0, 1, 256 },
        { "trace=trap,-all --", 0, "", "", 0, 1, 256 },
        { "odd --", 0, "", "", 0, 1, 256 },
        { "driver disk=ram0,xvda1,w disk=vd1,xvdaa,r --", 0, "", "", 0, 1, 8192 },
        { "service --", 0, "", "", 0, 1, 8192 },
        { "weight=300 service --", 0, "", "", 0, 1, 300 },
        { "driver weight=1 --", 0, "", "", 0, 1, 1 },
        { "vif vif=00:16:3e:AB:cd:01 vif=02:00:00:00:00:01,strict vif=strict --", 0, "", "", 0, 1,
          256 },
        { "vif=00:16:3e:ab:cd --", -EINVAL, "", "", 0, 1, 256 },
        { "vif=00:16:3e:ab:cd:0g --", -EINVAL, "", "", 0, 1, 256 },
        { "vif=00:16:3e:ab:cd:00,lax --", -EINVAL, "", "", 0, 1, 256 },
        { "vif=00:16:3e:ab:cd:00:00 --", -EINVAL, "", "", 0, 1, 256 },
        { "disk= --", -EINVAL, "", "", 0, 1, 256 },
        { "disk=ram0,xvda --", -EINVAL, "", "", 0, 1, 256 },
        { "disk=ram0,xvda,rw --", -EINVAL, "", "", 0, 1, 256 },
        { "disk=ram0,xvda,x --", -EINVAL, "", "", 0, 1, 256 },
        { "disk=,xvda,r --", -EINVAL, "", "", 0, 1, 256 },
        { "disk=ram0,xvd,r --", -EINVAL, "", "", 0, 1, 256 },
        { "disk=ram0,sda,r --", -EINVAL, "", "", 0, 1, 256 },
        { "disk=ram0,xvda,r,r --", -EINVAL, "", "", 0, 1, 256 },
        { "disk=ram0123456789012,xvda,r --", -EINVAL, "", "", 0, 1, 256 },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        struct domain_config c;
        int rc = domain_config_parse(table[i].string, &c);

        if (rc != table[i].rc)
            fail_msg("\"%s\": %d", table[i].string, rc);
        if (rc != 0)
            continue;
        assert_string_equal(c.name, table[i].name);
        assert_string_equal(c.cmdline, table[i].cmdline);
        assert_int_equal(c.mem_bytes, table[i].mem);
        assert_int_equal(c.vcpus, table[i].vcpus);
        assert_int_equal(c.weight, table[i].weight);
    }
}

/* As many as there is room for, a NUL behind each and one more. */
static void disks_are_collected(void **state)
{
    char string[512];
    struct domain_config c;
    unsigned n;

    (void)state;
    assert_int_equal(domain_config_parse("disk=ram0,xvda,w disk=a,xvdb,r --", &c), 0);
    assert_memory_equal(c.devices, "disk=ram0,xvda,w\0disk=a,xvdb,r\0", 32);
    for (n = 1; n < 30; n++) {
        *string = '\0';
        for (unsigned i = 0; i < n; i++)
            strcat(string, "disk=ram0,xvda,w ");
        strcat(string, "--");
        if (domain_config_parse(string, &c) != 0)
            break;
    }
    assert_int_equal(n, (DEVICE_WORDS - 1) / sizeof("disk=ram0,xvda,w") + 1);
    assert_int_equal(c.devices[DEVICE_WORDS - 1], 0);
}

static void functions_are_collected(void **state)
{
    static const char *const wrong[] = {
        "pci= --", "pci=0:04.0 --", "pci=00:4.0 --", "pci=00:04 --", "pci=00:04.8 --",
        "pci=00:20.0 --", "pci=00:04.0, --", "pci=,00:04.0 --", "pci=00:04.0.1 --",
        "pci=00:0g.0 --", "pci=0000:00:04.0 --", "pci=00-04.0 --", "pci=00:04.01 --",
    };
    char string[512] = "pci=";
    struct domain_config c;

    (void)state;
    assert_int_equal(domain_config_parse("pci=00:04.0,fF:1f.7 pci=01:00.1 --", &c), 0);
    assert_int_equal(c.pci.nr, 3);
    assert_int_equal(c.pci.address[0], 0x20);
    assert_int_equal(c.pci.address[1], 0xffff);
    assert_int_equal(c.pci.address[2], 0x101);
    assert_int_equal(domain_config_parse("name=x --", &c), 0);
    assert_int_equal(c.pci.nr, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
        if (domain_config_parse(wrong[i], &c) != -EINVAL)
            fail_msg("%s", wrong[i]);
    for (unsigned i = 0; i < PCI_FUNCTIONS; i++)
        strcat(string, i == 0 ? "00:04.0" : ",00:04.0");
    strcat(string, " --");
    assert_int_equal(domain_config_parse(string, &c), 0);
    assert_int_equal(c.pci.nr, PCI_FUNCTIONS);
    strcpy(string + strlen(string) - 2, "pci=00:05.0 --");
    assert_int_equal(domain_config_parse(string, &c), -EINVAL);
    assert_true(console_has("\"pci=00:05.0\": not a value for it"));
}

static void max_ports_is_limited(void **state)
{
    struct domain_config c;

    (void)state;
    assert_int_equal(domain_config_parse("name=x -- max_ports=100", &c), 0);
    assert_int_equal(c.max_port, 1023);
    assert_int_equal(domain_config_parse("max_ports=131071 --", &c), 0);
    assert_int_equal(c.max_port, 131071);
    assert_int_equal(domain_config_parse("service --", &c), 0);
    assert_int_equal(c.max_port, 131071);
}

static void sets_of_cpus_are_parsed(void **state)
{
    static const struct {
        const char *string;
        uint64_t first, last;           /* words of the set; 0 and 0: refused */
    } table[] = {
        { "cpus=0 --", 1, 0 }, { "cpus=0-3,8 --", 0x10f, 0 }, { "cpus=2,1 --", 6, 0 },
        { "cpus=255 --", 0, 1ull << 63 }, { "cpus=0-255 --", ~0ull, ~0ull },
        { "cpus=all --", ~0ull, ~0ull }, { "name=x --", ~0ull, ~0ull },
        { "cpus= --", 0, 0 }, { "cpus=256 --", 0, 0 }, { "cpus=3-2 --", 0, 0 },
        { "cpus=0-256 --", 0, 0 }, { "cpus=1, --", 0, 0 }, { "cpus=1- --", 0, 0 },
        { "cpus=-1 --", 0, 0 }, { "cpus=1x --", 0, 0 }, { "cpus=1-18446744073709551615 --", 0, 0 },
    };
    struct domain_config c;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        bool refused = table[i].first == 0 && table[i].last == 0;

        if (domain_config_parse(table[i].string, &c) != (refused ? -EINVAL : 0))
            fail_msg("%s", table[i].string);
        if (refused)
            continue;
        assert_int_equal(c.cpus.bits[0], table[i].first);
        assert_int_equal(c.cpus.bits[3], table[i].last);
        assert_int_equal(c.cpus_soft.bits[1], ~0ull);
    }
    assert_int_equal(domain_config_parse("cpus_soft=64-65 cap=150 --", &c), 0);
    assert_int_equal(c.cpus_soft.bits[1], 3);
    assert_int_equal(c.cpus.bits[1], ~0ull);
    assert_int_equal(c.cap, 150);
    assert_int_equal(domain_config_parse("--", &c), 0);
    assert_int_equal(c.cap, 0);
    assert_int_equal(domain_config_parse("cap=25601 --", &c), -EINVAL);
}

static void module_file_name_is_dropped(void **state)
{
    static const struct { const char *loader, *in, *out; } table[] = {
        { "GRUB 2.06-13", "name=x -- y", "name=x -- y" },
        { "GNU GRUB 0.97", "/boot/k name=x", "name=x" },
        { "qemu", "k -- y", "-- y" }, { "qemu", "k", "" }, { "", "a b", "a b" },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        strcpy(boot_info.loader, table[i].loader);
        if (strcmp(boot_string(table[i].in), table[i].out) != 0)
            fail_msg("%s: \"%s\" became \"%s\"", table[i].loader, table[i].in,
                     boot_string(table[i].in));
    }
    boot_info.loader[0] = '\0';
}

/* Strings that are too long are cut, and a line of the log names them. */
static void cut_strings_are_reported(void **state)
{
    struct tiny_elf *good = malloc(sizeof(*good));
    char line[BOOT_STRING], word[200];

    (void)state;
    strcpy(boot_info.loader, "GRUB 2.06");
    elf_make(good);
    memset(line, 'x', sizeof(line));
    memcpy(line, "name=long mem=5M -- ", 20);
    line[20 + 1700] = '\0';
    add_module(good, sizeof(*good), line);
    memcpy(line, "name=fits mem=5M -- ", 20);
    line[20 + 1023] = '\0';
    add_module(good, sizeof(*good), line);
    memset(line, 'y', sizeof(line) - 1);
    memcpy(line, "name=cut mem=900G -- ", 21);
    line[sizeof(line) - 1] = '\0';
    add_module(good, sizeof(*good), line);
    boot_info.modules[2].cut = 5;
    memset(word, 'w', sizeof(word));
    memcpy(word, "name=", 5);
    strcpy(word + sizeof(word) - 4, " --");
    add_module(good, sizeof(*good), word);
    boot_info.nr_modules_dropped = 7;
    strcpy(boot_info.first_dropped, "the first of seven");
    build_all_domains();
    boot_info.nr_modules_dropped = 0;
    assert_int_equal(strlen((const char *)guest_start_info(domain_by_id(1))->cmd_line), 1023);
    assert_int_equal(strlen((const char *)guest_start_info(domain_by_id(2))->cmd_line), 1023);
    assert_true(console_has("module 0 (long): its command line is cut: "
                            "1023 bytes of 1700 reach the guest"));
    assert_false(console_has("(fits): its"));
    assert_true(console_has("module 2 (cut): its string is cut after 4095 bytes, 5 are lost"));
    assert_true(console_has("module 2 (cut): its command line is cut: "
                            "1023 bytes of 4079 reach the guest"));
    assert_true(console_has("module word \"name=wwww") && console_has("...\" is too long"));
    assert_true(console_has("7 modules are dropped, from number 1024 on (the first of seven)"));
    assert_int_equal(domain_count(), 2);
    free(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_machine(unknown_options_are_reported),
        with_machine(known_options_are_set),
        with_machine(trace_options_are_set),
        with_machine(module_words_are_parsed),
        with_machine(cut_strings_are_reported),
        with_machine(disks_are_collected),
        with_machine(functions_are_collected),
        with_machine(max_ports_is_limited),
        with_machine(sets_of_cpus_are_parsed),
        with_machine(module_file_name_is_dropped),
    };

    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
