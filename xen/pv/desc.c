/* Descriptor tables: the GDT and LDT of a vCPU, the references on their frames, and the
 * hypercalls that change them. Which descriptors are allowed is decided in cpu/segments.c; arch/
 * maps the tables for the CPU. A frame is in a loaded table only while its type is seg-desc:
 * then every descriptor in it has passed sanitise_descriptor, and it is not mapped writable.
 * Called by the generated dispatch, mmuext.c, traps.c, vcpu_init.c and relinquish.c. */
#include "arch/arch.h"
#include "common/string.h"
#include "xen/core/domain.h"
#include "xen/core/flush.h"
#include "xen/core/frame.h"
#include "xen/core/guest_access.h"
#include "xen/core/lock.h"
#include "xen/core/sched.h"
#include "xen/core/walk.h"
#include "xen/cpu/segments.h"
#include "xen/pv/desc.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/pagetype.h"

#define MAX_LDT_ENTRIES 8192u

int validate_segdesc_frame(struct frame *f)
{
    uint64_t *table = mfn_to_virt(frame_to_mfn(f));

    for (unsigned i = 0; i < DESCS_PER_FRAME; i++) {
        uint64_t desc = READ_ONCE(table[i]);

        if (!sanitise_descriptor(&desc))
            return -EINVAL;
        if (desc != table[i])
            WRITE_ONCE(table[i], desc);
    }
    return 0;
}

static void put_frames(const uint64_t *mfns, unsigned nr_frames)
{
    while (nr_frames-- > 0)
        put_page_and_type(mfn_to_frame(mfns[nr_frames]));
}

static unsigned gdt_nr_frames(unsigned entries)
{
    return (unsigned)((entries + DESCS_PER_FRAME - 1) / DESCS_PER_FRAME);
}

/* Takes the new references, changes the mapping and flushes it, and only then drops the
 * old references: these keep the old frames from becoming writable. */
int set_gdt(struct vcpu *v, const uint64_t *frames, unsigned entries)
{
    unsigned nr_frames = gdt_nr_frames(entries), nr_old = gdt_nr_frames(v->gdt_ents);
    uint64_t old[ARRAY_SIZE(v->gdt_frames)];
    struct frame *f;

    if (entries > FIRST_RESERVED_GDT_ENTRY)
        return -EINVAL;
    for (unsigned i = 0; i < nr_frames; i++) {
        if (get_page_and_type(frames[i], v->domain, TYPE_SEGDESC, &f) != 0) {
            put_frames(frames, i);
            return -EINVAL;
        }
    }
    memcpy(old, v->gdt_frames, sizeof(old));
    memset(v->gdt_frames, 0, sizeof(v->gdt_frames));
    for (unsigned i = 0; i < nr_frames; i++)
        v->gdt_frames[i] = frames[i];
    v->gdt_ents = entries;
    arch_map_gdt(v, v->gdt_frames, nr_frames);
    flush_vcpu(v);
    put_frames(old, nr_old);
    return 0;
}

void destroy_gdt(struct vcpu *v)
{
    if (v->gdt_ents != 0)
        set_gdt(v, NULL, 0);
}

void drop_ldt(struct vcpu *v)
{
    mfn_t old[ARRAY_SIZE(v->ldt_mfn)];

    if (!v->ldt_mapped)
        return;
    v->ldt_mapped = false;
    memcpy(old, v->ldt_mfn, sizeof(old));
    memset(v->ldt_mfn, 0, sizeof(v->ldt_mfn));
    arch_clear_ldt(v);
    flush_vcpu(v);
    for (unsigned i = 0; i < ARRAY_SIZE(old); i++)
        if (old[i] != 0)
            put_page_and_type(mfn_to_frame(old[i]));
}

int set_ldt(struct vcpu *v, uint64_t base, unsigned entries)
{
    if (entries == 0)
        base = 0;
    if ((base & ~PAGE_MASK) || !is_canonical(base) || !guest_range_ok(base, 1) ||
        entries > MAX_LDT_ENTRIES)
        return -EINVAL;
    if (base == v->ldt_base && entries == v->ldt_ents)
        return 0;
    drop_ldt(v);
    v->ldt_base = base;
    v->ldt_ents = entries;
    if (v == current)
        arch_load_ldt(v);
    return 0;
}

bool map_ldt_fault(struct vcpu *v, uint64_t offset)
{
    unsigned page = (unsigned)(offset >> PAGE_SHIFT);
    struct domain *d = v->domain;
    uint64_t *slot, pte;
    struct frame *f;
    bool mapped = false;

    if (offset >= v->ldt_ents * 8ull || v->ldt_mfn[page] != 0)
        return false;
    spin_lock(&d->mm_lock);
    slot = walk_to_l1(v->root_kernel, v->ldt_base + offset);
    pte = slot ? READ_ONCE(*slot) : 0;
    if ((pte & PTE_P) && get_page_and_type(PTE_MFN(pte), d, TYPE_SEGDESC, &f) == 0) {
        v->ldt_mfn[page] = PTE_MFN(pte);
        v->ldt_mapped = true;
        arch_map_ldt_page(v, page, PTE_MFN(pte));
        mapped = true;
    }
    spin_unlock(&d->mm_lock);
    return mapped;
}

/* frame_list: guest array of frame numbers, one for every 512 entries. */
long do_set_gdt(uint64_t frame_list, unsigned entries)
{
    struct vcpu *v = current;
    uint64_t frames[ARRAY_SIZE(v->gdt_frames)];
    int rc;

    if (entries > FIRST_RESERVED_GDT_ENTRY)
        return -EINVAL;
    if (copy_from_guest(frames, frame_list, gdt_nr_frames(entries) * sizeof(frames[0])) != 0)
        return -EFAULT;
    spin_lock(&v->domain->mm_lock);
    rc = set_gdt(v, frames, entries);
    spin_unlock(&v->domain->mm_lock);
    preempt_after(0);
    return rc;
}

/* Writes one descriptor at a machine address. The frame is a descriptor page, or plain memory
 * that may become one. A type reference keeps it as it is during the store. */
long do_update_descriptor(uint64_t maddr, uint64_t desc)
{
    struct domain *d = current->domain;
    mfn_t mfn = maddr >> PAGE_SHIFT;
    uint64_t type = TYPE_WRITABLE;
    struct frame *f;
    int rc = -EINVAL;

    if ((maddr & 7) || mfn >= max_mfn || !sanitise_descriptor(&desc))
        return -EINVAL;
    spin_lock(&d->mm_lock);
    if (frame_type(mfn_to_frame(mfn)) == TYPE_SEGDESC)
        type = TYPE_SEGDESC;
    if (get_page_and_type(mfn, d, type, &f) == 0) {
        WRITE_ONCE(*(uint64_t *)maddr_to_virt(maddr), desc);
        put_page_and_type(f);
        rc = 0;
    }
    spin_unlock(&d->mm_lock);
    return rc;
}
