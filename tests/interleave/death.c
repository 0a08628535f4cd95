/* A domain ends while two vCPUs of another name it in hypercalls on other CPUs: they map its grants
 * and copy from them, and bind and use event channels to it. CPU 0 ends and reaps it, and
 * overwrites its memory when that is free: the next access to it through a pointer that should no
 * longer be held crashes. */
#include <string.h>
#include "arch/arch.h"
#include "tests/interleave/interleave.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/sched.h"

#define ROUNDS 14u
#define PORTS 3u
#define REFS 2u
#define FIRST_FREE_PFN 128u
#define STEPS 1000u            /* of a walk, at each domain */
#define FIRST_REF 8u            /* the ones before it are reserved */
#define PAGE_VA(i) (FREE_PFN_VA + (1 + (i)) * PAGE_SIZE)
#define OP(cmd, s) call_struct(__HYPERVISOR_event_channel_op, EVTCHNOP_##cmd, &(s), sizeof(s))
#define DYING 2u                /* the number of the domain that ends */

static struct domain *dying;
static unsigned turns;          /* of CPU 0, before it ends the domain */
static bool ended;
static grant_handle_t handles[REFS];

static void offer_ports(void)
{
    for (unsigned i = 0; i < PORTS; i++) {
        struct evtchn_alloc_unbound s = { .dom = DOMID_SELF, .remote_dom = 1 };

        (void)OP(alloc_unbound, s);
    }
}

static void offer_pages(void)
{
    struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 1 };
    uint64_t frame;
    struct grant_entry_v1 *table;

    set_xen_guest_handle_raw(s.frame_list, (xen_pfn_t *)(SCRATCH + 512));
    (void)call_struct(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &s, sizeof(s));
    guest_get(&frame, SCRATCH + 512, 8);
    table = mfn_to_virt(frame);
    for (unsigned i = 0; i < REFS; i++)
        table[FIRST_REF + i] = (struct grant_entry_v1){ GTF_permit_access, 1,
                                                        (uint32_t)unmapped_frame() };
}

/* The fewer frames it has, the sooner it is freed: gives those back behind its tables. */
static void give_back(struct domain *d, uint64_t pfn, uint64_t end)
{
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

    set_xen_guest_handle_raw(r.extent_start, (xen_pfn_t *)(SCRATCH + PAGE_SIZE));
    for (; pfn < end; pfn++) {
        uint64_t mfn;

        guest_get(&mfn, guest_start_info(d)->mfn_list + 8 * pfn, sizeof(mfn));
        (void)call(__HYPERVISOR_update_va_mapping, GUEST_BASE + pfn * PAGE_SIZE, 0, 0, 0);
        guest_put(SCRATCH + PAGE_SIZE, &mfn, sizeof(mfn));
        (void)call_struct(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, &r, sizeof(r));
    }
}

/* Only what no one has got again. */
static void overwrite(void *page)
{
    const struct frame *f = mfn_to_frame(virt_to_mfn(page));

    if (f->owner == 0 && (f->word == 0 || (f->word & FRAME_SCRUB)))
        memset(page, 0xa5, PAGE_SIZE);
}

static void reap(void)
{
    if (ended || turns-- != 0)
        return;
    turns = 0;
    if (dying->state == DOM_RUNNING)
        domain_shutdown(dying, SHUTDOWN_poweroff);
    schedule();
    domain_reap();
    ended = domain_at(DYING) == NULL;
    if (ended)
        overwrite(dying);
}

static void prepare(struct domain *d[2])
{
    host_become(d[1]->vcpu[0]);
    give_back(d[1], FIRST_FREE_PFN, GUEST_FRAMES - REFS);
    offer_ports();
    offer_pages();
    host_become(d[0]->vcpu[0]);
    for (unsigned i = 0; i < REFS; i++) {
        (void)call(__HYPERVISOR_update_va_mapping, PAGE_VA(i), 0, 0, 0);
        handles[i] = UINT32_MAX;
    }
    dying = d[1];
    ended = false;
    turns = pick(12);
    host.on_turn = reap;
}

static void use_ports(void)
{
    struct evtchn_alloc_unbound unbound = { .dom = DOMID_SELF, .remote_dom = DYING };
    struct evtchn_bind_interdomain inter = { .remote_dom = DYING, .remote_port = 1 + pick(6) };
    struct evtchn_close close = { .port = 1 + pick(6) };
    struct evtchn_send send = { .port = 1 + pick(6) };

    switch (pick(5)) {
    case 0:
        (void)OP(alloc_unbound, unbound);
        break;
    case 1:
        (void)OP(close, close);
        break;
    case 2:
        (void)OP(send, send);
        break;
    default:
        (void)OP(bind_interdomain, inter);
    }
}

static void copy(const struct vcpu *v)
{
    struct gnttab_copy c = { .len = 64, .flags = GNTCOPY_source_gref };

    c.source.u.ref = FIRST_REF + pick(REFS);
    c.source.domid = DYING;
    c.dest.domid = DOMID_SELF;
    c.dest.u.gmfn = mfn_of_va(SCRATCH + (4 + v->id) * PAGE_SIZE);
    (void)call_struct(__HYPERVISOR_grant_table_op, GNTTABOP_copy, &c, sizeof(c));
}

static void unmap(unsigned i)
{
    struct gnttab_unmap_grant_ref u = { .host_addr = PAGE_VA(i), .handle = handles[i] };

    (void)call_struct(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &u, sizeof(u));
}

static void map(unsigned i)
{
    struct gnttab_map_grant_ref m = { .host_addr = PAGE_VA(i), .ref = FIRST_REF + i,
                                      .dom = DYING, .flags = GNTMAP_host_map };

    if (call_struct(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &m, sizeof(m)) == 0 &&
             m.status == GNTST_okay)
        handles[i] = m.handle;
}

/* As code of the hypervisor does that adds something up, but slowly, so that CPU 0 may free the
 * domain meanwhile. */
static void walk(void)
{
    struct domain *d;

    for_each_domain(d) {
        for (unsigned i = 0; i < STEPS; i++)
            (void)domain_count();
        HOST_CHECK(d->id == 1 || d->id == DYING, "a domain that was freed is in use");
    }
}

static void one_operation(const struct vcpu *v)
{
    switch (pick(5)) {
    case 0:
        copy(v);
        break;
    case 1:
        map(pick(REFS));
        break;
    case 2:
        unmap(pick(REFS));
        break;
    default:
        use_ports();
    }
}

/* The domain is freed only when nothing of it is mapped. */
static void survivor(struct vcpu *v)
{
    for (unsigned i = 0; i < ROUNDS; i++)
        one_operation(v);
    while (!ended) {
        unmap(pick(REFS));
        walk();
    }
}

const struct scenario death_scenarios[] = {
    { "death", { 2, 1 }, prepare, { survivor }, NULL },
    { NULL },
};
