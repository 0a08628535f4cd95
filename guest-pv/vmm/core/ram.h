/* The guest's physical memory: one stretch of the vmm's own, from guest-physical address 0 on. What
 * is above it, and 640 KiB to 1 MiB, is absent: it reads as zeroes and swallows writes, by way of
 * two pages that stand for all of it. */
#ifndef VMM_CORE_RAM_H
#define VMM_CORE_RAM_H

#include "common/compiler.h"

#define GUEST_PAGE 4096u

/* Why struct cpu's hook is called before a write to a frame. */
enum { FRAME_CODE = 1, FRAME_TABLE = 2, FRAME_WALKED = 4 };

struct ram {
    uint8_t *bytes;             /* page-aligned */
    uint64_t nr_frames;
    uint8_t *flags;             /* FRAME_* of each frame */
    uint8_t *zeroes, *sink;     /* a page each: what absent memory reads and where writes go */
};

static inline bool frame_is_ram(const struct ram *r, uint64_t frame)
{
    return frame < r->nr_frames && !(frame >= 0xa0 && frame < 0x100);
}
/* The page of any frame, to read or to write; of absent memory the page that stands for it. */
static inline uint8_t *frame_to_read(const struct ram *r, uint64_t frame)
{
    return frame_is_ram(r, frame) ? r->bytes + frame * GUEST_PAGE : r->zeroes;
}
static inline uint8_t *frame_to_write(const struct ram *r, uint64_t frame)
{
    return frame_is_ram(r, frame) ? r->bytes + frame * GUEST_PAGE : r->sink;
}
static inline uint8_t frame_flags(const struct ram *r, uint64_t frame)
{
    return frame_is_ram(r, frame) ? r->flags[frame] : 0;
}

#endif
