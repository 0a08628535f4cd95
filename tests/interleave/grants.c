/* Grants between two domains of two vCPUs each: domain 1 grants pages, ends grants, and changes
 * what its pages are used as, or gives them back; domain 2 maps, unmaps, overwrites mappings,
 * copies, and stores through what its TLBs have. */
#include "arch/arch.h"
#include "tests/interleave/interleave.h"
#include "xen/core/frame.h"
#include "xen/core/walk.h"

#define ROUNDS 12u
#define REFS 3u
#define TABLE_VA FREE_PFN_VA
#define PAGE_VA(i) (FREE_PFN_VA + (1 + (i)) * PAGE_SIZE)
#define FIRST_REF 8u            /* the ones before it are reserved */

static mfn_t granted[REFS];
static grant_handle_t handles[REFS];

static long setup_table(unsigned nr_frames)
{
    struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = nr_frames };

    set_xen_guest_handle_raw(s.frame_list, (xen_pfn_t *)(SCRATCH + current->id * PAGE_SIZE + 512));
    return call_struct(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &s, sizeof(s));
}

static void prepare(struct domain *d[2])
{
    uint64_t frame;

    host_become(d[0]->vcpu[0]);
    (void)setup_table(1);
    guest_get(&frame, SCRATCH + 512, 8);
    (void)call(__HYPERVISOR_update_va_mapping, TABLE_VA, frame << PAGE_SHIFT | PTE_P | PTE_RW, 0,
               0);
    for (unsigned i = 0; i < REFS; i++) {
        granted[i] = unmapped_frame();
        handles[i] = UINT32_MAX;
    }
    host_become(d[1]->vcpu[0]);
    for (unsigned i = 0; i < REFS; i++)
        (void)call(__HYPERVISOR_update_va_mapping, PAGE_VA(i), 0, 0, 0);
}

static void set_entry(unsigned i)
{
    static const uint16_t flags[] = { GTF_permit_access, GTF_permit_access,
                                      GTF_permit_access | GTF_readonly, 0 };
    struct grant_entry_v1 e = { flags[pick(4)], 2, (uint32_t)granted[pick(REFS)] };
    struct grant_entry_v1 now;
    uint64_t va = TABLE_VA + (FIRST_REF + i) * sizeof(e);

    if (host_guest_read(&now, va, sizeof(now)) && (now.flags & (GTF_reading | GTF_writing)) == 0)
        (void)host_guest_write(va, &e, sizeof(e));
}

static void granter(struct vcpu *v)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        mfn_t mfn = granted[pick(REFS)];

        switch (pick(6)) {
        case 0:
        case 1:
            set_entry(pick(REFS));
            break;
        case 2:
            (void)call_mmuext(MMUEXT_PIN_L1_TABLE, mfn, 0);
            break;
        case 3:
            (void)call_mmuext(MMUEXT_UNPIN_TABLE, mfn, 0);
            break;
        case 4:
            (void)setup_table(1 + pick(3));
            break;
        default:
            (void)call(__HYPERVISOR_update_va_mapping, PAGE_VA(v->id),
                       pick(3) ? mfn << PAGE_SHIFT | PTE_P | PTE_RW : 0, 0, 0);
        }
    }
}

/* A frame that the other domain still maps is freed when that mapping goes, by a CPU that does not
 * hold this domain's mm_lock. */
static void giver(struct vcpu *v)
{
    (void)v;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned ref = pick(REFS);

        if (pick(3) == 0) {
            set_entry(ref);
            continue;
        }
        give_frame_back(granted[ref]);
        granted[ref] = get_frame_anew();
        set_entry(ref);
    }
}

static void map(unsigned i)
{
    struct gnttab_map_grant_ref m = {
        .host_addr = PAGE_VA(pick(REFS)), .ref = FIRST_REF + pick(REFS), .dom = 1,
        .flags = GNTMAP_host_map | (pick(3) == 0 ? GNTMAP_readonly : 0) |
                 (pick(4) == 0 ? GNTMAP_device_map : 0),
    };

    if (call_struct(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &m, sizeof(m)) == 0 &&
        m.status == GNTST_okay)
        handles[i] = m.handle;
}

static void unmap(unsigned i)
{
    struct gnttab_unmap_grant_ref u = { .host_addr = PAGE_VA(pick(REFS)), .handle = handles[i] };

    if (pick(4) == 0)
        u.dev_bus_addr = granted[pick(REFS)] << PAGE_SHIFT;
    (void)call_struct(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &u, sizeof(u));
}

static void copy(const struct vcpu *v)
{
    struct gnttab_copy c = { .len = 64, .flags = GNTCOPY_source_gref };

    c.source.u.ref = FIRST_REF + pick(REFS);
    c.source.domid = 1;
    c.dest.domid = DOMID_SELF;
    c.dest.u.gmfn = mfn_of_va(SCRATCH + (4 + v->id) * PAGE_SIZE);
    (void)call_struct(__HYPERVISOR_grant_table_op, GNTTABOP_copy, &c, sizeof(c));
}

static void mapper(struct vcpu *v)
{
    for (unsigned i = 0; i < 2 * ROUNDS; i++) {
        switch (pick(7)) {
        case 0:
        case 1:
            map(pick(REFS));
            break;
        case 2:
            unmap(pick(REFS));
            break;
        case 3:
            (void)call(__HYPERVISOR_update_va_mapping, PAGE_VA(pick(REFS)), 0, 0, 0);
            break;
        case 4:
            copy(v);
            break;
        default:
            guest_store(PAGE_VA(pick(REFS)) + 16, 0xffffff0000000fff);
        }
    }
}

const struct scenario grant_scenarios[] = {
    { "grants", { 2, 2 }, prepare, { granter, mapper }, NULL },
    { "last-puts", { 2, 2 }, prepare, { giver, mapper }, NULL },
    { NULL },
};
