/* Grant tables, version 1: a domain lets another map or copy some of its frames.
 *
 * Invariants (counted anew by grant_audit)
 *   G1  every live handle of a mapping domain stands for one pin of the granter's entry: a writer, or a
 *       reader when GNTMAP_readonly; pins are held by nothing else (a copy's end with the call)
 *   G2  while an entry has pins, its GTF_reading is set, and GTF_writing while it has writers; the frame that
 *       the pins mean is the one the entry named at the first of them, whatever the guest writes there later
 *   G3  the references on a mapped frame belong to the page-table entry, not to the handle: an L1 entry holds
 *       them as F4 says, whoever owns the frame, and whoever destroys the entry drops them. A guest that
 *       overwrites a grant mapping by other means than unmap therefore keeps a handle with a pin and no frame
 *       behind it, to its own loss until it ends; that handle gives it nothing.
 *   G4  a guest cannot make an entry for a frame of another domain by any other call: get_page_from_l1e asks
 *       for the owner; changing the flags of a grant mapping may not touch address, P or RW (XSA-182) */
#ifndef XEN_GRANT_H
#define XEN_GRANT_H

#include "xen/domain.h"

int grant_init(struct domain *d);           /* 0 or -ENOMEM */
void grant_destroy_mappings(struct domain *d);  /* the dying domain's own mappings of others' frames */
void grant_destroy(struct domain *d);       /* its table, when nobody maps its frames any more */
/* The builder's reserved entries (GNTTAB_RESERVED_CONSOLE, _XENSTORE): gfn granted to domid. */
int grant_reserve(struct domain *d, unsigned ref, domid_t domid, pfn_t gfn);
void grant_audit(void);                     /* G1; panics */

/* Between grant.c (tables and pins), grant_map.c (handles and mappings) and grant_copy.c. */
#define MAX_GRANT_FRAMES 32u
#define MAX_MAPTRACK_PAGES 256u
#define GRANTS_PER_FRAME (unsigned)(PAGE_SIZE / sizeof(struct grant_entry_v1))
#define MAPTRACKS_PER_PAGE (unsigned)(PAGE_SIZE / sizeof(struct maptrack))

struct grant_pins {                         /* of one entry of the granter's table; guarded by its lock */
    uint32_t mfn;                           /* G2; meaningful with pins, like domid */
    domid_t domid;
    uint16_t readers, writers;
};

struct maptrack {                           /* one handle; guarded by the mapping domain's mm_lock */
    struct domain *granter;
    uint32_t ref;                           /* free: index of the next free one */
    uint16_t generation;                    /* a handle used again is another handle */
    uint8_t flags;                          /* GNTMAP_*; no device_map or host_map: free */
};

struct grant_table {
    struct spinlock lock;
    unsigned nr_frames;
    uint32_t nr_pins;                       /* of all entries */
    uint32_t nr_maptracks, free_maptrack;   /* made so far; index of the first free one */
    struct grant_entry_v1 *shared[MAX_GRANT_FRAMES];
    struct grant_pins *pins[MAX_GRANT_FRAMES];
    struct maptrack *maptrack[MAX_MAPTRACK_PAGES];
};

/* Pins rd's entry for domid; *mfn is the frame it means. GNTST_*. */
int grant_pin(struct domain *rd, grant_ref_t ref, domid_t domid, bool readonly, mfn_t *mfn);
void grant_unpin(struct domain *rd, grant_ref_t ref, bool readonly);
struct grant_pins *grant_pins_of(struct grant_table *gt, grant_ref_t ref);
/* A pinned entry's frame with references: a general one, and unless readonly a writable-type one. The caller
 * holds rd's mm_lock. GNTST_*. */
struct frame;
int grant_get_frame(struct domain *rd, mfn_t mfn, bool readonly, struct frame **out);

void grant_forget_granter(struct domain *granter);  /* it is gone: no handle may name it any more */

void mm_lock_pair(struct domain *a, struct domain *b);      /* in lock order; once when they are the same */
void mm_unlock_pair(struct domain *a, struct domain *b);

long grant_map_grant_ref(uint64_t uop, unsigned count);
long grant_unmap_grant_ref(uint64_t uop, unsigned count);
long grant_unmap_and_replace(uint64_t uop, unsigned count);
long grant_copy(uint64_t uop, unsigned count);

#endif
