/* Pages of the hypervisor that a guest may map: shared_info, grant tables, status frames. Called
 * by grant.c, grant_version.c and when a domain is created or ends. */
#include "arch/arch.h"
#include "common/string.h"
#include "xen/core/alloc.h"
#include "xen/core/claim.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/pv/pagetype.h"
#include "xen/pv/shared_page.h"

void *alloc_shared_page(struct domain *d)
{
    mfn_t mfn = alloc_frame_for(d);
    struct frame *f;

    if (mfn == INVALID_MFN)
        return NULL;
    f = frame_set_owner(mfn, d);
    memset(mfn_to_virt(mfn), 0, PAGE_SIZE);
    m2p_table[mfn] = INVALID_M2P_ENTRY;
    /* The hypervisor's references, which the guest cannot drop: it never becomes a table. */
    store_release(&f->word, TYPE_WRITABLE | TYPE_VALIDATED | TYPE_REF | 1);
    return mfn_to_virt(mfn);
}

void free_shared_page(void *page)
{
    struct frame *f;

    if (page == NULL)
        return;
    f = mfn_to_frame(virt_to_mfn(page));
    put_page_and_type(f);
}

/* shared_info. Upcalls are masked until the guest's kernel unmasks them. */
int shared_info_init(struct domain *d)
{
    d->shared = alloc_shared_page(d);
    if (d->shared == NULL)
        return -ENOMEM;
    d->shared_mfn = virt_to_mfn(d->shared);
    for (unsigned i = 0; i < MAX_VCPUS; i++)
        d->shared->vcpu_info[i].evtchn_upcall_mask = 1;
    return 0;
}

void shared_info_free(struct domain *d)
{
    free_shared_page(d->shared);
}
