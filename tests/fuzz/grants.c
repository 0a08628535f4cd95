/* What guests do with grants: they write entries, and make requests to map, unmap and copy, some
 * of them about earlier mappings. Called by shapes.c and guest.c. */
#include <string.h>
#include "arch/arch.h"
#include "tests/fuzz/choice.h"
#include "tests/fuzz/grants.h"
#include "tests/fuzz/scan.h"
#include "tests/fuzz/words.h"
#include "tests/fuzz/world.h"
#include "xen/core/frame.h"
#include "xen/core/walk.h"
#include "xen/pv/grant.h"

unsigned maps_asked;

/* Grants that were mapped, and may be unmapped later. */
static struct {
    uint64_t addr, bus_addr;
    uint32_t flags;
    grant_handle_t handle;
    domid_t domid;
} mapped[16];

void remember_maps(const struct vcpu *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct gnttab_map_grant_ref m;

        if (!host_guest_read(&m, ARGS + i * sizeof(m), sizeof(m)) || m.status != GNTST_okay)
            continue;
        mapped[below(ARRAY_SIZE(mapped))] =
            (typeof(mapped[0])){m.host_addr, m.dev_bus_addr, m.flags, m.handle, v->domain->id};
        world.result.grants += v->domain->state == DOM_RUNNING;
    }
}

void grants_start(void)
{
    memset(mapped, 0, sizeof(mapped));
}

static void choose_mapped(struct gnttab_unmap_grant_ref *u)
{
    for (unsigned i = 0; i < ARRAY_SIZE(mapped); i++) {
        unsigned j = (unsigned)below(ARRAY_SIZE(mapped));

        if (mapped[j].domid == current->domain->id) {
            u->host_addr = one_in(10) ? 0 : mapped[j].addr;
            u->handle = mapped[j].handle;
            u->dev_bus_addr = one_in(3) ? mapped[j].bus_addr : 0;
            return;
        }
    }
}

/* The commands about the table itself, which have one element. */
static void shape_grant_table(unsigned cmd)
{
    struct gnttab_get_status_frames f = { .nr_frames = (uint32_t)below(4), .dom = some_domid() };
    struct gnttab_set_version v = { .version = (uint32_t)(one_in(8) ? some_word() : 1 + below(2)) };
    struct gnttab_cache_flush c = {
        .a.dev_bus_addr = some_mfn() << PAGE_SHIFT, .offset = (uint16_t)below(4200),
        .length = (uint16_t)below(200), .op = (uint32_t)below(5),
    };
    struct gnttab_swap_grant_ref w = {
        .ref_a = (grant_ref_t)below(12), .ref_b = (grant_ref_t)below(12),
    };

    set_xen_guest_handle_raw(f.frame_list, (uint64_t *)LISTS);
    if (cmd == GNTTABOP_set_version)
        poke(ARGS, &v, sizeof(v));
    else if (cmd == GNTTABOP_get_status_frames)
        poke(ARGS, &f, sizeof(f));
    else if (cmd == GNTTABOP_cache_flush)
        poke(ARGS, &c, sizeof(c));
    else
        poke(ARGS, &w, sizeof(w));
}

void shape_grant_table_op(uint64_t *a)
{
    unsigned cmd = (unsigned)(one_in(3) ? below(13) : (uint64_t[]){0, 0, 1, 2, 5, 5, 8}[below(7)]),
             n = 1 + (unsigned)below(3);
    unsigned size = 64;

    for (unsigned i = 0; i < n; i++) {
        struct gnttab_map_grant_ref m = {
            .host_addr = one_in(6) ? some_word() : PLAY + below(16) * PAGE_SIZE,
            .flags = one_in(4) ? (uint32_t)below(64) : GNTMAP_host_map | (uint32_t)below(2) * 4,
            .ref = (grant_ref_t)below(12),
            .dom = one_in(4) ? some_domid() : some_vcpu()->domain->id,
        };
        struct gnttab_unmap_grant_ref u = {
            .host_addr = m.host_addr, .handle = (grant_handle_t)below(6),
        };
        struct gnttab_setup_table s = { .dom = some_domid(), .nr_frames = (uint32_t)below(6) };
        struct gnttab_copy c = {.source.domid = some_domid(),
                                .dest.domid = some_domid(),
                                .flags = (uint16_t)below(4),
                                .len = (uint16_t)(one_in(2) ? below(64) : below(5000)),
                                .source.offset = (uint16_t)below(4200),
                                .dest.offset = (uint16_t)below(4200)};

        if (one_in(3))
            u.dev_bus_addr = some_mfn() << PAGE_SHIFT;
        if (!one_in(4))
            choose_mapped(&u);
        if (one_in(3))
            m.host_addr = slot_maddr(PLAY + below(16) * PAGE_SIZE), m.flags |= GNTMAP_contains_pte;
        c.source.u.gmfn = c.flags & GNTCOPY_source_gref ? below(12) : some_mfn();
        c.dest.u.gmfn = c.flags & GNTCOPY_dest_gref ? below(12) : some_mfn();
        set_xen_guest_handle_raw(s.frame_list, (xen_pfn_t *)LISTS);
        if (cmd == GNTTABOP_map_grant_ref)
            size = sizeof(m), poke(ARGS + i * size, &m, size);
        else if (cmd == GNTTABOP_unmap_grant_ref)
            size = sizeof(u), poke(ARGS + i * size, &u, size);
        else if (cmd == GNTTABOP_setup_table)
            size = sizeof(s), poke(ARGS + i * size, &s, size);
        else if (cmd == GNTTABOP_copy)
            size = sizeof(c), poke(ARGS + i * size, &c, size);
        else
            poke_words(ARGS + i * size, 8);
    }
    if (cmd == GNTTABOP_set_version || cmd == GNTTABOP_get_status_frames ||
        cmd == GNTTABOP_cache_flush || cmd == GNTTABOP_swap_grant_ref)
        shape_grant_table(cmd), n = 1;
    a[0] = cmd;
    a[1] = ARGS;
    maps_asked = cmd == GNTTABOP_map_grant_ref ? n : 0;
    a[2] = cmd == GNTTABOP_setup_table ? 1 : n;
}

static void grant_something_v2(struct domain *d, const struct grant_entry_v1 *like)
{
    union grant_entry_v2 e = {
        .full_page = { .hdr = { like->flags, like->domid }, .frame = like->frame },
    };

    if (one_in(3)) {
        e.hdr.flags |= GTF_sub_page;
        e.sub_page.page_off = (uint16_t)below(4200);
        e.sub_page.length = (uint16_t)below(4200);
    } else if (one_in(2)) {
        e.hdr.flags |= GTF_transitive;
        e.transitive.trans_domid = some_vcpu()->domain->id;
        e.transitive.gref = (grant_ref_t)below(14);
    }
    for (unsigned i = 0; i < 4; i++)
        *grant_entry_v2_of(d->grant, 1 + (grant_ref_t)below(11)) = e;
    if (one_in(4))
        *grant_status_of(d->grant, 1 + (grant_ref_t)below(11)) = (uint16_t)any();
}

void grant_something(struct domain *d)
{
    struct grant_entry_v1 e = {.flags = one_in(8) ? (uint16_t)any() : GTF_permit_access,
                               .domid = some_vcpu()->domain->id,
                               .frame = (uint32_t)some_mfn()};

    if (one_in(3))
        e.flags |= GTF_readonly;
    if (d->grant->version == 2) {
        grant_something_v2(d, &e);
        return;
    }
    for (mfn_t mfn = next_owned(LOW_BASE, d); mfn < max_mfn; mfn = next_owned(mfn + 1, d))
        if (!(mfn_to_frame(mfn)->word & FRAME_COUNTED) && mfn != d->shared_mfn)
            ((struct grant_entry_v1 *)mfn_to_virt(mfn))[1 + below(11)] = e;
}
