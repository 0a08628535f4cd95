/* Words of the boot loader's command lines: the hypervisor's options, the words of a module, and
 * what each module becomes. */
#include "arch/arch.h"
#include "cmocka_main.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "support.h"
#include "xen/boot/boot_info.h"
#include "xen/boot/cmdline.h"
#include "xen/boot/module_words.h"
#include "xen/boot/modules.h"
#include "xen/core/alloc.h"
#include "xen/core/claim.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/guest_log.h"
#include "xen/core/log.h"
#include "xen/core/options.h"
#include "xen/core/sched.h"
#include "xen/core/trace.h"
#include "xen/core/trace_control.h"

static void says_what_it_ignores(void **state)
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

static void sets_what_it_knows(void **state)
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
static void sets_what_is_traced(void **state)
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

static void reads_module_words(void **state)
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

static void limits_ports(void **state)
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

static void drops_the_file_name(void **state)
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

static void add_module(const void *data, size_t size, const char *string)
{
    struct boot_module *m = &boot_info.modules[boot_info.nr_modules++];
    unsigned order = 0;
    mfn_t mfn;

    while (PAGE_SIZE << order < size)
        order++;
    mfn = alloc_frames(order);
    memcpy(mfn_to_virt(mfn), data, size);
    m->start = mfn << PAGE_SHIFT;
    m->size = PAGE_SIZE << order;       /* all of it: build_all_domains gives it back */
    strcpy(m->string, string);
}

/* Strings that are too long are cut, and a line of the log names them. */
static void says_what_is_cut(void **state)
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

static void modules_become_guests(void **state)
{
    struct tiny_elf *good = malloc(sizeof(*good)), *broken = malloc(sizeof(*broken));
    static const char ramdisk[PAGE_SIZE] = "ramdisk";
    struct domain *d;

    (void)state;
    strcpy(boot_info.loader, "GRUB 2.06");
    elf_make(good);
    elf_make(broken);
    broken->eh.machine = 3;
    add_module(good, sizeof(*good), "name=first mem=5M -- one");
    add_module(ramdisk, sizeof(ramdisk), "");
    add_module(ramdisk, sizeof(ramdisk), "too many");
    add_module(broken, sizeof(*broken), "name=second --");
    add_module(good, sizeof(*good), "mem=900G -- x");
    add_module(good, sizeof(*good), "mem=5M vcpus=3 -- four");
    build_all_domains();
    assert_true(console_has("module 2"));
    assert_true(console_has("another processor"));
    assert_true(console_has("module 4") && console_has("not enough memory"));
    assert_int_equal(domain_count(), 2);
    d = domain_by_id(1);
    assert_string_equal(d->name, "first");
    assert_int_equal(guest_start_info(d)->mod_len, sizeof(ramdisk));
    assert_string_equal((const char *)guest_start_info(d)->cmd_line, "one");
    d = domain_by_id(4);
    assert_int_equal(d->nr_vcpus, 3);
    assert_null(domain_by_id(2));
    audit();
    free(good);
    free(broken);
}

/* It was meant as a kernel, so the guest before it must not get it as a ramdisk. */
static void bzimage_is_no_ramdisk(void **state)
{
    struct tiny_elf *good = malloc(sizeof(*good));
    static char packed[PAGE_SIZE];

    (void)state;
    strcpy(boot_info.loader, "GRUB 2.06");
    elf_make(good);
    memcpy(packed + 0x202, "HdrS", 4);
    add_module(good, sizeof(*good), "name=first mem=5M --");
    add_module(packed, sizeof(packed), "name=second mem=5M --");
    build_all_domains();
    assert_true(console_has("module 1 (second): a bzImage"));
    assert_int_equal(domain_count(), 1);
    assert_int_equal(guest_start_info(domain_by_id(1))->mod_len, 0);
    free(good);
}

/* A vmm gets the module behind it, an ELF file with notes, and the ramdisk behind that, as a list;
 * the next kernel begins a guest again. */
static void vmm_gets_files(void **state)
{
    struct tiny_elf *good = malloc(sizeof(*good));
    static char ramdisk[2 * PAGE_SIZE] = "ramdisk";
    struct xen_multiboot_mod_list list[3];
    const struct start_info *si;
    char string[40];
    uint8_t *inside = malloc(sizeof(*good));

    (void)state;
    strcpy(boot_info.loader, "GRUB 2.06");
    elf_make(good);
    add_module(good, sizeof(*good), "name=host mem=6M vmm -- way=emulate");
    add_module(good, sizeof(*good), "console=ttyS0 -- more");
    add_module(ramdisk, sizeof(ramdisk), "its words");
    add_module(ramdisk, sizeof(ramdisk), "too many");
    add_module(good, sizeof(*good), "name=next mem=5M --");
    add_module(ramdisk, PAGE_SIZE, "");
    boot_info.modules[1].cut = 3;
    build_all_domains();
    assert_int_equal(domain_count(), 2);
    assert_string_equal(domain_by_id(2)->name, "next");
    assert_int_equal(guest_start_info(domain_by_id(2))->flags & SIF_MULTIBOOT_MOD, 0);
    assert_int_equal(guest_start_info(domain_by_id(2))->mod_len, PAGE_SIZE);
    assert_true(console_has("module 1 (host): its string is cut after 21 bytes, 3 are lost"));
    assert_true(console_has("module 3: neither a PV kernel nor the one ramdisk "
                            "that host may have"));
    si = guest_start_info(domain_by_id(1));
    assert_int_equal(si->flags & SIF_MULTIBOOT_MOD, SIF_MULTIBOOT_MOD);
    assert_string_equal((const char *)si->cmd_line, "way=emulate");
    host_become(domain_by_id(1)->vcpu[0]);
    guest_get(list, si->mod_start, sizeof(list));
    assert_int_equal(list[0].mod_start, PAGE_SIZE);
    assert_true(list[0].mod_end - list[0].mod_start + 1 >= sizeof(*good));
    assert_int_equal(list[1].mod_start, list[0].mod_end + 1);
    assert_int_equal(list[1].mod_end - list[1].mod_start + 1, sizeof(ramdisk));
    assert_int_equal(list[1].mod_end + 1, si->mod_len);
    assert_int_equal(list[2].mod_start, 0);
    guest_get(string, si->mod_start + list[0].cmdline, sizeof("console=ttyS0 -- more"));
    assert_string_equal(string, "console=ttyS0 -- more");
    guest_get(string, si->mod_start + list[1].cmdline, sizeof("its words"));
    assert_string_equal(string, "its words");
    guest_get(inside, si->mod_start + list[0].mod_start, sizeof(*good));
    assert_memory_equal(inside, good, sizeof(*good));
    guest_get(inside, si->mod_start + list[1].mod_start, PAGE_SIZE);
    assert_memory_equal(inside, ramdisk, PAGE_SIZE);
    audit();
    free(inside);
    free(good);
}

/* Without a kernel to host, and with more bytes than the list has numbers for. */
static void vmm_is_refused(void **state)
{
    struct mod_list large = { 2, { { NULL, PAGE_SIZE + 1, "" },
                                   { NULL, (4ull << 30) - 3 * PAGE_SIZE - 1, "" } } };
    struct tiny_elf *good = malloc(sizeof(*good));

    (void)state;
    strcpy(boot_info.loader, "GRUB 2.06");
    elf_make(good);
    add_module(good, sizeof(*good), "name=keeper service vmm --");
    add_module(good, sizeof(*good), "hosted by nobody");
    add_module(good, sizeof(*good), "name=fine mem=6M vmm --");
    add_module(good, sizeof(*good), "name=hosted --");
    add_module(good, sizeof(*good), "name=last mem=5M vmm --");
    build_all_domains();
    assert_true(console_has("module 0 (keeper): a service domain cannot be a vmm"));
    assert_true(console_has("module 4 (last): a vmm, and no module behind it"));
    assert_int_equal(domain_count(), 1);
    assert_string_equal(domain_by_id(1)->name, "fine");
    free(good);
    assert_null(mod_list_check(&large));
    large.file[1].size_bytes++;
    assert_string_equal(mod_list_check(&large),
                        "its guest's kernel and ramdisk have 4 GiB or more");
}

/* Wherever its module stands, the service gets number 0 and is made first; there is at most one. */
static void one_service_domain(void **state)
{
    struct tiny_elf *good = malloc(sizeof(*good));

    (void)state;
    strcpy(boot_info.loader, "GRUB 2.06");
    elf_make(good);
    add_module(good, sizeof(*good), "name=first mem=4M --");
    add_module(good, sizeof(*good), "service name=keeper mem=4M --");
    add_module(good, sizeof(*good), "service name=rival mem=4M --");
    add_module(good, sizeof(*good), "mem=4M -- service");
    build_all_domains();
    assert_true(console_has("module 2 (rival): there is a service domain already"));
    assert_int_equal(domain_count(), 3);
    assert_string_equal(domain_by_id(0)->name, "keeper");
    assert_string_equal(domain_by_id(1)->name, "first");
    assert_string_equal(domain_by_id(2)->name, "guest2");
    assert_int_equal(guest_start_info(domain_by_id(0))->store_evtchn, 0);
    assert_int_equal(guest_start_info(domain_by_id(1))->store_evtchn, 1);
    assert_int_equal(guest_start_info(domain_by_id(2))->store_evtchn, 1);
    free(good);
}

/* A guest without mem= gets the memory of the module files as well, although they stay until it is
 * loaded. */
static void files_give_their_memory(void **state)
{
    static uint8_t ramdisk[1 << 20];
    struct tiny_elf *good = malloc(sizeof(*good));
    uint64_t all = nr_free_frames();
    const struct start_info *si;
    struct domain *d;

    (void)state;
    strcpy(boot_info.loader, "GRUB 2.06");
    elf_make(good);
    memset(ramdisk, 0x5a, sizeof(ramdisk));
    add_module(good, sizeof(*good), "name=all --");
    add_module(ramdisk, sizeof(ramdisk), "");
    assert_true(nr_free_frames() < all - 256);
    build_all_domains();
    d = domain_by_id(1);
    assert_non_null(d);
    /* whole MiB, without what is kept back */
    assert_int_equal(d->max_frames, (all - 512 - 64 - 16 - DOMAIN_RESERVE) & ~255ull);
    assert_int_equal(d->nr_frames, d->max_frames);
    audit();
    si = guest_start_info(d);
    host_become(d->vcpu[0]);
    for (pfn_t pfn = 0; pfn < d->max_frames; pfn++) {
        uint64_t mfn;

        guest_get(&mfn, si->mfn_list + 8 * pfn, 8);
        assert_int_equal(m2p_table[mfn], pfn);
        assert_int_equal(mfn_to_frame(mfn)->owner, d->mfn);
    }
    for (uint64_t at = 0; at < sizeof(ramdisk); at += PAGE_SIZE) {
        uint8_t page[PAGE_SIZE];

        guest_get(page, si->mod_start + at, PAGE_SIZE);
        assert_memory_equal(page, ramdisk, PAGE_SIZE);
    }
    free(good);
}

/* Memory that is promised to a loaded guest is not given to the next one. */
static void memory_is_promised_once(void **state)
{
    struct tiny_elf *good = malloc(sizeof(*good));
    char words[64];

    (void)state;
    strcpy(boot_info.loader, "GRUB 2.06");
    elf_make(good);
    snprintf(words, sizeof(words), "name=first mem=%luK --", (nr_free_frames() - 2000) * 4);
    add_module(good, sizeof(*good), words);
    add_module(good, sizeof(*good), "name=second mem=8M --");
    add_module(good, sizeof(*good), "name=third mem=5M --");
    build_all_domains();
    assert_int_equal(domain_count(), 2);
    assert_non_null(domain_by_id(1));
    assert_true(console_has("(second): not enough memory: it wants 8192 KiB"));
    assert_int_equal(domain_by_id(3)->nr_frames, 1280);
    audit();
    free(good);
}

static void no_guest_is_said(void **state)
{
    (void)state;
    boot_info.nr_modules = 0;
    build_all_domains();
    assert_int_equal(domain_count(), 0);
    assert_true(console_has("No guest could be started"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_machine(says_what_it_ignores), with_machine(sets_what_it_knows),
        with_machine(sets_what_is_traced), with_machine(reads_module_words),
        with_machine(says_what_is_cut), with_machine(limits_ports),
        with_machine(drops_the_file_name), with_machine(modules_become_guests),
        with_machine(bzimage_is_no_ramdisk), with_machine(one_service_domain),
        with_machine(vmm_gets_files), with_machine(vmm_is_refused),
        with_machine(files_give_their_memory), with_machine(memory_is_promised_once),
        with_machine(no_guest_is_said),
    };

    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
