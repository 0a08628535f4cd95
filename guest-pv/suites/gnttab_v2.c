/* Version 2 of this domain's grant table. Called by the tests in grants2.c; version 1 is in
 * gnttab.c. */
#include "gnttab_v2.h"
#include "hypercall.h"
#include "suite.h"

volatile union grant_entry_v2 *v2_entry(grant_ref_t ref)
{
    return (volatile union grant_entry_v2 *)gnttab() + ref;
}

long v2_set_version(uint32_t version, uint32_t *in_force)
{
    struct gnttab_set_version op = { .version = version };
    struct gnttab_get_version now = { .dom = DOMID_SELF };
    long rc = xen_grant_table_op(GNTTABOP_set_version, &op, 1);

    EXPECT_EQ(xen_grant_table_op(GNTTABOP_get_version, &now, 1), 0);
    EXPECT_EQ(op.version, now.version);
    *in_force = now.version;
    return rc;
}

int v2_status_frames(domid_t dom, unsigned nr, xen_pfn_t *frames)
{
    struct gnttab_get_status_frames op = { .dom = dom, .nr_frames = nr, .status = 1 };
    long rc;

    set_xen_guest_handle(op.frame_list, (uint64_t *)frames);
    rc = xen_grant_table_op(GNTTABOP_get_status_frames, &op, 1);
    return rc ? rc : op.status;
}

void v2_offer(grant_ref_t ref, domid_t to, uint64_t frame, unsigned flags)
{
    v2_entry(ref)->hdr.domid = to;
    v2_entry(ref)->full_page.frame = frame;
    __atomic_store_n(&v2_entry(ref)->hdr.flags, GTF_permit_access | flags, __ATOMIC_RELEASE);
}

void v2_offer_part(grant_ref_t ref, domid_t to, uint64_t frame, unsigned off, unsigned length,
                   unsigned flags)
{
    v2_entry(ref)->sub_page.page_off = off;
    v2_entry(ref)->sub_page.length = length;
    v2_offer(ref, to, frame, GTF_sub_page | flags);
}

void v2_offer_transitive(grant_ref_t ref, domid_t to, domid_t via, grant_ref_t gref)
{
    v2_entry(ref)->hdr.domid = to;
    v2_entry(ref)->transitive.trans_domid = via;
    v2_entry(ref)->transitive.gref = gref;
    __atomic_store_n(&v2_entry(ref)->hdr.flags, GTF_transitive, __ATOMIC_RELEASE);
}
