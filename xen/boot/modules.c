/* From the boot loader's modules to running guests: divides the memory among the guests that
 * guest_list.c has found, has each built (build.c), and frees the modules' memory in between. For a
 * guest that cannot be built one line with the reason is logged; the others are built. Called once,
 * by main.c. */
#include "arch/arch.h"
#include "common/string.h"
#include "xen/boot/boot_info.h"
#include "xen/boot/build.h"
#include "xen/boot/builder.h"
#include "xen/boot/guest_list.h"
#include "xen/boot/mod_list.h"
#include "xen/boot/module_words.h"
#include "xen/boot/modules.h"
#include "xen/boot/service.h"
#include "xen/core/alloc.h"
#include "xen/core/claim.h"
#include "xen/core/domain.h"
#include "xen/core/log.h"
#include "xen/core/pci.h"
#include "xen/core/sched.h"
#include "xen/core/sched_place.h"
#include "xen/core/trace_control.h"
#include "xen/pv/store.h"

#define RESERVE_FRAMES 512u             /* 2 MiB that are not divided among guests */
#define SHARE_UNIT 256u                 /* shares are multiples of 1 MiB */

/* frames of the modules, which are freed when all guests are loaded */
static uint64_t files_memory;

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

/* A set without a CPU that came up is no use: then all are meant. */
static struct cpu_set usable(const struct domain_config *c, struct cpu_set set, const char *word)
{
    for (unsigned i = 0; i < sched_nr_cpus; i++)
        if (cpu_in(&set, i))
            return set;
    log_warning("module %u (%s): %s= names no CPU that runs guests: all are allowed", c->module,
                c->name, word);
    memset(&set, 0xff, sizeof(set));
    return set;
}

/* Its vCPUs were created with all CPUs allowed. */
static void place(struct domain *d, const struct domain_config *c)
{
    struct vcpu *v;
    unsigned i;

    d->cpus = usable(c, c->cpus, "cpus");
    d->cpus_soft = usable(c, c->cpus_soft, "cpus_soft");
    for_each_vcpu(d, v, i)
        v->cpu = first_cpu_of(v);
}

static bool fits(const struct domain_config *c, uint64_t nr_frames)
{
    uint64_t left = memory_for_guests();

    if (nr_frames != 0 && nr_frames <= left && nr_frames + OVERHEAD_FRAMES(c->vcpus) <= left)
        return true;
    log_error("module %u (%s): not enough memory: it wants %lu KiB, %lu KiB are free", c->module,
              c->name, nr_frames * 4, left * 4);
    return false;
}

static struct domain *create(domid_t id, const struct domain_config *c, uint64_t nr_frames)
{
    struct domain *d = domain_create(id, c->name, c->vcpus, nr_frames, c->weight);

    if (d == NULL) {
        log_error("module %u (%s): not enough memory for a domain", c->module, c->name);
        return NULL;
    }
    d->max_port = c->max_port;
    d->serves |= c->driver;
    memcpy(d->devices, c->devices, sizeof(d->devices));
    d->cap = c->cap;
    place(d, c);
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

/* The files are needed no longer than this takes. */
static int load_files(struct guest *g, struct domain *d)
{
    struct domain_config *c = &g->config;
    const void *kernel = module_data(c->module);
    uint64_t kernel_size = boot_info.modules[c->module].size;
    struct mod_list list;
    int rc;

    if (g->nr_files == 0) {
        const void *ramdisk = g->ramdisk >= 0 ? module_data((unsigned)g->ramdisk) : NULL;
        uint64_t size = g->ramdisk >= 0 ? boot_info.modules[g->ramdisk].size : 0;

        return build_load(d, c, kernel, kernel_size, ramdisk, size, &g->build);
    }
    guest_files(g, &list);
    c->list = &list;
    rc = build_load(d, c, kernel, kernel_size, NULL, mod_list_bytes(&list), &g->build);
    c->list = NULL;
    return rc;
}

static void load_guest(struct guest *g, uint64_t share)
{
    const struct domain_config *c = &g->config;
    uint64_t nr_frames = c->mem_bytes != 0 ? c->mem_bytes >> PAGE_SHIFT : share;
    struct domain *d = fits(c, nr_frames) ? create(g->id, c, nr_frames) : NULL;

    if (d != NULL && load_files(g, d) != 0) {
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

/* So that it can be started again. Not if the copy of its kernel might take what was promised to
 * guests. */
static void keep(const struct guest *g)
{
    struct domain_config c = g->config;
    uint64_t size = boot_info.modules[c.module].size;

    c.mem_bytes = g->domain->max_frames << PAGE_SHIFT;
    if (memory_for_guests() > RESERVE_FRAMES / 2 + 2 * (size >> PAGE_SHIFT) || c.service)
        service_keep(c.service ? SERVICE_STORE : SERVICE_DRIVER, g->id, &c,
                     module_data(c.module), size);
}

static void load_all(bool service, uint64_t share)
{
    for (unsigned i = 0; i < nr_guests; i++) {
        if (!guests[i].usable || guests[i].config.service != service)
            continue;
        load_guest(&guests[i], share);
        if (guests[i].domain != NULL && guests[i].config.driver)
            keep(&guests[i]);
    }
}

/* The service domain must exist before any guest's xenstore page is granted to it. */
static void load_service(uint64_t share)
{
    load_all(true, share);
    for (unsigned i = 0; i < nr_guests; i++) {
        const struct domain_config *c = &guests[i].config;

        if (guests[i].domain == NULL || !c->service)
            continue;
        keep(&guests[i]);
        store_serve(guests[i].domain);
    }
}

/* Those that its words name, or, for the driver domain, all that no words name. */
static void give_functions(const struct guest *g)
{
    unsigned n = pci_give(g->domain, &g->config.pci);

    if (n != 0)
        log_info("d%u (%s) gets %u PCI functions", g->id, g->domain->name, n);
}

/* Guests are told of their devices when they are introduced, so the driver domain is known
 * before. */
static void find_driver(void)
{
    for (unsigned i = 0; i < nr_guests; i++)
        if (guests[i].domain != NULL)
            pci_name(&guests[i].config.pci);
    for (unsigned i = 0; i < nr_guests; i++) {
        if (guests[i].domain == NULL)
            continue;
        if (guests[i].config.driver || guests[i].config.pci.nr != 0)
            give_functions(&guests[i]);
        if (guests[i].config.driver)
            store_driver(guests[i].domain);
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
    guest_list_make();
    pci_init();
    make_room_for_trace();
    share = fair_share();
    load_service(share);
    load_all(false, share);
    free_modules();
    for (unsigned i = 0; i < nr_guests; i++)
        if (guests[i].domain != NULL)
            complete_guest(&guests[i]);
    start_all(true);
    find_driver();
    nr_built = start_all(false);
    if (nr_built == 0)
        log_error("No guest could be started: %s.", nr_guests == 0
                                                        ? "the boot loader gave no module"
                                                        : "no module is a usable PV kernel");
}
