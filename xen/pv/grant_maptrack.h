/* The handles of grant mappings, a table of each mapping domain (grant_maptrack.c). A handle is an
 * index and a generation. Called by grant_map.c for the hypercall's operations, at the end of a
 * domain, and by audits. */
#ifndef XEN_GRANT_MAPTRACK_H
#define XEN_GRANT_MAPTRACK_H

#include "xen/pv/grant.h"

#define MAPTRACK_LIVE (GNTMAP_device_map | GNTMAP_host_map)     /* flags; none: a free handle */
/* 15 bits, so that no handle is negative or ~0, which means none */
#define GENERATION_MASK 0x7fffu

static inline struct maptrack *maptrack_at(const struct grant_table *gt, uint32_t index)
{
    return &gt->maptrack[index / MAPTRACKS_PER_PAGE][index % MAPTRACKS_PER_PAGE];
}

static inline void maptrack_free(struct grant_table *gt, struct maptrack *t, uint32_t index)
{
    t->flags = 0;
    t->generation = (t->generation + 1) & GENERATION_MASK;
    t->ref = gt->free_maptrack;
    gt->free_maptrack = index;
}

/* Called when no handle is free: the index of a new one, which is on the free list; UINT32_MAX: no
 * more. */
uint32_t maptrack_grow(struct domain *d);
/* Drops what a handle with GNTMAP_device_map holds of the granter's frame (G5). */
void grant_end_device_map(struct domain *granter, mfn_t mfn, bool readonly);

/* Ends the dying domain's own mappings of other domains' frames. */
void grant_destroy_mappings(struct domain *d);
/* Called when the granter is freed: no handle may name it any more. */
void grant_forget_granter(struct domain *granter);
/* G5: calls fn for each device mapping of each domain; audit.c counts with it. */
void grant_for_each_device_map(void (*fn)(void *arg, mfn_t mfn, bool readonly), void *arg);
void grant_audit(void);                     /* G1; panics */

#endif
