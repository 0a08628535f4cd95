/* Which of the boot loader's modules is what: guests' kernels, ramdisks, and the files of a guest
 * that hosts a kernel itself (the word vmm; guest-pv/vmm). The words of a module's string are
 * parsed by module_words.c. For a module that cannot be used one line with the reason is logged.
 * Guests are numbered from 1 in the order of their kernels; the number of a guest that cannot be
 * built is not used again, so that numbers are predictable. The service domain has number 0. Called
 * once, by modules.c, which builds the guests. */
#include "arch/arch.h"
#include "common/printf.h"
#include "common/string.h"
#include "xen/boot/boot_info.h"
#include "xen/boot/guest_list.h"
#include "xen/boot/image.h"
#include "xen/boot/mod_list.h"
#include "xen/boot/module_words.h"
#include "xen/core/domain.h"
#include "xen/core/log.h"
#include "xen/pv/store.h"

_Static_assert(BOOT_MODULES < MAX_DOMIDS, "each module may be a guest");
/* The memory of a service domain without mem=: at least so much, and for each guest what the store
 * may keep for it (guest-pv/store/store.h) and its connection. */
#define SERVICE_BYTES (16ull << 20)
#define SERVICE_OWN_BYTES (6ull << 20)
#define SERVICE_BYTES_PER_GUEST (384ull << 10)
/* Of a driver domain without mem=: for itself and the machine's devices; its ramdisk, whose RAM
 * disks are used in place; and for each device of a guest, a vif with its packets. */
#define DRIVER_BYTES (16ull << 20)
#define DRIVER_BYTES_PER_DISK (64ull << 10)
#define DRIVER_BYTES_PER_VIF (1536ull << 10)

struct guest guests[BOOT_MODULES];
unsigned nr_guests;
static unsigned nr_services, nr_drivers;

const void *module_data(unsigned i)
{
    return (const char *)mfn_to_virt(boot_info.modules[i].start >> PAGE_SHIFT) +
           (boot_info.modules[i].start & ~PAGE_MASK);
}

/* Logs which part of a module's string is cut off. */
static void check_cut(const struct guest *g, unsigned module)
{
    const struct boot_module *m = &boot_info.modules[module];

    if (m->cut != 0)
        log_error("module %u (%s): its string is cut after %lu bytes, %lu are lost", module,
                  g->config.name, strlen(m->string), m->cut);
}

static void check_lengths(const struct guest *g)
{
    const struct boot_module *m = &boot_info.modules[g->config.module];
    size_t len = strlen(g->config.cmdline);

    check_cut(g, g->config.module);
    if (len >= MAX_GUEST_CMDLINE)
        log_error("module %u (%s): its command line is cut: %lu bytes of %lu reach the guest",
                  g->config.module, g->config.name, MAX_GUEST_CMDLINE - 1ul, len + m->cut);
}

void guest_files(const struct guest *g, struct mod_list *l)
{
    l->nr_files = g->nr_files;
    for (unsigned i = 0; i < g->nr_files; i++) {
        const struct boot_module *m = &boot_info.modules[g->config.module + 1 + i];

        l->file[i].data = module_data(g->config.module + 1 + i);
        l->file[i].size_bytes = m->size;
        l->file[i].string = boot_string(m->string);
    }
}

/* The modules behind a vmm: the first one, of whatever kind, is the kernel that it will host, the
 * second one that kernel's ramdisk, unless it begins another guest. */
static void find_files(struct guest *g)
{
    struct mod_list list;
    const char *reason;

    for (unsigned i = g->config.module + 1; g->nr_files < MOD_LIST_FILES; i++) {
        if (i >= boot_info.nr_modules ||
            (g->nr_files != 0 && image_is_kernel(module_data(i), boot_info.modules[i].size)))
            break;
        check_cut(g, i);
        g->nr_files++;
    }
    guest_files(g, &list);
    reason = mod_list_check(&list);
    if (reason != NULL)
        log_error("module %u (%s): %s", g->config.module, g->config.name, reason);
    g->usable &= reason == NULL;
}

static void add_guest(unsigned module)
{
    struct guest *g = &guests[nr_guests++];
    struct kernel_image image;
    const char *reason;
    int rc = domain_config_parse(boot_string(boot_info.modules[module].string), &g->config);

    g->config.module = module;
    nr_services += g->config.service;
    nr_drivers += g->config.driver;
    g->id = (domid_t)(g->config.service ? STORE_DOMID : nr_guests - nr_services);
    if (g->config.name[0] == '\0')
        snprintf(g->config.name, sizeof(g->config.name), "guest%u", g->id);
    check_lengths(g);
    reason = rc != 0                                ? "a word of its string makes no sense"
             : g->config.service && nr_services > 1 ? "there is a service domain already"
             : g->config.driver && nr_drivers > 1   ? "there is a driver domain already"
             : g->config.service + g->config.vmm + g->config.driver > 1
                 ? "service, driver and vmm exclude each other"
                     : image_parse(&image, module_data(module), boot_info.modules[module].size);
    g->ramdisk = -1;
    g->nr_files = 0;
    g->domain = NULL;
    g->usable = reason == NULL;
    if (reason != NULL)
        log_error("module %u (%s): %s", module, g->config.name, reason);
    if (g->config.vmm)
        find_files(g);
}

static uint64_t service_bytes(void)
{
    return MAX(SERVICE_BYTES, SERVICE_OWN_BYTES + nr_guests * SERVICE_BYTES_PER_GUEST);
}

static uint64_t driver_bytes(const struct guest *g)
{
    uint64_t bytes = DRIVER_BYTES;

    if (g->ramdisk >= 0)
        bytes += ALIGN_UP(boot_info.modules[g->ramdisk].size, PAGE_SIZE);
    for (unsigned i = 0; i < nr_guests; i++)
        for (const char *word = guests[i].config.devices; *word != '\0'; word += strlen(word) + 1)
            bytes += *word == 'v' ? DRIVER_BYTES_PER_VIF : DRIVER_BYTES_PER_DISK;
    return bytes;
}

/* What the store and the driver domain need for the guests that there are. */
static void size_services(void)
{
    for (unsigned i = 0; i < nr_guests; i++) {
        struct guest *g = &guests[i];

        if (g->config.mem_bytes == 0 && g->config.service)
            g->config.mem_bytes = service_bytes();
        else if (g->config.mem_bytes == 0 && g->config.driver)
            g->config.mem_bytes = driver_bytes(g);
    }
}

/* A kernel that cannot be started is reported as such, and not taken for a ramdisk. */
void guest_list_make(void)
{
    nr_guests = nr_services = nr_drivers = 0;
    if (boot_info.nr_modules_dropped != 0)
        log_error("%u modules are dropped, from number %u on (%s): there is room for %u",
                  boot_info.nr_modules_dropped, BOOT_MODULES, boot_info.first_dropped,
                  BOOT_MODULES);
    for (unsigned i = 0; i < boot_info.nr_modules; i++) {
        if (nr_guests == 0 || image_is_kernel(module_data(i), boot_info.modules[i].size)) {
            add_guest(i);
            i += guests[nr_guests - 1].nr_files;
        } else if (guests[nr_guests - 1].ramdisk < 0 && !guests[nr_guests - 1].config.vmm) {
            guests[nr_guests - 1].ramdisk = (int)i;
        } else {
            log_error("module %u: neither a PV kernel nor the one ramdisk that %s may have", i,
                      guests[nr_guests - 1].config.name);
        }
    }
    size_services();
}
