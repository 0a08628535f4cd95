/* What is not part of a state must never change: all other frames, their contents and their
 * entries in the frame table. They are saved when the world is new, and compared when the first
 * state is loaded again after all the others. */
#include <stdlib.h>
#include <string.h>
#include "model.h"
#include "support.h"
#include "xen/pv/grant.h"

static struct frame *frames_then;
static uint8_t *ram_then;

static bool is_ram(mfn_t mfn)
{
    return !is_no_ram(mfn_to_frame(mfn)) && mfn_to_frame(mfn)->word != 0;
}

/* A debug build's lock keeps where it was taken last. */
static void forget_places_of_locks(void)
{
    for (unsigned d = 0; d < nr_domains; d++)
        domains[d]->grant->lock.rip = NULL;
}

void constant_keep(void)
{
    forget_places_of_locks();
    frames_then = malloc(max_mfn * sizeof(*frames_then));
    ram_then = malloc(max_mfn * PAGE_SIZE);
    HOST_CHECK(frames_then != NULL && ram_then != NULL, "no memory");
    memcpy(frames_then, frame_table, max_mfn * sizeof(*frames_then));
    for (mfn_t mfn = 0; mfn < max_mfn; mfn++)
        if (is_ram(mfn))
            memcpy(ram_then + mfn * PAGE_SIZE, mfn_to_virt(mfn), PAGE_SIZE);
}

/* The CPU sets bits in tables that it walks. */
static void check_contents(mfn_t mfn)
{
    const uint64_t *then = (const void *)(ram_then + mfn * PAGE_SIZE), *now = mfn_to_virt(mfn);
    uint64_t type = mfn_to_frame(mfn)->word >> TYPE_SHIFT,
             ignored = type >= 1 && type <= 4 ? PTE_A | PTE_D : 0;

    for (unsigned i = 0; i < PTES_PER_TABLE; i++)
        HOST_CHECK(((then[i] ^ now[i]) & ~ignored) == 0,
                   "word %u of mfn %#lx of type %lx was %#lx and is %#lx", i, mfn, type, then[i],
                   now[i]);
}

static bool is_argument(mfn_t mfn)
{
    return mfn == argument_mfn[0] || mfn == argument_mfn[1] || mfn == argument_mfn[2];
}

static bool is_domain(mfn_t mfn)
{
    return mfn == domains[0]->mfn || (nr_domains == 2 && mfn == domains[1]->mfn);
}

void constant_check(void)
{
    forget_places_of_locks();
    for (mfn_t mfn = 0; mfn < max_mfn; mfn++) {
        const struct frame *then = &frames_then[mfn], *now = mfn_to_frame(mfn);

        HOST_CHECK(then->word == now->word && then->linear == now->linear &&
                       then->owner == now->owner,
                   "mfn %#lx was %#lx, linear %#x, owner %#x", mfn, then->word, then->linear,
                   then->owner);
        if (is_ram(mfn) && !is_argument(mfn) && !is_domain(mfn))
            check_contents(mfn);
    }
    free(frames_then);
    free(ram_then);
}
