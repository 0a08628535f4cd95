/* The boot loader's modules: decides which are guests' kernels, which are ramdisks, and which are
 * files of a guest that hosts a kernel itself (the word vmm, guest-pv/vmm); divides the memory
 * among the guests, and has them built (build.c). The words of a module's string are parsed by
 * module_words.c. For a module that cannot be used, one line with the reason is logged; the other
 * guests are built. Guests are numbered from 1 in the order of their kernels; the number of a
 * guest that could not be built is not used again, so that numbers are predictable. The service
 * domain, which is built first, has number 0. Called once, by main.c. */
#include "arch/arch.h"
#include "common/printf.h"
#include "common/string.h"
#include "xen/boot/boot_info.h"
#include "xen/boot/build.h"
#include "xen/boot/builder.h"
#include "xen/boot/image.h"
#include "xen/boot/mod_list.h"
#include "xen/boot/module_words.h"
#include "xen/boot/modules.h"
#include "xen/boot/service.h"
#include "xen/core/alloc.h"
#include "xen/core/claim.h"
#include "xen/core/domain.h"
#include "xen/core/log.h"
#include "xen/core/trace_control.h"
#include "xen/pv/store.h"

#define MAX_GUESTS ARRAY_SIZE(boot_info.modules)
_Static_assert(BOOT_MODULES < MAX_DOMIDS, "each module may be a guest");
#define RESERVE_FRAMES 512u             /* 2 MiB that are not divided among guests */
#define SERVICE_BYTES (16ull << 20)     /* a service domain's memory without mem= */
#define SHARE_UNIT 256u                 /* shares are multiples of 1 MiB */

struct guest {
    struct domain_config config;
    domid_t id;
    int ramdisk;                        /* number of the module; -1: none */
    bool usable;
    struct domain *domain;              /* NULL: it could not be built */
    struct build *build;                /* between build_load and build_complete */
};
static struct guest guests[MAX_GUESTS];
static unsigned nr_guests, nr_services;
/* frames of the modules, which are freed when all guests are loaded */
static uint64_t files_memory;

static const void *module_data(unsigned i)
{
    return (const char *)mfn_to_virt(boot_info.modules[i].start >> PAGE_SHIFT) +
           (boot_info.modules[i].start & ~PAGE_MASK);
}

/* Logs which part of a module's string nobody gets. */
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

static void add_guest(unsigned module)
{
    struct guest *g = &guests[nr_guests++];
    struct kernel_image image;
    const char *reason;
    int rc = domain_config_parse(boot_string(boot_info.modules[module].string), &g->config);

    g->config.module = module;
    nr_services += g->config.service;
    g->id = (domid_t)(g->config.service ? STORE_DOMID : nr_guests - nr_services);
    if (g->config.name[0] == '\0')
        snprintf(g->config.name, sizeof(g->config.name), "guest%u", g->id);
    if (g->config.service && g->config.mem_bytes == 0)
        g->config.mem_bytes = SERVICE_BYTES;
    check_lengths(g);
    reason = rc != 0                                ? "a word of its string makes no sense"
             : g->config.service && nr_services > 1 ? "there is a service domain already"
             : g->config.service && g->config.vmm   ? "a service domain cannot be a vmm"
                     : image_parse(&image, module_data(module), boot_info.modules[module].size);
    g->ramdisk = -1;
    g->domain = NULL;
    g->usable = reason == NULL;
    if (reason != NULL)
        log_error("module %u (%s): %s", module, g->config.name, reason);
}

/* The modules behind a vmm: the first one, of whatever kind, is the kernel that it will host, the
 * second one that kernel's ramdisk, unless it begins another guest. Returns how many there are. */
static unsigned set_files(struct guest *g)
{
    struct mod_list *l = &g->config.list;
    const char *reason;

    for (unsigned i = g->config.module + 1; l->nr_files < MOD_LIST_FILES; i++) {
        const struct boot_module *m = &boot_info.modules[i];

        if (i >= boot_info.nr_modules ||
            (l->nr_files != 0 && image_is_kernel(module_data(i), m->size)))
            break;
        check_cut(g, i);
        l->file[l->nr_files].data = module_data(i);
        l->file[l->nr_files].size_bytes = m->size;
        l->file[l->nr_files++].string = boot_string(m->string);
    }
    reason = mod_list_check(l);
    if (reason != NULL)
        log_error("module %u (%s): %s", g->config.module, g->config.name, reason);
    g->usable &= reason == NULL;
    return l->nr_files;
}

/* A kernel that cannot be started is reported as such, and not taken for a ramdisk. */
static void sort_modules(void)
{
    nr_guests = nr_services = 0;
    if (boot_info.nr_modules_dropped != 0)
        log_error("%u modules are dropped, from number %u on (%s): there is room for %u",
                  boot_info.nr_modules_dropped, BOOT_MODULES, boot_info.first_dropped,
                  BOOT_MODULES);
    for (unsigned i = 0; i < boot_info.nr_modules; i++) {
        if (nr_guests == 0 || image_is_kernel(module_data(i), boot_info.modules[i].size)) {
            add_guest(i);
            if (guests[nr_guests - 1].config.vmm)
                i += set_files(&guests[nr_guests - 1]);
        } else if (guests[nr_guests - 1].ramdisk < 0 && !guests[nr_guests - 1].config.vmm) {
            guests[nr_guests - 1].ramdisk = (int)i;
        } else {
            log_error("module %u: neither a PV kernel nor the one ramdisk that %s may have", i,
                      guests[nr_guests - 1].config.name);
        }
    }
}

/* A module's trace= needs the ring, which trace_init() did not allocate without a trace= of the
 * hypervisor. It is allocated before memory is divided. */
static void make_room_for_trace(void)
{
    for (unsigned i = 0; i < nr_guests; i++)
        if (guests[i].usable && guests[i].config.trace != TRACE_DEFAULT &&
            guests[i].config.trace != 0) {
            (void)trace_ready();
            return;
        }
}

/* The table of modules is in the hypervisor's image; its frames are freed too when the modules are
 * gone. (In the host tests the image is not in the machine's RAM, and nothing is freed.) */
static void module_table(mfn_t *start, mfn_t *end)
{
    *start = ALIGN_UP(arch_static_maddr(boot_info.modules), PAGE_SIZE) >> PAGE_SHIFT;
    *end = MIN(arch_static_maddr(boot_info.modules + BOOT_MODULES) >> PAGE_SHIFT, max_mfn);
    *start = MIN(*start, *end);
}

uint64_t module_memory(void)
{
    mfn_t start, end;
    uint64_t nr = 0;

    for (unsigned i = 0; i < boot_info.nr_modules; i++)
        if (module_frames(i, &start, &end))
            nr += end - start;
    return nr;
}

/* The memory that guests which are loaded will still get. */
static uint64_t memory_for_guests(void)
{
    uint64_t nr = nr_free_frames() + files_memory;

    return nr - MIN(nr, claimed_frames());
}

/* The share of a guest without mem=: the memory that guests with mem= leave, divided equally. A
 * guest whose mem= is more than there is will not be built, and does not count. */
static uint64_t fair_share(void)
{
    uint64_t left = memory_for_guests();
    unsigned sharers = 0;

    left -= MIN(left, RESERVE_FRAMES);
    for (unsigned i = 0; i < nr_guests; i++) {
        const struct domain_config *c = &guests[i].config;
        uint64_t take = (c->mem_bytes >> PAGE_SHIFT) + OVERHEAD_FRAMES(c->vcpus);

        if (!guests[i].usable || take > left)
            continue;
        left -= take;
        sharers += c->mem_bytes == 0;
    }
    return sharers != 0 ? left / sharers & ~(uint64_t)(SHARE_UNIT - 1) : 0;
}

static struct domain *create(domid_t id, const struct domain_config *c, uint64_t nr_frames)
{
    uint64_t left = memory_for_guests();
    struct domain *d;

    if (nr_frames == 0 || nr_frames > left || nr_frames + OVERHEAD_FRAMES(c->vcpus) > left) {
        log_error("module %u (%s): not enough memory: it wants %lu KiB, %lu KiB are free",
                  c->module, c->name, nr_frames * 4, left * 4);
        return NULL;
    }
    d = domain_create(id, c->name, c->vcpus, nr_frames, c->weight);
    if (d == NULL) {
        log_error("module %u (%s): not enough memory for a domain", c->module, c->name);
        return NULL;
    }
    d->max_port = c->max_port;
    trace_domain(d, c->trace == TRACE_DEFAULT ? trace_config.classes : c->trace);
    return d;
}

static void drop(struct domain *d)
{
    domain_shutdown(d, SHUTDOWN_crash);
    domain_reap();
}

struct domain *build_from(domid_t id, const struct domain_config *c, uint64_t nr_frames,
                          const void *kernel, uint64_t kernel_size, const void *ramdisk,
                          uint64_t ramdisk_size)
{
    struct domain *d = create(id, c, nr_frames);

    if (d == NULL || build_domain(d, c, kernel, kernel_size, ramdisk, ramdisk_size) == 0)
        return d;
    drop(d);
    return NULL;
}

static void load_guest(struct guest *g, uint64_t share)
{
    const struct domain_config *c = &g->config;
    const struct boot_module *kernel = &boot_info.modules[c->module];
    const void *ramdisk = g->ramdisk >= 0 ? module_data((unsigned)g->ramdisk) : NULL;
    uint64_t ramdisk_size =
        g->ramdisk >= 0 ? boot_info.modules[g->ramdisk].size : mod_list_bytes(&c->list);
    struct domain *d = create(g->id, c, c->mem_bytes != 0 ? c->mem_bytes >> PAGE_SHIFT : share);

    if (d != NULL && build_load(d, c, module_data(c->module), kernel->size, ramdisk, ramdisk_size,
                                &g->build) != 0) {
        drop(d);
        d = NULL;
    }
    g->domain = d;
}

static void complete_guest(struct guest *g)
{
    if (build_complete(g->build) != 0) {
        drop(g->domain);
        g->domain = NULL;
    }
    g->build = NULL;
}

bool module_frames(unsigned i, mfn_t *start, mfn_t *end)
{
    const struct boot_module *m = &boot_info.modules[i];

    *start = m->start >> PAGE_SHIFT;
    *end = (m->start + m->size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    for (unsigned j = 0; j < i; j++) {
        const struct boot_module *other = &boot_info.modules[j];
        mfn_t s = other->start >> PAGE_SHIFT,
              e = (other->start + other->size + PAGE_SIZE - 1) >> PAGE_SHIFT;

        if (*start >= s && *start < e)
            *start = e;
        if (*end > s && *end <= e)
            *end = s;
    }
    return *start < *end;
}

static void free_modules(void)
{
    mfn_t start, end;

    for (unsigned i = 0; i < boot_info.nr_modules; i++)
        if (module_frames(i, &start, &end))
            frames_add_range(start, end, true);
    memset(boot_info.modules, 0, boot_info.nr_modules * sizeof(boot_info.modules[0]));
    boot_info.nr_modules = 0;
    module_table(&start, &end);
    frames_add_range(start, end, false);        /* its used part was zeroed above */
    files_memory = 0;
}

static void load_all(bool service, uint64_t share)
{
    for (unsigned i = 0; i < nr_guests; i++)
        if (guests[i].usable && guests[i].config.service == service)
            load_guest(&guests[i], share);
}

/* The service domain must exist before any guest's xenstore page is granted to it. */
static void load_service(uint64_t share)
{
    load_all(true, share);
    for (unsigned i = 0; i < nr_guests; i++) {
        const struct domain_config *c = &guests[i].config;

        if (guests[i].domain == NULL || !c->service)
            continue;
        service_keep(c, module_data(c->module), boot_info.modules[c->module].size);
        store_serve(guests[i].domain);
    }
}

static unsigned start_all(bool service)
{
    unsigned n = 0;

    for (unsigned i = 0; i < nr_guests; i++) {
        if (guests[i].domain == NULL || guests[i].config.service != service)
            continue;
        store_introduce(guests[i].domain);      /* not the service domain itself */
        domain_start(guests[i].domain);
        n++;
    }
    return n;
}

/* First all guests are loaded, then the modules' memory is freed and the guests get the rest of
 * theirs, then they start: the service domain first. */
void build_all_domains(void)
{
    mfn_t start, end;
    unsigned nr_built;
    uint64_t share;

    module_table(&start, &end);
    files_memory = module_memory() + (end - start);
    log_info("memory: %lu frames free before guests", memory_for_guests());
    sort_modules();
    make_room_for_trace();
    share = fair_share();
    load_service(share);
    load_all(false, share);
    free_modules();
    for (unsigned i = 0; i < nr_guests; i++)
        if (guests[i].domain != NULL)
            complete_guest(&guests[i]);
    start_all(true);
    nr_built = start_all(false);
    if (nr_built == 0)
        log_error("No guest could be started: %s.", nr_guests == 0
                                                        ? "the boot loader gave no module"
                                                        : "no module is a usable PV kernel");
}
