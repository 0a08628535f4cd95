/* Owns free frames: a buddy allocator over the frame table, in blocks of 2^order frames. Knows nothing of types; the
 * references of frames in use belong to frame.c. Frames that held guest data are scrubbed when they are handed out
 * again, not when they come back, so that nobody waits for the death of a large guest.
 *
 * A free block's first frame carries FREE_HEAD and the order in its type word; all other free frames are zero there.
 * Frames that are no RAM belong to no block, and therefore are never merged or found. */
#include "common/string.h"
#include "xen/frame.h"

#define NR_ORDERS 19u                       /* up to 1 GiB */
#define FREE_HEAD (1ull << 56)
#define NIL (~0u)

struct frame *frame_table;
mfn_t max_mfn;
uint64_t *m2p_table;

static uint32_t free_head[NR_ORDERS];
static uint64_t nr_free;

/* F8 across owners: a guest that unmapped a frame without a flush and gave it back may still reach it, until the flush
 * that is made here before anybody gets it. One flush serves all frames that came back before it. */
static bool guest_frames_returned;
static uint32_t returned_stamp;         /* tlb_clock when the last of them came */

void frames_init(void *table, mfn_t nr_frames, uint64_t *m2p)
{
    frame_table = table;
    max_mfn = nr_frames;
    m2p_table = m2p;
    nr_free = 0;
    guest_frames_returned = false;
    for (unsigned o = 0; o < NR_ORDERS; o++)
        free_head[o] = NIL;
}

static void block_insert(mfn_t mfn, unsigned order, bool scrub)
{
    struct frame *f = mfn_to_frame(mfn);

    f->type = FREE_HEAD | order;
    f->count = scrub ? FRAME_SCRUB : 0;
    f->owner = 0;
    f->prev = NIL;
    f->next = free_head[order];
    if (free_head[order] != NIL)
        mfn_to_frame(free_head[order])->prev = (uint32_t)mfn;
    free_head[order] = (uint32_t)mfn;
}

static void block_remove(struct frame *f, unsigned order)
{
    if (f->prev != NIL)
        mfn_to_frame(f->prev)->next = f->next;
    else
        free_head[order] = f->next;
    if (f->next != NIL)
        mfn_to_frame(f->next)->prev = f->prev;
    f->type = 0;
    f->count = 0;
}

void free_frames(mfn_t mfn, unsigned order, bool scrub)
{
    nr_free += 1ull << order;
    for (; order + 1 < NR_ORDERS; order++) {
        mfn_t buddy = mfn ^ (1ull << order);
        struct frame *b = mfn_to_frame(buddy);

        if (buddy >= max_mfn || b->type != (FREE_HEAD | order) || b->owner != 0)
            break;
        scrub |= (b->count & FRAME_SCRUB) != 0;
        block_remove(b, order);
        mfn &= ~(1ull << order);
    }
    block_insert(mfn, order, scrub);
}

void frames_add_range(mfn_t start, mfn_t end, bool scrub)
{
    start = MAX(start, 1ul);            /* 0 stands for no frame, and for no owner */
    end = MIN(end, max_mfn);
    while (start < end) {
        unsigned order = 0;

        while (order + 1 < NR_ORDERS && (start & ((2ull << order) - 1)) == 0 && start + (2ull << order) <= end)
            order++;
        free_frames(start, order, scrub);
        start += 1ull << order;
    }
}

void free_guest_frame(mfn_t mfn)
{
    guest_frames_returned = true;
    returned_stamp = tlb_clock;
    free_frames(mfn, 0, true);
}

mfn_t alloc_frames(unsigned order)
{
    unsigned o = order;
    mfn_t mfn;
    bool scrub;

    while (o < NR_ORDERS && free_head[o] == NIL)
        o++;
    if (o >= NR_ORDERS)
        return INVALID_MFN;
    if (unlikely(guest_frames_returned)) {
        guest_frames_returned = false;
        flush_tlb_since(returned_stamp);
    }
    mfn = free_head[o];
    scrub = (mfn_to_frame(mfn)->count & FRAME_SCRUB) != 0;
    block_remove(mfn_to_frame(mfn), o);
    while (o-- > order)
        block_insert(mfn + (1ull << o), o, scrub);
    nr_free -= 1ull << order;
    if (scrub)
        for (mfn_t i = 0; i < 1ull << order; i++)
            memset(mfn_to_virt(mfn + i), 0, PAGE_SIZE);
    return mfn;
}

uint64_t nr_free_frames(void)
{
    return nr_free;
}

/* Frames of our own: owner NULL, so that no guest can name them; count 1 says that they are in use. */
void *alloc_pages(unsigned order)
{
    mfn_t mfn = alloc_frames(order);

    if (mfn == INVALID_MFN)
        return NULL;
    for (mfn_t i = 0; i < 1ull << order; i++) {
        mfn_to_frame(mfn + i)->count = 1;
        memset(mfn_to_virt(mfn + i), 0, PAGE_SIZE);
    }
    return mfn_to_virt(mfn);
}

void free_pages(void *p, unsigned order)
{
    mfn_t mfn;

    if (p == NULL)
        return;
    mfn = virt_to_mfn(p);
    for (mfn_t i = 0; i < 1ull << order; i++)
        mfn_to_frame(mfn + i)->count = 0;
    free_frames(mfn, order, true);
}

void *alloc_page(void)
{
    return alloc_pages(0);
}

void free_page(void *page)
{
    free_pages(page, 0);
}
