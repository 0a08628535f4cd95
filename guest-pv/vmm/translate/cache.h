/* What cache.c, suspect.c and table.c have from each other. */
#ifndef VMM_TRANSLATE_CACHE_H
#define VMM_TRANSLATE_CACHE_H

#include "guest-pv/vmm/translate/region.h"

/* The list of blocks by guest address; and of a frame, by the references in same_frame. */
static inline uint32_t *hash_head(struct translator *t, uint64_t rip)
{
    return &t->hash[rip * 0x9e3779b97f4a7c15ull >> 49];
}
_Static_assert(BLOCK_HASH == 1u << (64 - 49), "the hash has 15 bits");
static inline uint32_t *next_of_frame(struct translator *t, uint32_t ref)
{
    return &t->blocks[ref >> 1].same_frame[ref & 1];
}
static inline uint64_t next_page(uint64_t rip)
{
    return (rip | (GUEST_PAGE - 1)) + 1;
}

/* table.c */
bool has_room(const struct translator *t);
/* The next one, as it is to be made; not there before add_block(). Without room all are dropped. */
struct tblock *new_block(struct cpu *c, uint64_t rip, unsigned slot);
void add_block(struct translator *t);

/* suspect.c. An entry that led to blocks was written. */
void suspend_all(struct cpu *c);
/* From now on the hook is called before a write to the frame. */
void watch_frame(struct cpu *c, uint64_t frame);
/* True: it may run. Else it is gone, and others may be, too. */
bool make_live(struct cpu *c, uint32_t nr);

#endif
