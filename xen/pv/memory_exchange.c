/* XENMEM_exchange: exchanges frames in extents of one size for as many frames in extents of
 * another. It is done in chunks of the larger of the two extents; a chunk is done completely or
 * not at all, and nr_exchanged tells the guest how many extents were done. Called by the
 * generated dispatch (common/abi.def). The other commands are in memory.c. */
#include "arch/arch.h"
#include "xen/core/claim.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/guest_access.h"
#include "xen/core/lock.h"
#include "xen/core/sched.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/memory.h"

struct exchange {
    struct domain *d;
    struct xen_memory_exchange x;
    unsigned in_per_chunk, out_per_chunk;   /* extents; one of the two is 1 */
    unsigned chunk_frames;
    mfn_t *frames, *given; /* the chunk's frames that the guest gives, and those that it gets */
};

/* Checks the guest's numbers, which were read once, without overflow (XSA-29, XSA-31, XSA-212). */
static int check(struct exchange *e)
{
    const struct xen_memory_reservation *in = &e->x.in, *out = &e->x.out;
    int rc;

    if (MAX(in->extent_order, out->extent_order) > MAX_ORDER)
        return -EPERM;
    if (e->x.nr_exchanged > in->nr_extents || in->domid != out->domid ||
        in->nr_extents > ~0ul >> in->extent_order || out->nr_extents > ~0ul >> out->extent_order ||
        in->nr_extents << in->extent_order != out->nr_extents << out->extent_order)
        return -EINVAL;
    if (e->x.nr_exchanged == in->nr_extents)
        return 0;                       /* nothing is left to do, so the lists are not checked */
    if (in->nr_extents > ~0ul >> 3 ||
        !guest_range_ok((uint64_t)in->extent_start.p, in->nr_extents * 8) ||
        out->nr_extents > ~0ul >> 3 ||
        !guest_range_ok((uint64_t)out->extent_start.p, out->nr_extents * 8))
        return -EFAULT;
    rc = memory_check_domid(in->domid);
    if (rc != 0)
        return rc;
    e->chunk_frames = 1u << MAX(in->extent_order, out->extent_order);
    e->in_per_chunk = e->chunk_frames >> in->extent_order;
    e->out_per_chunk = e->chunk_frames >> out->extent_order;
    return 0;
}

/* Takes the frames that have no reference but their owner's. A frame that the guest named twice
 * is refused the second time, for it has the reference that was taken here. */
static int get_input_frame(struct exchange *e, mfn_t mfn, unsigned *taken)
{
    struct frame *f = get_frame(mfn, e->d);
    uint64_t word;

    if (f == NULL)
        return -EINVAL;
    word = READ_ONCE(f->word);
    if (!(word & FRAME_ALLOCATED) || nr_refs(word) != 2) {
        put_page(f);
        return -EINVAL;
    }
    e->frames[(*taken)++] = mfn;
    return 0;
}

static int get_input_chunk(struct exchange *e, uint64_t first, unsigned *taken)
{
    uint64_t list = (uint64_t)e->x.in.extent_start.p;
    int rc = 0;

    for (unsigned i = 0; i < e->in_per_chunk && rc == 0; i++) {
        mfn_t mfn;

        if (!get_guest_args(&mfn, list + (first + i) * 8, 1))
            return -EFAULT;
        for (unsigned j = 0; j < 1u << e->x.in.extent_order && rc == 0; j++)
            rc = mfn + j < mfn ? -EINVAL : get_input_frame(e, mfn + j, taken);
    }
    return rc;
}

static void release_given(struct exchange *e, const mfn_t *given, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++)
        for (unsigned j = 0; j < 1u << e->x.out.extent_order; j++)
            release_domain_frame(mfn_to_frame(given[i] + j));
}

/* Allocates the new frames of a chunk; without the old ones the domain is within its limit. The
 * words of the guest's list are read and overwritten. */
static int give_chunk(struct exchange *e, uint64_t first)
{
    uint64_t list = (uint64_t)e->x.out.extent_start.p + first * 8;
    mfn_t *given = e->given;
    unsigned nr = 0;
    int rc = 0;

    e->d->max_frames += e->chunk_frames;
    for (; nr < e->out_per_chunk && rc == 0; nr++) {
        pfn_t pfn;

        if (!get_guest_args(&pfn, list + nr * 8, 1)) {
            rc = -EFAULT;
            break;
        }
        given[nr] = memory_give_frames(e->d, e->x.out.extent_order, e->x.out.mem_flags, pfn);
        if (given[nr] == INVALID_MFN) {
            rc = -ENOMEM;
            break;
        }
    }
    e->d->max_frames -= e->chunk_frames;
    for (unsigned i = 0; i < nr && rc == 0; i++)
        if (!put_guest_args(list + i * 8, &given[i], 1))
            rc = -EFAULT;
    if (rc != 0)
        release_given(e, given, nr);
    return rc;
}

static int exchange_chunk(struct exchange *e, uint64_t chunk)
{
    unsigned taken = 0;
    int rc;

    spin_lock(&e->d->mm_lock);
    rc = get_input_chunk(e, chunk * e->in_per_chunk, &taken);
    if (rc == 0)
        rc = give_chunk(e, chunk * e->out_per_chunk);
    for (unsigned i = 0; i < taken; i++) {
        struct frame *f = mfn_to_frame(e->frames[i]);

        if (rc == 0)
            release_domain_frame(f);
        put_page(f);
    }
    spin_unlock(&e->d->mm_lock);
    return rc;
}

static int exchange_all(struct exchange *e)
{
    uint64_t nr_chunks = e->x.in.nr_extents / e->in_per_chunk;
    int rc = 0;

    for (uint64_t chunk = e->x.nr_exchanged / e->in_per_chunk; chunk < nr_chunks; chunk++) {
        rc = exchange_chunk(e, chunk);
        if (rc != 0)
            break;
        e->x.nr_exchanged = (chunk + 1) * e->in_per_chunk;
        preempt_point();
        if (e->d->state != DOM_RUNNING)
            break;
    }
    return rc;
}

long memory_exchange(uint64_t arg)
{
    struct exchange e = { .d = current->domain };
    int rc;

    if (copy_from_guest(&e.x, arg, sizeof(e.x)) != 0)
        return -EFAULT;
    rc = check(&e);
    if (rc == 0 && e.x.nr_exchanged != e.x.in.nr_extents) {
        e.frames = alloc_page_for(e.d); /* 512 words each */
        e.given = alloc_page_for(e.d);
        rc = e.frames != NULL && e.given != NULL ? exchange_all(&e) : -ENOMEM;
        free_page_for(e.d, e.frames);
        free_page_for(e.d, e.given);
    }
    if (copy_to_guest(arg + offsetof(struct xen_memory_exchange, nr_exchanged), &e.x.nr_exchanged,
                      sizeof(e.x.nr_exchanged)) != 0)
        return -EFAULT;
    return rc;
}
