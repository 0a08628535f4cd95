/* Two domains that have used up their claims to the hypervisor's memory allocate more, on a CPU
 * each, while little memory is left that nobody has a claim to: never so much that the claims of
 * domains no longer fit into what is free. In another scenario CPU 0 meanwhile starts the service
 * domain again, which always finds its memory. */
#include "arch/arch.h"
#include "tests/interleave/interleave.h"
#include "xen/boot/service.h"
#include "xen/core/alloc.h"
#include "xen/core/claim.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"

#define ROUNDS 12u
#define LEFT 3u                 /* frames that nobody has a claim to, at first */
#define MOST 128u               /* frames beyond its claim that a domain keeps */
#define STARTS 3u               /* that the service domain is given */

static void *pages[2][DOMAIN_RESERVE + MOST];
static unsigned nr[2];
static unsigned turns;          /* of CPU 0, before it starts the service domain */
static bool started;

static void allocate(struct domain *d)
{
    unsigned i = d->id - 1u;
    void *page = nr[i] < ARRAY_SIZE(pages[i]) ? alloc_page_for(d) : NULL;

    if (page != NULL)
        pages[i][nr[i]++] = page;
}

static void give_back(struct domain *d)
{
    unsigned i = d->id - 1u;

    if (nr[i] != 0)
        free_page_for(d, pages[i][--nr[i]]);
}

static void prepare(struct domain *d[2])
{
    for (unsigned i = 0; i < 2; i++) {
        nr[i] = 0;
        while (d[i] != NULL && d[i]->nr_hv_frames < DOMAIN_RESERVE)
            allocate(d[i]);
    }
    host_leave_free(claimed_frames() + LEFT);
}

/* A domain also gives a frame of its own memory back, to which it keeps a claim. */
static void spend(struct vcpu *v)
{
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
    uint64_t list = SCRATCH + 2 * PAGE_SIZE, mfn = mfn_of_va(FREE_PFN_VA);

    guest_put(list, &mfn, 8);
    set_xen_guest_handle_raw(r.extent_start, (xen_pfn_t *)list);
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (i == 4)
            (void)call(__HYPERVISOR_update_va_mapping, FREE_PFN_VA, 0, UVMF_INVLPG, 0);
        if (i == 5)
            (void)call_struct(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, &r, sizeof(r));
        if (pick(3) != 0)
            allocate(v->domain);
        else
            give_back(v->domain);
    }
}

static void check(struct domain *d[2])
{
    HOST_CHECK(nr_free_frames() >= claimed_frames(), "%lu frames are free, %lu claimed",
               nr_free_frames(), claimed_frames());
    for (unsigned i = 0; i < 2; i++)
        while (nr[i] != 0)
            give_back(d[i]);
    host_free_taken();
}

static void start_service(void)
{
    if (started || turns-- != 0)
        return;
    started = true;
    HOST_CHECK(store_start_again() != NULL, "no service domain: %s", host.console);
}

/* It has ended while little memory was left. It may have been started some times before, so that
 * this is the last. */
static void prepare_service(struct domain *d[2])
{
    struct domain_config config = { .name = "store", .vcpus = 1, .weight = 256,
                                    .mem_bytes = GUEST_FRAMES * PAGE_SIZE, .service = true,
                                    .trace = TRACE_DEFAULT, .max_port = 1023, .cmdline = "" };
    struct domain *service;
    struct tiny_elf kernel;

    elf_make(&kernel);
    service_keep(SERVICE_STORE, STORE_DOMID, &config, &kernel, sizeof(kernel));
    service = store_start_again();
    for (unsigned i = pick(STARTS - 1); i > 0; i--) {
        guest_end(service);
        service = store_start_again();
    }
    prepare(d);
    guest_end(service);
    turns = pick(12);
    started = false;
    host.on_turn = start_service;
}

static void spend_all(struct vcpu *v)
{
    unsigned rounds = ROUNDS;

    while (rounds != 0) {
        allocate(v->domain);
        if (pick(ROUNDS) == 0)
            give_back(v->domain);
        host_take_interrupts();
        if (domain_at(STORE_DOMID) != NULL)     /* then it has its claim itself */
            rounds--;
    }
}

const struct scenario claim_scenarios[] = {
    { "claims", { 1, 1 }, prepare, { spend, spend }, check },
    { "claims-service", { 2 }, prepare_service, { spend_all }, check },
    { NULL },
};
