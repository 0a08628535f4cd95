/* Starts the service domain again when it has ended while guests use it: keeps a copy of its kernel
 * and words, and limits how often that happens. Building a domain is modules.c's; introducing the
 * guests to the new one is pv/store.c's. Called by modules.c at boot, and by the idle vCPU through
 * hooks. */
#include "common/atomic.h"
#include "common/string.h"
#include "xen/boot/build.h"
#include "xen/boot/module_words.h"
#include "xen/boot/modules.h"
#include "xen/boot/service.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/log.h"
#include "xen/core/sched_wake.h"

#define MAX_STARTS 4u                   /* the last one with REFUSE */
#define REFUSE " store=refuse"          /* see guest-pv/store/main.c */
#define MAX_ORDER 10u                   /* of the copy: a kernel of up to 4 MiB */

static struct {
    struct domain_config config;
    char cmdline[MAX_GUEST_CMDLINE];
    void *kernel;                       /* the copy; NULL: it cannot be started again */
    uint64_t size_bytes;
    unsigned order, starts;
    bool building;
} kept;

void service_keep(const struct domain_config *c, const void *kernel, uint64_t size_bytes)
{
    service_forget();
    kept.config = *c;
    copy_string(kept.cmdline, c->cmdline, sizeof(kept.cmdline));
    kept.config.cmdline = kept.cmdline;
    kept.size_bytes = size_bytes;
    kept.starts = 1;
    while ((PAGE_SIZE << kept.order) < size_bytes)
        if (++kept.order > MAX_ORDER)
            return;
    kept.kernel = alloc_pages(kept.order);
    if (kept.kernel != NULL)
        memcpy(kept.kernel, kernel, size_bytes);
}

void service_forget(void)
{
    free_pages(kept.kernel, kept.order);
    memset(&kept, 0, sizeof(kept));
}

/* If it ends often, requests of guests may be the cause. The last start has store=refuse: it
 * refuses every request, so that guests do not wait for an answer for ever. */
static void refuse_from_now_on(void)
{
    size_t len = strlen(kept.cmdline);

    if (!copy_string(kept.cmdline + len, REFUSE, sizeof(kept.cmdline) - len))
        kept.cmdline[len] = '\0';
}

/* From its end until the new one is in the table of domains, and claims it itself, all its memory;
 * always what building takes, or there might be too little for that when it ends. */
uint64_t service_claim(bool exists)
{
    if (kept.kernel == NULL || (!READ_ONCE(kept.building) && READ_ONCE(kept.starts) == MAX_STARTS))
        return 0;
    return exists ? BUILDING_FRAMES :
                    (kept.config.mem_bytes >> PAGE_SHIFT) + OVERHEAD_FRAMES(kept.config.vcpus);
}

struct domain *service_start_again(void)
{
    struct domain *d;

    if (kept.kernel == NULL || kept.starts == MAX_STARTS)
        return NULL;
    WRITE_ONCE(kept.building, true);    /* first: the claim stays at the last start too */
    WRITE_ONCE(kept.starts, kept.starts + 1);
    if (kept.starts == MAX_STARTS)
        refuse_from_now_on();
    sched_wake_idle();                  /* the idle vCPU builds it, while guests run */
    d = build_from(STORE_DOMID, &kept.config, kept.config.mem_bytes >> PAGE_SHIFT, kept.kernel,
                   kept.size_bytes, NULL, 0);
    WRITE_ONCE(kept.building, false);
    if (d != NULL)
        log_warning("d%u (%s) died while guests need it: started again (%u of %u)%s", d->id,
                    d->name, kept.starts - 1, MAX_STARTS - 1,
                    kept.starts == MAX_STARTS ? ", to refuse every request" : "");
    return d;
}
