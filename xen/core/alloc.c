/* Free frames: a buddy allocator over the frame table, in blocks of 2^order frames. References and
 * types of frames in use are frame.c's and pv/pagetype.c's. Called by frame.c for guests' frames,
 * and by every file that needs memory of the hypervisor's own. Frames that held guest data are
 * zeroed when they are allocated again, not when they are freed, so that the end of a large guest
 * takes little time.
 *
 * Blocks are kept by zones: zone z holds the blocks whose frame numbers have z significant bits. An
 * allocation below an address searches only the zones below it; any other allocation takes the
 * highest zone that has a block, so that low memory is used last. A block lies in one zone, because
 * it is aligned to its size.
 *
 * RAM that was never allocated since boot may be kept by ranges beside the blocks. A range is not
 * looked at in the frame table, where its entries are 0. When a zone with such ranges has no block
 * that is large enough, the last piece of the last range becomes blocks: CHUNK_FRAMES, or what is
 * left to an aligned number.
 *
 * The word of a free block's first frame is FREE_HEAD | order, in the place of the type references,
 * and FRAME_SCRUB; that of all other free frames is 0. Frames that are not RAM belong to no block,
 * and so are never merged or allocated. */
#include "arch/arch.h"
#include "common/string.h"
#include "xen/core/alloc.h"
#include "xen/core/frame.h"
#include "xen/core/lock.h"

#define NR_ORDERS 19u                       /* up to 1 GiB */
#define FREE_HEAD (1ull << 54)
#define NIL (~0u)
#define CHUNK_ORDER 16u                     /* 256 MiB */
#define CHUNK_FRAMES (1ul << CHUNK_ORDER)
#define NR_UNTOUCHED 512u

struct frame *frame_table, *frame_table_end;
mfn_t max_mfn;
uint64_t *m2p_table;

#define NR_ZONES 33u

static struct zone {
    uint32_t orders;                        /* bit per order: there is a block */
    uint32_t head[NR_ORDERS];
} zones[NR_ZONES];
static uint64_t zones_in_use;               /* bit per zone: there is a block */
static struct range {
    mfn_t start, end;                       /* in one zone, not empty */
} untouched[NR_UNTOUCHED];
static unsigned nr_untouched;
static uint64_t untouched_zones;            /* bit per zone: there is such a range */
static uint64_t nr_free;
/* Guards the blocks, and the words of frames in them. Zeroing is done without it. */
static struct spinlock heap_lock = SPINLOCK(LOCK_HEAP, 0);

void frames_init(void *table, mfn_t nr_frames, uint64_t *m2p)
{
    frame_table = table;
    max_mfn = nr_frames;
    frame_table_end = frame_table + nr_frames;
    m2p_table = m2p;
    nr_free = 0;
    zones_in_use = 0;
    nr_untouched = 0;
    untouched_zones = 0;
    for (unsigned z = 0; z < NR_ZONES; z++) {
        zones[z].orders = 0;
        for (unsigned o = 0; o < NR_ORDERS; o++)
            zones[z].head[o] = NIL;
    }
}

static unsigned zone_of_frame(mfn_t mfn)
{
    return 64 - (unsigned)__builtin_clzll(mfn);
}

static unsigned zone_of(mfn_t mfn, unsigned order)
{
    return zone_of_frame(mfn + (1ull << order) - 1);
}

static void block_insert(mfn_t mfn, unsigned order, bool scrub)
{
    struct frame *f = mfn_to_frame(mfn);
    unsigned z = zone_of(mfn, order);
    uint32_t *head = &zones[z].head[order];

    /* Who has read the frame's owner before it was freed may read both now: get_page. */
    WRITE_ONCE(f->word, FREE_HEAD | order * TYPE_REF | (scrub ? FRAME_SCRUB : 0));
    WRITE_ONCE(f->owner, 0);
    f->prev = NIL;
    f->next = *head;
    if (*head != NIL)
        mfn_to_frame(*head)->prev = (uint32_t)mfn;
    *head = (uint32_t)mfn;
    zones[z].orders |= 1u << order;
    zones_in_use |= 1ull << z;
}

static void block_remove(struct frame *f, unsigned order)
{
    unsigned z = zone_of(frame_to_mfn(f), order);
    struct zone *zone = &zones[z];

    if (f->prev != NIL)
        mfn_to_frame(f->prev)->next = f->next;
    else
        zone->head[order] = f->next;
    if (f->next != NIL)
        mfn_to_frame(f->next)->prev = f->prev;
    if (zone->head[order] == NIL)
        zone->orders &= ~(1u << order);
    if (zone->orders == 0)
        zones_in_use &= ~(1ull << z);
    WRITE_ONCE(f->word, 0);
}

/* The range of the highest frames of this zone; NULL: none. */
static struct range *last_untouched(unsigned z)
{
    struct range *last = NULL;

    for (unsigned i = 0; i < nr_untouched; i++)
        if (zone_of_frame(untouched[i].start) == z &&
            (last == NULL || untouched[i].start > last->start))
            last = &untouched[i];
    return last;
}

static bool is_untouched(mfn_t mfn)
{
    for (unsigned i = 0; i < nr_untouched; i++)
        if (mfn >= untouched[i].start && mfn < untouched[i].end)
            return true;
    return false;
}

/* The buddy of a block smaller than CHUNK_FRAMES has its entries close to the block's. That of a
 * larger one may never have been looked at, and need not be. */
static bool is_free_block(mfn_t mfn, unsigned order)
{
    if (mfn >= max_mfn || (order >= CHUNK_ORDER && is_untouched(mfn)))
        return false;
    return (READ_ONCE(mfn_to_frame(mfn)->word) & ~FRAME_SCRUB) == (FREE_HEAD | order * TYPE_REF);
}

static void insert_and_merge(mfn_t mfn, unsigned order, bool scrub)
{
    for (; order + 1 < NR_ORDERS; order++) {
        mfn_t buddy = mfn ^ (1ull << order);
        struct frame *b = mfn_to_frame(buddy);

        if (!is_free_block(buddy, order))
            break;
        scrub |= (READ_ONCE(b->word) & FRAME_SCRUB) != 0;
        block_remove(b, order);
        mfn &= ~(1ull << order);
    }
    block_insert(mfn, order, scrub);
}

static void insert_range(mfn_t start, mfn_t end, bool scrub)
{
    while (start < end) {
        unsigned order = 0;

        while (order + 1 < NR_ORDERS && (start & ((2ull << order) - 1)) == 0 &&
               start + (2ull << order) <= end)
            order++;
        insert_and_merge(start, order, scrub);
        start += 1ull << order;
    }
}

void free_frames(mfn_t mfn, unsigned order, bool scrub)
{
    spin_lock(&heap_lock);
    nr_free += 1ull << order;
    insert_and_merge(mfn, order, scrub);
    spin_unlock(&heap_lock);
}

void frames_add_range(mfn_t start, mfn_t end, bool scrub)
{
    start = MAX(start, 1ul);            /* 0 stands for no frame, and for no owner */
    end = MIN(end, max_mfn);
    if (start >= end)
        return;
    spin_lock(&heap_lock);
    nr_free += end - start;
    insert_range(start, end, scrub);
    spin_unlock(&heap_lock);
}

/* A part of it for each zone. */
void frames_add_untouched(mfn_t start, mfn_t end)
{
    start = MAX(start, 1ul);
    end = MIN(end, max_mfn);
    while (start < end) {
        unsigned z = zone_of_frame(start);
        mfn_t next = MIN(1ull << z, end);

        if (nr_untouched == NR_UNTOUCHED) {
            frames_add_range(start, end, false);
            return;
        }
        untouched[nr_untouched++] = (struct range){ start, next };
        untouched_zones |= 1ull << z;
        nr_free += next - start;
        start = next;
    }
}

/* The zone has an untouched range. */
static void touch_piece(unsigned z)
{
    struct range *r = last_untouched(z);
    mfn_t end = r->end, start = MAX(ALIGN_DOWN(end - 1, CHUNK_FRAMES), r->start);

    r->end = start;
    if (r->start == start)
        *r = untouched[--nr_untouched];
    if (last_untouched(z) == NULL)
        untouched_zones &= ~(1ull << z);
    insert_range(start, end, false);
}

/* A block of at least the order, the smallest that the highest zone with one has. *found: its
 * order. */
static mfn_t find_block(unsigned order, unsigned address_bits, unsigned *found)
{
    unsigned top = address_bits == 0 ? 64 :
                   address_bits > PAGE_SHIFT ? address_bits - PAGE_SHIFT : 0;
    uint64_t left = (zones_in_use | untouched_zones) & (top < 63 ? (2ull << top) - 1 : ~0ull);

    while (left != 0) {
        unsigned z = 63 - (unsigned)__builtin_clzll(left);

        if (zones[z].orders >> order != 0) {
            *found = order + (unsigned)__builtin_ctz(zones[z].orders >> order);
            return zones[z].head[*found];
        }
        if (unlikely(untouched_zones >> z & 1))
            touch_piece(z);
        else
            left &= ~(1ull << z);
    }
    return INVALID_MFN;
}

static mfn_t alloc(unsigned order, unsigned address_bits, bool (*may)(void *arg, uint64_t nr),
                   void *arg)
{
    unsigned o;
    bool scrub;
    mfn_t mfn;

    spin_lock(&heap_lock);
    mfn = find_block(order, address_bits, &o);
    if (mfn == INVALID_MFN || (may != NULL && !may(arg, 1ull << order))) {
        spin_unlock(&heap_lock);
        return INVALID_MFN;
    }
    scrub = (READ_ONCE(mfn_to_frame(mfn)->word) & FRAME_SCRUB) != 0;
    block_remove(mfn_to_frame(mfn), o);
    while (o-- > order)
        block_insert(mfn + (1ull << o), o, scrub);
    nr_free -= 1ull << order;
    spin_unlock(&heap_lock);
    if (scrub)
        for (mfn_t i = 0; i < 1ull << order; i++)
            memset(mfn_to_virt(mfn + i), 0, PAGE_SIZE);
    return mfn;
}

mfn_t alloc_frames_below(unsigned order, unsigned address_bits)
{
    return alloc(order, address_bits, NULL, NULL);
}

mfn_t alloc_frames_if(unsigned order, bool (*may)(void *arg, uint64_t nr_frames), void *arg)
{
    return alloc(order, 0, may, arg);
}

mfn_t alloc_frames(unsigned order)
{
    return alloc(order, 0, NULL, NULL);
}

uint64_t nr_free_frames(void)
{
    return READ_ONCE(nr_free);
}

/* Frames of the hypervisor's own: without owner, so that no guest gets a reference on them. */
void *alloc_pages_if(unsigned order, bool (*may)(void *arg, uint64_t nr_frames), void *arg)
{
    mfn_t mfn = alloc(order, 0, may, arg);

    if (mfn == INVALID_MFN)
        return NULL;
    for (mfn_t i = 0; i < 1ull << order; i++) {
        WRITE_ONCE(mfn_to_frame(mfn + i)->word, FRAME_HYPERVISOR);
        memset(mfn_to_virt(mfn + i), 0, PAGE_SIZE);
    }
    return mfn_to_virt(mfn);
}

void *alloc_pages(unsigned order)
{
    return alloc_pages_if(order, NULL, NULL);
}

void free_pages(void *p, unsigned order)
{
    mfn_t mfn;

    if (p == NULL)
        return;
    mfn = virt_to_mfn(p);
    for (mfn_t i = 0; i < 1ull << order; i++)
        WRITE_ONCE(mfn_to_frame(mfn + i)->word, 0);
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
