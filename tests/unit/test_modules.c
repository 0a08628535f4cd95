/* What each module becomes: a guest, its ramdisk, files of a vmm, the service; and the memory that
 * guests get. */
#include <stdio.h>
#include <stdlib.h>
#include "cmocka_main.h"
#include "modules_fixture.h"
#include "pci_fixture.h"
#include "support.h"
#include "xen/boot/guest_list.h"
#include "xen/boot/modules.h"
#include "xen/core/claim.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/options.h"

static struct tiny_elf good;

/* Adds a module that is a kernel. */
static void add_guest(const char *string)
{
    strcpy(boot_info.loader, "GRUB 2.06");
    elf_make(&good);
    add_module(&good, sizeof(good), string);
}

static void modules_become_guests(void **state)
{
    struct tiny_elf *broken = malloc(sizeof(*broken));
    static const char ramdisk[PAGE_SIZE] = "ramdisk";
    struct domain *d;

    (void)state;
    elf_make(broken);
    broken->eh.machine = 3;
    add_guest("name=first mem=5M -- one");
    add_module(ramdisk, sizeof(ramdisk), "");
    add_module(ramdisk, sizeof(ramdisk), "too many");
    add_module(broken, sizeof(*broken), "name=second --");
    add_guest("mem=900G -- x");
    add_guest("mem=5M vcpus=3 -- four");
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
    free(broken);
}

/* It was meant as a kernel, so the guest before it must not get it as a ramdisk. */
static void bzimage_is_no_ramdisk(void **state)
{
    static char packed[PAGE_SIZE];

    (void)state;
    memcpy(packed + 0x202, "HdrS", 4);
    add_guest("name=first mem=5M --");
    add_module(packed, sizeof(packed), "name=second mem=5M --");
    build_all_domains();
    assert_true(console_has("module 1 (second): a bzImage"));
    assert_int_equal(domain_count(), 1);
    assert_int_equal(guest_start_info(domain_by_id(1))->mod_len, 0);
}

/* A vmm gets the module behind it, an ELF file with notes, and the ramdisk behind that, as a list;
 * the next kernel begins a guest again. */
static void vmm_gets_files(void **state)
{
    static char ramdisk[2 * PAGE_SIZE] = "ramdisk";
    struct xen_multiboot_mod_list list[3];
    const struct start_info *si;
    char string[40];
    uint8_t *inside = malloc(sizeof(good));

    (void)state;
    add_guest("name=host mem=6M vmm -- way=emulate");
    add_guest("console=ttyS0 -- more");
    add_module(ramdisk, sizeof(ramdisk), "its words");
    add_module(ramdisk, sizeof(ramdisk), "too many");
    add_guest("name=next mem=5M --");
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
    assert_true(list[0].mod_end - list[0].mod_start + 1 >= sizeof(good));
    assert_int_equal(list[1].mod_start, list[0].mod_end + 1);
    assert_int_equal(list[1].mod_end - list[1].mod_start + 1, sizeof(ramdisk));
    assert_int_equal(list[1].mod_end + 1, si->mod_len);
    assert_int_equal(list[2].mod_start, 0);
    guest_get(string, si->mod_start + list[0].cmdline, sizeof("console=ttyS0 -- more"));
    assert_string_equal(string, "console=ttyS0 -- more");
    guest_get(string, si->mod_start + list[1].cmdline, sizeof("its words"));
    assert_string_equal(string, "its words");
    guest_get(inside, si->mod_start + list[0].mod_start, sizeof(good));
    assert_memory_equal(inside, &good, sizeof(good));
    guest_get(inside, si->mod_start + list[1].mod_start, PAGE_SIZE);
    assert_memory_equal(inside, ramdisk, PAGE_SIZE);
    audit();
    free(inside);
}

/* Without mem= its memory holds its disks and what each device of a guest needs. */
static void driver_has_room_for_its_disks(void **state)
{
    static char image[32 * PAGE_SIZE];

    (void)state;
    add_guest("driver --");
    add_module(image, sizeof(image), "");
    guest_list_make();
    assert_int_equal(guests[0].config.mem_bytes, (16 << 20) + sizeof(image));
    add_guest("mem=4M disk=ram0,xvda,w vif vif --");
    add_guest("mem=4M disk=ram1,xvda,w --");
    guest_list_make();
    assert_int_equal(guests[0].config.mem_bytes,
                     (16 << 20) + sizeof(image) + 2 * (64 << 10) + 2 * (1536 << 10));
    strcpy(boot_info.modules[0].string, "mem=5M driver --");
    build_all_domains();
    assert_int_equal(domain_by_id(1)->max_frames, (5 << 20) / PAGE_SIZE);
    assert_int_equal(guest_start_info(domain_by_id(1))->mod_len, sizeof(image));
}

/* Without mem= it can keep what each guest may have. */
static void service_has_room_for_its_guests(void **state)
{
    (void)state;
    add_guest("service --");
    guest_list_make();
    assert_int_equal(guests[0].config.mem_bytes, 16 << 20);
    for (unsigned i = 1; i < 64; i++)
        add_guest("mem=900G --");
    guest_list_make();
    assert_int_equal(guests[0].config.mem_bytes, (6 << 20) + 64 * (384 << 10));
    build_all_domains();                /* nothing fits */
}

/* Guests with disks are told to the service with them. */
static void driver_and_disks(void **state)
{
    struct xencons_interface *ring;
    char told[512] = "";

    (void)state;
    add_guest("name=store mem=4M service --");
    add_guest("name=driver mem=4M driver --");
    add_guest("name=a mem=4M disk=ram0,xvda,w vif vif=02:00:00:00:00:01,strict --");
    add_guest("name=c mem=4M driver --");
    build_all_domains();
    assert_int_equal(domain_count(), 3);
    assert_true(console_has("module 3 (c): there is a driver domain already"));
    assert_true(domain_by_id(1)->serves && !domain_by_id(2)->serves);
    ring = domain_by_id(STORE_DOMID)->console_ring;
    for (unsigned n = 0; ring->in_cons != ring->in_prod; n++)
        told[n] = ring->in[ring->in_cons++ % sizeof(ring->in)];
    assert_string_equal(told, "driver 1\nintroduce 1 driver 4096 1\n"
                              "device 2 1 disk=ram0,xvda,w\ndevice 2 1 vif=\n"
                              "device 2 1 vif=02:00:00:00:00:01,strict\n"
                              "introduce 2 a 4096 1\n");
}

/* Without a kernel to host, and with more bytes than the list has numbers for. */
static void vmm_is_refused(void **state)
{
    struct mod_list large = { 2, { { NULL, PAGE_SIZE + 1, "" },
                                   { NULL, (4ull << 30) - 3 * PAGE_SIZE - 1, "" } } };

    (void)state;
    add_guest("name=keeper service vmm --");
    add_guest("hosted by nobody");
    add_guest("name=fine mem=6M vmm --");
    add_guest("name=hosted --");
    add_guest("name=last mem=5M vmm --");
    build_all_domains();
    assert_true(console_has("module 0 (keeper): service, driver and vmm exclude each other"));
    assert_true(console_has("module 4 (last): a vmm, and no module behind it"));
    assert_int_equal(domain_count(), 1);
    assert_string_equal(domain_by_id(1)->name, "fine");
    assert_null(mod_list_check(&large));
    large.file[1].size_bytes++;
    assert_string_equal(mod_list_check(&large),
                        "its guest's kernel and ramdisk have 4 GiB or more");
}

/* Wherever its module stands, the service gets number 0 and is made first; there is at most one. */
static void service_is_domain_0_wherever_its_module_is(void **state)
{
    (void)state;
    add_guest("name=first mem=4M --");
    add_guest("service name=keeper mem=4M --");
    add_guest("service name=rival mem=4M --");
    add_guest("mem=4M -- service");
    build_all_domains();
    assert_true(console_has("module 2 (rival): there is a service domain already"));
    assert_int_equal(domain_count(), 3);
    assert_string_equal(domain_by_id(0)->name, "keeper");
    assert_string_equal(domain_by_id(1)->name, "first");
    assert_string_equal(domain_by_id(2)->name, "guest2");
    assert_int_equal(guest_start_info(domain_by_id(0))->store_evtchn, 0);
    assert_int_equal(guest_start_info(domain_by_id(1))->store_evtchn, 1);
    assert_int_equal(guest_start_info(domain_by_id(2))->store_evtchn, 1);
}

/* A guest without mem= gets the memory of the module files as well, although they stay until it is
 * loaded. */
static void memory_of_module_files_goes_to_guests(void **state)
{
    static uint8_t ramdisk[1 << 20];
    uint64_t all = nr_free_frames();
    const struct start_info *si;
    struct domain *d;

    (void)state;
    memset(ramdisk, 0x5a, sizeof(ramdisk));
    add_guest("name=all --");
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
}

/* Memory that is promised to a loaded guest is not given to the next one. */
static void memory_is_promised_once(void **state)
{
    char words[64];

    (void)state;
    snprintf(words, sizeof(words), "name=first mem=%luK --", (nr_free_frames() - 2000) * 4);
    add_guest(words);
    add_guest("name=second mem=8M --");
    add_guest("name=third mem=5M --");
    build_all_domains();
    assert_int_equal(domain_count(), 2);
    assert_non_null(domain_by_id(1));
    assert_true(console_has("(second): not enough memory: it wants 8192 KiB"));
    assert_int_equal(domain_by_id(3)->nr_frames, 1280);
    audit();
}

/* What a word names is not the driver domain's; what it names wrongly has a line. */
static void functions_are_given_by_words(void **state)
{
    (void)state;
    add_guest("name=driver driver mem=4M --");
    add_guest("name=one mem=4M pci=01:00.0,00:09.0,00:01.1 --");
    add_guest("name=two mem=4M pci=01:00.0 --");
    build_all_domains();
    assert_int_equal(domain_count(), 3);
    assert_non_null(pci_find(domain_by_id(2), CARD >> 8, CARD & 0xff));
    assert_null(pci_find(domain_by_id(2), 0, DISK));
    assert_non_null(pci_find(domain_by_id(1), 0, DISK));
    assert_null(pci_find(domain_by_id(1), CARD >> 8, CARD & 0xff));
    assert_false(pci_owns(domain_by_id(3)));
    assert_true(console_has("d2 (one): pci=00:09.0: there is no such virtio disk"));
    assert_true(console_has("d2 (one): pci=00:01.1: there is no such virtio disk"));
    assert_true(console_has("d3 (two): pci=01:00.0: d2 has it already"));
    assert_true(console_has("d1 (driver) gets 1 PCI functions"));
}

static void machine_without_guests_says_so(void **state)
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
        with_machine(modules_become_guests),
        with_machine(bzimage_is_no_ramdisk),
        with_machine(service_is_domain_0_wherever_its_module_is),
        with_machine(vmm_gets_files),
        with_machine(driver_has_room_for_its_disks),
        with_machine(service_has_room_for_its_guests),
        with_machine(driver_and_disks),
        with_machine(vmm_is_refused),
        with_machine(memory_of_module_files_goes_to_guests),
        with_machine(memory_is_promised_once),
        plugged(functions_are_given_by_words),
        with_machine(machine_without_guests_says_so),
    };

    return cmocka_run_group_tests_name("modules", tests, NULL, NULL);
}
