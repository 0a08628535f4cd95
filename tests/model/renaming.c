/* The symmetries of a world: names that may be exchanged. Of states that differ only by names,
 * one is kept (state.c). */
#include <string.h>
#include "model.h"

struct renaming renamings[64];
unsigned nr_renamings;

void renaming_none(struct renaming *r)
{
    for (unsigned i = 0; i < MAX_FRAMES; i++)
        r->frame[i] = r->frame_at[i] = (uint8_t)i;
    for (unsigned i = 0; i < MAX_PLACES; i++)
        r->place[i] = r->place_at[i] = (uint8_t)i;
    for (unsigned i = 0; i < MAX_HANDLES; i++)
        r->handle[i] = r->handle_at[i] = (uint8_t)i;
    for (unsigned i = 0; i < MAX_ACTORS; i++)
        r->cpu[i] = (uint8_t)i;
}

static void add_renaming(const uint8_t *frame, bool swap_places, bool swap_handles,
                         bool swap_cpus)
{
    struct renaming *r = &renamings[nr_renamings++];

    MUST(nr_renamings <= ARRAY_SIZE(renamings));
    renaming_none(r);
    memcpy(r->frame, frame, sizeof(r->frame));
    if (swap_places) {
        r->place[twins[0]] = (uint8_t)twins[1];
        r->place[twins[1]] = (uint8_t)twins[0];
    }
    for (unsigned i = 0; i < MAX_HANDLES; i++)
        r->handle[i] = (uint8_t)(swap_handles ? MAX_HANDLES - 1 - i : i);
    for (unsigned i = 0; i < 2; i++)
        r->cpu[i] = (uint8_t)(swap_cpus ? 1 - i : i);
    for (unsigned i = 0; i < MAX_FRAMES; i++)
        r->frame_at[r->frame[i]] = (uint8_t)i;
    for (unsigned i = 0; i < MAX_PLACES; i++)
        r->place_at[r->place[i]] = (uint8_t)i;
    for (unsigned i = 0; i < MAX_HANDLES; i++)
        r->handle_at[r->handle[i]] = (uint8_t)i;
}

/* All orders of the frames, times those of the two places, times those of the second domain's
 * handles, if a domain may have more than one, or of the CPUs. */
void renamings_make(void)
{
    unsigned n = scope->nr_frames, codes = 1;
    bool twins_there = twins[0] != twins[1],
         handles_there = scope->second.handles[0] == 0 && scope->second.handles[1] == 2;

    nr_renamings = 0;
    for (unsigned i = 0; i < n; i++)
        codes *= n;
    for (unsigned code = 0; code < codes; code++) {
        uint8_t frame[MAX_FRAMES] = { 0, 1, 2, 3 };
        unsigned seen = 0;

        for (unsigned i = 0, c = code; i < n; i++, c /= n) {
            frame[i] = (uint8_t)((i + c) % n);
            seen |= 1u << frame[i];
        }
        for (unsigned s = 0; seen == (1u << n) - 1 && s < (twins_there ? 2 : 1); s++)
            for (unsigned h = 0; h < (handles_there ? 2 : 1); h++)
                for (unsigned c = 0; c < (nr_domains == 1 ? nr_tlbs() : 1); c++)
                    add_renaming(frame, s == 1, h == 1, c == 1);
    }
}
