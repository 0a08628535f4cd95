/* Shadow page tables: what the real MMU walks while guest code runs directly (ways 2 and 3). The
 * guest's own tables are data in its RAM; a shadow table stands for one of them, at one level, for
 * one of two roles: for the guest's kernel, which sees every page, and for its user, which sees
 * only pages with U at every level (all of the guest runs in ring 3, so U cannot be left to the
 * CPU). Tables are filled on page faults and survive loads of CR3.
 *
 * S1: a shadow entry that is present leads where a walk of the guest's tables leads, with no more
 *     rights; it is present only if the guest's entries have A set, writable only if D is.
 * S2: no frame with flags (ram.h: a table with shadows, or code) is mapped writable by any shadow.
 * S3: a guest frame with a shadow has FRAME_TABLE set.
 * S4: the number of shadow tables is bounded by what shadows_init() was given; when they are used
 *     up, all are dropped.
 *
 * What hypercalls do is asked for through struct shadow_host, so that tests can fake it. */
#ifndef VMM_DIRECT_SHADOW_H
#define VMM_DIRECT_SHADOW_H

#include "guest-pv/vmm/core/cpu.h"

/* A shadow table by its number, from 1 on; 0: none. */
typedef uint32_t shadow_t;

#define SHADOW_P  (1ull << 0)
#define SHADOW_RW (1ull << 1)
#define SHADOW_NX (1ull << 63)
#define SHADOW_AHEAD (1ull << 9)        /* of a leaf: set before the guest has asked for it */
#define SHADOW_REGION 0x8000000000ull   /* from this on: pages of the vmm's region, by number */
#define SHADOW_ZERO_FRAME 0xffffffffffull /* stands for the page of zeroes */

struct shadow_update {
    shadow_t table;
    uint16_t index;
    uint8_t level;                      /* of the table: 1 to 4 */
    uint64_t frame;
    uint64_t flags;                     /* SHADOW_*; the host adds what the ABI wants */
};

struct shadow_host {
    /* Makes table number nr an empty, read-only frame, or empties it again. */
    bool (*clear)(shadow_t nr);
    bool (*pin)(shadow_t nr);           /* as an L4, while empty */
    bool (*unpin)(shadow_t nr);
    /* n entries; of a leaf the frame is a guest frame's number, of others a table's number: the
     * host makes machine frames of them. 0 is not present. */
    bool (*set)(const struct shadow_update *updates, unsigned n);
    bool (*load)(shadow_t nr);          /* the root of user mode: NEW_USER_BASEPTR */
    /* Of an entry with SHADOW_AHEAD: has the CPU used it? */
    bool (*used)(shadow_t nr, unsigned index);
};

bool shadows_init(struct cpu *c, const struct shadow_host *host, unsigned nr_tables);
void shadows_free(struct cpu *c);

/* The vmm's own pages at `linear`, in a level-4 slot of their own, in every root of the guest's
 * kernel: flags_of gives SHADOW_* of each. The guest may not map anything in that slot. */
bool shadow_map_region(struct cpu *c, uint64_t linear, unsigned nr_pages,
                       uint64_t (*flags_of)(unsigned page));

/* Loads the root for CR3 at this CPL, made if need be. Cheap when it is loaded already. */
bool shadow_load(struct cpu *c);

enum shadow_outcome {
    SHADOW_FILLED,                      /* run on: the root is loaded */
    SHADOW_GUEST,                       /* the guest's own: c->fault is raised */
    SHADOW_WRITE,                       /* a write to a frame with flags: the core is to do it */
    SHADOW_FAILED,                      /* the host refused: c->stop is set */
};
/* A page fault in guest code; error as the CPU says it (U is always set there). */
enum shadow_outcome shadow_fault(struct cpu *c, uint64_t linear, uint32_t error);

/* Before a write to a frame with FRAME_TABLE: takes away what was derived from these bytes. A frame
 * that is written again and again without being used loses its shadows, and FRAME_TABLE. */
void shadow_written(struct cpu *c, uint64_t phys, unsigned bytes);
/* The frame is no table any more: it loses its shadows, unless it is the root of CR3. */
void shadow_abandon(struct cpu *c, uint64_t frame);
/* Is that write one of A or D, by a walk of shadow_fault's? */
bool shadow_own_write(const struct cpu *c);
/* The frame became code, or stopped being: no shadow maps it writable (S2). */
void shadow_protect(struct cpu *c, uint64_t frame);

/* Recounts S1 to S4 from scratch; NULL, or what is wrong. For tests and debug builds. */
const char *shadow_audit(struct cpu *c);

struct shadow_counters {
    uint64_t fills, prefills, guest_faults, writes, drops, roots;
};
const struct shadow_counters *shadow_counts(const struct cpu *c);

#endif
