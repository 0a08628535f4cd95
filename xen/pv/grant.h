/* Grant tables, versions 1 and 2: a domain lets another map or copy some of its frames.
 *
 * In version 2 an entry is 16 bytes: it may name a part of a page, or another domain's grant to
 * this one (transitive), for copies only; and the status bits are in pages of their own.
 *
 * Invariants (counted anew by grant_audit)
 *   G1  every live handle of a mapping domain stands for one pin of the granter's entry: a
 *       writer, or a reader when GNTMAP_readonly; pins are held by nothing else (a copy's end
 *       with the call)
 *   G2  while an entry has pins, its GTF_reading is set, and GTF_writing while one of them is a
 *       writer. All pins stand for the frame and bytes that the entry named when the first pin was
 *       made, whatever the guest writes there later
 *   G3  the references on a mapped frame belong to the page-table entry, not to the handle. The L1
 *       entry holds them as F4 says, also if another domain owns the frame, and they are dropped
 *       with the entry. If a guest overwrites a grant mapping without unmap, its handle keeps a pin
 *       but no frame until the guest ends; the guest can do nothing with such a handle
 *   G4  a guest cannot make an entry for a frame of another domain by any other call:
 *       get_page_from_l1e asks for the owner; changing the flags of a grant mapping may not
 *       touch address, P or RW (XSA-182)
 *   G5  a handle with GNTMAP_device_map holds references of its own on the frame: a general one,
 *       and a writable-type one unless GNTMAP_readonly; so the frame stays what it is, and its
 *       owner's, until the handle ends
 *   G6  a handle stands for a whole page: parts of pages and transitive grants are pinned by
 *       copies only */
#ifndef XEN_GRANT_H
#define XEN_GRANT_H

#include "xen/core/domain.h"
#include "xen/core/lock.h"

int grant_init(struct domain *d);           /* 0 or -ENOMEM */
/* Frees its table, when no other domain maps its frames any more. */
void grant_destroy(struct domain *d);
/* For the builder: grants gfn to domid in a reserved entry (GNTTAB_RESERVED_CONSOLE, _XENSTORE). */
int grant_reserve(struct domain *d, unsigned ref, domid_t domid, pfn_t gfn);

/* The structures of grant tables, for the files grant*.c: grant.c (tables), grant_pin.c (pins),
 * grant_map.c (mappings), grant_maptrack.c (handles), grant_copy.c, grant_version.c (version 2). */
#define MAX_GRANT_FRAMES 32u
#define MAX_MAPTRACK_PAGES 256u
/* The number of pins, too, in both versions. */
#define GRANTS_PER_FRAME (unsigned)(PAGE_SIZE / sizeof(struct grant_entry_v1))
#define GRANTS_V2_PER_FRAME (unsigned)(PAGE_SIZE / sizeof(union grant_entry_v2))
#define STATUS_PER_FRAME (unsigned)(PAGE_SIZE / sizeof(grant_status_t))
#define MAX_STATUS_FRAMES (MAX_GRANT_FRAMES * GRANTS_V2_PER_FRAME / STATUS_PER_FRAME)
/* Pages of pins need not be contiguous. */
#define PINS_PER_PAGE 256u
#define MAPTRACKS_PER_PAGE (unsigned)(PAGE_SIZE / sizeof(struct maptrack))

/* The pins of one entry of the granter's table; guarded by the table's lock. */
struct grant_pins {
    /* G2; valid only while there are pins, like domid, start and length */
    uint32_t mfn;
    domid_t domid;
    uint16_t readers, writers;
    /* Bytes of the frame: all, or the part that a copy may access. */
    uint16_t start, length;
};

/* A handle; guarded by the mapping domain's mm_lock. */
struct maptrack {
    struct domain *granter;
    uint32_t ref;                           /* free: index of the next free one */
    /* Increased when the index is used again, so that old handles are refused. */
    uint16_t generation;
    uint8_t flags;                          /* GNTMAP_*; no device_map or host_map: free */
};

struct grant_table {
    /* Guards all but the handles. The numbers of pages only grow, and so does `shared`, so a page
     * that was there is there without the lock; not so the status pages. */
    struct spinlock lock;
    unsigned version;                       /* 1 or 2 */
    unsigned nr_frames, nr_status_frames;
    unsigned nr_entries;                    /* of this version, in nr_frames */
    uint32_t nr_pins;                       /* of all entries */
    uint32_t nr_maptracks, free_maptrack;   /* number made so far; index of the first free one */
    void *shared[MAX_GRANT_FRAMES];
    grant_status_t *status[MAX_STATUS_FRAMES];  /* version 2 */
    struct grant_pins *pins[MAX_GRANT_FRAMES * GRANTS_PER_FRAME / PINS_PER_PAGE];
    struct maptrack *maptrack[MAX_MAPTRACK_PAGES];
};

static inline struct grant_entry_v1 *grant_entry_v1_of(const struct grant_table *gt,
                                                       grant_ref_t ref)
{
    return (struct grant_entry_v1 *)gt->shared[ref / GRANTS_PER_FRAME] + ref % GRANTS_PER_FRAME;
}

static inline union grant_entry_v2 *grant_entry_v2_of(const struct grant_table *gt, grant_ref_t ref)
{
    return (union grant_entry_v2 *)gt->shared[ref / GRANTS_V2_PER_FRAME] +
           ref % GRANTS_V2_PER_FRAME;
}

static inline grant_status_t *grant_status_of(const struct grant_table *gt, grant_ref_t ref)
{
    return gt->version == 1 ? &grant_entry_v1_of(gt, ref)->flags
                            : &gt->status[ref / STATUS_PER_FRAME][ref % STATUS_PER_FRAME];
}

static inline struct grant_pins *grant_pins_of(const struct grant_table *gt, grant_ref_t ref)
{
    return &gt->pins[ref / PINS_PER_PAGE][ref % PINS_PER_PAGE];
}

/* Takes references on a pinned entry's frame: a general one and, unless readonly, a
 * writable-type one. The caller holds rd's mm_lock. Returns GNTST_*. */
struct frame;
int grant_get_frame(struct domain *rd, mfn_t mfn, bool readonly, struct frame **out);
/* Drops these references; the owner's mm_lock is held. */
void grant_put_frame(struct frame *f, bool readonly);

/* Checks that the domain named is the caller. Returns GNTST_*. */
int grant_table_of(domid_t domid);
/* Writes the frame number of a page of the table as entry i of the guest's list. False: a fault. */
bool grant_list_page(uint64_t list, unsigned i, const void *page);
/* To that many pages; the table's lock is held. 0 or -ENOMEM. */
int grant_grow(struct domain *d, unsigned nr_frames);

/* In lock order; once when they are the same. */
void mm_lock_pair(struct domain *a, struct domain *b);
void mm_unlock_pair(struct domain *a, struct domain *b);

#endif
