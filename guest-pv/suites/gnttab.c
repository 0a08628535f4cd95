/* The grant table of this domain: set up and mapped at first use, then shared by the suites. The
 * entries below GNTTAB_NR_RESERVED_ENTRIES belong to the domain builder. */
#include "event.h"
#include "gnttab.h"
#include "hypercall.h"

static volatile grant_entry_v1_t *table;
unsigned grants_mapped;

domid_t own_domid(void)
{
    static int known = -1;
    evtchn_status_t st;
    int port;

    if (known >= 0)
        return known;
    port = event_alloc_unbound(DOMID_SELF, NULL, NULL);
    if (port < 0)
        return DOMID_INVALID;
    if (event_status(port, &st) == 0 && st.status == EVTCHNSTAT_unbound)
        known = st.u.unbound.dom;
    event_close(port);
    return known < 0 ? DOMID_INVALID : (domid_t)known;
}

volatile grant_entry_v1_t *gnttab(void)
{
    static xen_pfn_t frame;
    struct gnttab_set_version version = { .version = 1 };
    struct gnttab_setup_table op = { .dom = DOMID_SELF, .nr_frames = 1 };
    void *va;

    if (table)
        return table;
    xen_grant_table_op(GNTTABOP_set_version, &version, 1);      /* 1 is the default */
    set_xen_guest_handle(op.frame_list, &frame);
    if (xen_grant_table_op(GNTTABOP_setup_table, &op, 1) || op.status != GNTST_okay)
        return NULL;
    va = va_alloc(1);
    if (map_page(va, make_pte(frame, PTE_KERNEL | PTE_NX)))
        return NULL;
    table = va;
    return table;
}

unsigned gnttab_entries(void)
{
    return PAGE_SIZE / sizeof(*table);
}

/* The flags are written last, as they make the entry valid. */
void grant_offer(grant_ref_t ref, domid_t to, mfn_t mfn, unsigned flags)
{
    table[ref].domid = to;
    table[ref].frame = mfn;
    __atomic_store_n(&table[ref].flags, GTF_permit_access | flags, __ATOMIC_RELEASE);
}

bool grant_revoke(grant_ref_t ref)
{
    uint16_t flags = __atomic_load_n(&table[ref].flags, __ATOMIC_ACQUIRE);

    do {
        if (flags & (GTF_reading | GTF_writing))
            return false;
    } while (!__atomic_compare_exchange_n(&table[ref].flags, &flags, 0, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    return true;
}

int grant_map(uint64_t host_addr, unsigned flags, domid_t dom, grant_ref_t ref,
              grant_handle_t *handle)
{
    struct gnttab_map_grant_ref op = { .host_addr = host_addr, .flags = flags, .ref = ref,
                                       .dom = dom, .status = 1 };
    long rc = xen_grant_table_op(GNTTABOP_map_grant_ref, &op, 1);

    *handle = op.handle;
    grants_mapped += rc == 0 && op.status == GNTST_okay;
    return rc ? rc : op.status;
}

int grant_unmap(uint64_t host_addr, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = { .host_addr = host_addr, .handle = handle, .status = 1 };
    long rc = xen_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1);

    grants_mapped -= rc == 0 && op.status == GNTST_okay;
    return rc ? rc : op.status;
}
