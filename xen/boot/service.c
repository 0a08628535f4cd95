/* Starts the service domain and the driver domain again when they have ended while guests use them:
 * keeps a copy of their kernels and words, and limits how often that happens. A driver domain gets
 * no RAM disk then: what guests had written to it is lost, and they must not find it as it was at
 * boot. Building a domain is modules.c's; when it is time, and what guests and store are told, is
 * pv/store.c's. Called by modules.c at boot, and by the idle vCPU through hooks. */
#include "common/string.h"
#include "xen/boot/build.h"
#include "xen/boot/module_words.h"
#include "xen/boot/modules.h"
#include "xen/boot/service.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/log.h"
#include "xen/core/pci.h"
#include "xen/core/sched_wake.h"
#include "xen/core/time.h"

#define MAX_STARTS 4u                   /* of the store; the last one with REFUSE */
#define REFUSE " store=refuse"          /* see guest-pv/store/main.c */
#define MAX_DEATHS 3u                   /* of the driver domain, within DEATHS_NS */
#define DEATHS_NS 60000000000ull
#define MAX_ORDER 10u                   /* of the copy: a kernel of up to 4 MiB */

static struct service {
    struct domain_config config;
    char cmdline[MAX_GUEST_CMDLINE];
    domid_t id;
    void *kernel;                       /* the copy; NULL: it cannot be started again */
    uint64_t size_bytes;
    unsigned order, starts;
    uint64_t died_ns[MAX_DEATHS];       /* of the driver domain; the nth at n % MAX_DEATHS */
    bool building, given_up;
} services[NR_SERVICES];

void service_keep(enum service_kind kind, domid_t id, const struct domain_config *c,
                  const void *kernel, uint64_t size_bytes)
{
    struct service *s = &services[kind];

    service_forget(kind);
    s->config = *c;
    copy_string(s->cmdline, c->cmdline, sizeof(s->cmdline));
    s->config.cmdline = s->cmdline;
    s->id = id;
    s->size_bytes = size_bytes;
    s->starts = 1;
    while ((PAGE_SIZE << s->order) < size_bytes)
        if (++s->order > MAX_ORDER)
            return;
    s->kernel = alloc_pages(s->order);
    if (s->kernel != NULL)
        memcpy(s->kernel, kernel, size_bytes);
}

void service_forget(enum service_kind kind)
{
    struct service *s = &services[kind];

    free_pages(s->kernel, s->order);
    memset(s, 0, sizeof(*s));
}

/* From its end until the new one is in the table of domains, and claims it itself, all its memory;
 * always what building takes, or there might be too little for that when it ends. */
static uint64_t claim_of(const struct service *s, bool exists)
{
    if (s->kernel == NULL || (!READ_ONCE(s->building) && READ_ONCE(s->given_up)))
        return 0;
    return exists ? BUILDING_FRAMES :
                    (s->config.mem_bytes >> PAGE_SHIFT) + OVERHEAD_FRAMES(s->config.vcpus);
}

uint64_t service_claim(unsigned existing)
{
    uint64_t frames = 0;

    for (unsigned kind = 0; kind < NR_SERVICES; kind++)
        frames += claim_of(&services[kind], existing >> kind & 1);
    return frames;
}

/* With `last` this is its last start. */
static struct domain *build_again(struct service *s, bool last)
{
    struct domain *d;

    WRITE_ONCE(s->building, true);      /* first: the claim stays at the last start too */
    WRITE_ONCE(s->given_up, last);
    s->starts++;
    sched_wake_idle();                  /* the idle vCPU builds it, while guests run */
    d = build_from(s->id, &s->config, s->config.mem_bytes >> PAGE_SHIFT, s->kernel, s->size_bytes,
                   NULL, 0);
    WRITE_ONCE(s->building, false);
    return d;
}

/* If it ends often, requests of guests may be the cause. The last start has store=refuse: it
 * refuses every request, so that guests do not wait for an answer for ever. */
static void refuse_from_now_on(struct service *s)
{
    size_t len = strlen(s->cmdline);

    if (!copy_string(s->cmdline + len, REFUSE, sizeof(s->cmdline) - len))
        s->cmdline[len] = '\0';
}

struct domain *store_start_again(void)
{
    struct service *s = &services[SERVICE_STORE];
    struct domain *d;
    bool last;

    if (s->kernel == NULL || s->given_up)
        return NULL;
    last = s->starts + 1 == MAX_STARTS;
    if (last)
        refuse_from_now_on(s);
    d = build_again(s, last);
    if (d != NULL)
        log_warning("d%u (%s) died while guests need it: started again (%u of %u)%s", d->id,
                    d->name, s->starts - 1, MAX_STARTS - 1,
                    last ? ", to refuse every request" : "");
    return d;
}

/* Whether this death and those before it came within a short time: another start would not
 * help. */
static bool dies_too_often(struct service *s)
{
    uint64_t now = now_ns();
    unsigned n = s->starts - 1;         /* deaths before this one */
    bool often = n >= MAX_DEATHS - 1 && now - s->died_ns[(n + 1) % MAX_DEATHS] < DEATHS_NS;

    s->died_ns[n % MAX_DEATHS] = now;
    return often;
}

struct domain *driver_start_again(void)
{
    struct service *s = &services[SERVICE_DRIVER];
    struct domain *d;
    unsigned n;

    if (s->kernel == NULL || s->given_up)
        return NULL;
    d = dies_too_often(s) ? NULL : build_again(s, false);
    if (d == NULL) {
        WRITE_ONCE(s->given_up, true);
        return NULL;
    }
    n = pci_give(d, &s->config.pci);
    log_warning("d%u (%s) died while guests need it: started again, with %u PCI functions", d->id,
                d->name, n);
    return d;
}
