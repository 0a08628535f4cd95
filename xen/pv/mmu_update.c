/* Single page-table entries: mmu_update and update_va_mapping. Those of L1 tables are changed by
 * l1_entry.c, which has the rules; those of higher tables here. Validating whole tables is in
 * pagetype.c.
 *
 * All of this is under the domain's mm_lock. An update of an L1 table cannot sleep, so it needs
 * no type reference on the table. An update of a higher table may validate a whole tree and
 * sleep, so it holds one. */
#include "arch/arch.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/flush.h"
#include "xen/core/frame.h"
#include "xen/core/guest_access.h"
#include "xen/core/guest_log.h"
#include "xen/core/lock.h"
#include "xen/core/log.h"
#include "xen/core/sched.h"
#include "xen/core/walk.h"
#include "xen/pv/domid.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/l1_entry.h"
#include "xen/pv/linear.h"
#include "xen/pv/mmu_update.h"
#include "xen/pv/pagetype.h"

#define WORK_PER_UPDATE 250u
#define FEW 4u                          /* so few updates are not counted as work */

/* An entry of an L2, L3 or L4, in a table on which the caller holds a type reference. May drop
 * mm_lock meanwhile; then the slot is read again, because another vCPU may have stored to it
 * (the reference of the caller keeps it a table of this type). */
static int mod_table_entry(uint64_t *slot, uint64_t entry, struct frame *table, struct domain *d,
                           bool preserve_ad)
{
    unsigned index = ((uint64_t)slot & ~PAGE_MASK) / 8;
    uint64_t type = frame_type(table), old;
    int rc;

    if (type == TYPE_L4 && index >= HOLE_FIRST_SLOT && index <= HOLE_LAST_SLOT)
        return -EINVAL;
    if (entry & PTE_P) {
        entry |= PTE_US | (type == TYPE_L4 ? PTE_A : 0);
        rc = get_page_from_table_entry(entry, table);
        if (rc != 0)
            return rc;
    }
    old = READ_ONCE(*slot);
    if (unlikely(d->linear_tables) && type == TYPE_L4) {
        linear_store_begin(d);
        store_entry(slot, old, entry, plain_store(preserve_ad));
        linear_store_end(d, old);
    } else {
        store_entry(slot, old, entry, plain_store(preserve_ad));
    }
    put_page_from_table_entry(old, table);
    /* This one update may have validated one tree and dropped another. */
    mm_preempt_after(d, WORK_PER_UPDATE);
    return 0;
}

/* The frame with that word is no L1. Separate, so that an update of an L1 saves no registers. */
static __attribute__((noinline)) int other_pt_update(uint64_t ptr, uint64_t val, struct domain *d,
                                                     struct domain *owner, bool preserve_ad,
                                                     uint64_t word)
{
    uint64_t *slot = maddr_to_virt(ptr);
    uint64_t type = nr_type_refs(word) != 0 ? word & TYPE_MASK : TYPE_WRITABLE;
    struct frame *f;
    int rc;

    if (type == TYPE_SEGDESC)
        return -EINVAL;
    rc = get_page_and_type(ptr >> PAGE_SHIFT, d, type, &f);     /* waits while it is validated */
    if (rc != 0)
        return rc;
    if (type == TYPE_WRITABLE)
        WRITE_ONCE(*slot, val);
    else if (type == TYPE_L1)
        rc = mod_l1_entry(slot, val, d, owner, preserve_ad);
    else
        rc = owner == d ? mod_table_entry(slot, val, f, d, preserve_ad) : -EINVAL;
    put_page_and_type(f);
    return rc;
}

/* The frame with that word is an ordinary page: Linux fills tables in before it pins them. */
static __attribute__((noinline)) int store_to_page(uint64_t ptr, uint64_t val, struct domain *d,
                                                   struct domain *owner, bool preserve_ad,
                                                   uint64_t word)
{
    struct frame *f = mfn_to_frame(ptr >> PAGE_SHIFT);
    uint64_t *slot = maddr_to_virt(ptr);

    if (unlikely(!may_get(word)) ||
        unlikely(!try_cmpxchg(&f->word, &word, word + TYPE_REF + 1)))
        return other_pt_update(ptr, val, d, owner, preserve_ad, word);
    if (unlikely(READ_ONCE(f->owner) != d->mfn))
        return put_refs_and_return(f, TYPE_REF + 1, -EINVAL);
    WRITE_ONCE(*slot, val);
    return put_refs_and_return(f, TYPE_REF + 1, 0);
}

/* MMU_NORMAL_PT_UPDATE and MMU_PT_UPDATE_PRESERVE_AD. If the frame is not a page table this is
 * an ordinary store, as on Xen. */
static int pt_update(uint64_t ptr, uint64_t val, struct domain *d, struct domain *owner,
                     bool preserve_ad)
{
    struct frame *f = mfn_to_frame(ptr >> PAGE_SHIFT);
    uint64_t word;

    if (unlikely(ptr >> PAGE_SHIFT >= max_mfn || READ_ONCE(f->owner) != d->mfn))
        return -EINVAL;
    word = READ_ONCE(f->word);
    if (likely(word_valid_as(word, TYPE_L1)))
        return mod_l1_entry(maddr_to_virt(ptr), val, d, owner, preserve_ad);
    if (word_valid_as(word, TYPE_WRITABLE))
        return store_to_page(ptr, val, d, owner, preserve_ad, word);
    return other_pt_update(ptr, val, d, owner, preserve_ad, word);
}

static int machphys_update(uint64_t ptr, uint64_t val, struct domain *d)
{
    struct frame *f = get_frame(ptr >> PAGE_SHIFT, d);

    if (f == NULL)
        return -EINVAL;
    m2p_table[ptr >> PAGE_SHIFT] = val;
    put_page(f);
    return 0;
}

static int update_one(const struct mmu_update *u, struct domain *d, struct domain *owner)
{
    if (likely((u->ptr & 7) == MMU_NORMAL_PT_UPDATE))
        return pt_update(u->ptr, u->val, d, owner, false);
    switch (u->ptr & 7) {
    case MMU_PT_UPDATE_NO_TRANSLATE:
        return pt_update(u->ptr & ~7ull, u->val, d, owner, false);
    case MMU_PT_UPDATE_PRESERVE_AD:
        return pt_update(u->ptr & ~7ull, u->val, d, owner, true);
    case MMU_MACHPHYS_UPDATE:
        return machphys_update(u->ptr, u->val, owner);
    default:
        return -ENOSYS;
    }
}

/* The errno of the first request if the caller has no right to the frames or tables of the
 * domain that it names. */
static int refuse_foreign(uint64_t ureqs, unsigned count)
{
    struct mmu_update u;

    if (count == 0)
        return 0;
    if (!get_guest_args(&u, ureqs, 2))
        return -EFAULT;
    return (u.ptr & 7) > MMU_PT_UPDATE_NO_TRANSLATE ? -ENOSYS : -EPERM;
}

/* High half of foreigndom: id + 1 of the domain whose tables are written, 0 for the caller; low
 * half: the domain whose frames are named. *owner: the latter; NULL: the caller has no right to
 * it. DOMID_IO owns no RAM here, so every frame is refused later for it, but for registers of the
 * caller's devices. */
static int check_foreigndom(unsigned foreigndom, uint64_t ureqs, unsigned count,
                            struct domain **owner)
{
    domid_t tables_of = (domid_t)((foreigndom >> 16) - 1);
    int rc = check_domid((domid_t)foreigndom, NAMES_SELF | NAMES_SYSTEM);

    if (rc == -ESRCH)
        return rc;
    *owner = rc == 0 ? current->domain : (domid_t)foreigndom == DOMID_IO ? &idle_domain : NULL;
    if (foreigndom >> 16 != 0 && tables_of != current->domain->id)
        *owner = NULL;
    return *owner == NULL ? refuse_foreign(ureqs, count) : 0;
}

static bool table_owner_exists(unsigned foreigndom)
{
    return foreigndom >> 16 == 0 || domain_exists((domid_t)((foreigndom >> 16) - 1));
}

/* A function of its own, so that the caller has its counter in a register. */
__attribute__((noinline)) void store_done(uint64_t pdone, unsigned done)
{
    (void)copy_to_guest(pdone, &done, sizeof(done));
}

/* ureqs: guest array of count struct mmu_update; pdone: where the number of completed ones is
 * written, 0: nowhere. Some guests pass an invalid pdone, which is no error. Stops at the first
 * failing entry and returns its errno (public/xen.h). Only the array's begin is checked: one
 * that begins in the guest's part of the address space cannot reach the hole, because reads in
 * between fault. */
long do_mmu_update(uint64_t ureqs, unsigned count, uint64_t pdone, unsigned foreigndom)
{
    struct domain *d = current->domain, *owner = d;
    unsigned done = 0;
    int rc = 0;

    if (unlikely(!is_guest_va(ureqs)))
        return -EFAULT;
    if (unlikely(foreigndom != DOMID_SELF)) {
        if (!table_owner_exists(foreigndom))
            return -ESRCH;
        rc = check_foreigndom(foreigndom, ureqs, count, &owner);
        if (rc != 0)
            count = 0;
    }
    spin_lock(&d->mm_lock);
    for (; done < count; done++) {
        struct mmu_update u;

        if (unlikely(!get_guest_args(&u, ureqs + done * sizeof(u), 2))) {
            rc = -EFAULT;
            break;
        }
        rc = update_one(&u, d, owner);
        if (unlikely(rc != 0))
            break;
        if (unlikely((done & 127) == 127) && !mm_preempt_after(d, 128 * WORK_PER_UPDATE))
            break;
    }
    if (unlikely(count > FEW))
        count_work((done & 127) * WORK_PER_UPDATE);
    spin_unlock(&d->mm_lock);
    if (unlikely(rc != 0) && guest_log_threshold >= LOG_DEBUG)
        guest_log(d, LOG_DEBUG, "mmu_update: entry %u of %u refused, error %d", done, count, rc);
    if (pdone != 0)
        store_done(pdone, done);
    return rc;
}

/* Reads a bitmap of vCPUs: as many whole words as the domain's vCPUs need. */
int check_vcpu_set(uint64_t bitmap)
{
    uint64_t word;

    _Static_assert(MAX_VCPUS <= 64, "one word");
    return copy_from_guest(&word, bitmap, sizeof(word));
}

/* The TLB flush that UVMF_* requests, after the update. Above the low bits: 0 (this vCPU),
 * UVMF_ALL, or a pointer to a bitmap of vCPUs, which must be readable; for any of them but this one
 * all CPUs that run the domain flush. A vCPU that does not run loads its root anew when it does. */
static int flush_after_update(uint64_t va, unsigned long flags)
{
    uint64_t bitmap = flags & ~(unsigned long)UVMF_FLUSHTYPE_MASK;

    switch (flags & UVMF_FLUSHTYPE_MASK) {
    case UVMF_TLB_FLUSH:
        arch_flush_all();
        break;
    case UVMF_INVLPG:
        arch_flush_tlb_one(va);
        break;
    default:
        return 0;
    }
    if (bitmap == UVMF_LOCAL)
        return 0;
    flush_others(current->domain);
    return bitmap == UVMF_ALL ? 0 : check_vcpu_set(bitmap);
}

long do_update_va_mapping(uint64_t va, uint64_t pte, uint64_t flags)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    uint64_t *slot;
    int rc;

    spin_lock(&d->mm_lock);
    slot = walk_to_l1(v->root_kernel, va);
    rc = likely(slot != NULL) ? mod_l1_entry(slot, pte, d, d, false) : -EINVAL;
    spin_unlock(&d->mm_lock);
    return flags != 0 && rc == 0 ? flush_after_update(va, flags) : rc;
}

long do_update_va_mapping_otherdomain(uint64_t va, uint64_t pte, uint64_t flags, unsigned domid)
{
    int rc = check_domid((domid_t)domid, NAMES_SELF | NAMES_SYSTEM);

    return rc == 0 ? do_update_va_mapping(va, pte, flags) : rc;
}
