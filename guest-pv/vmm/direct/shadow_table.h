/* The shadow tables themselves, for shadow.c and shadow_audit.c: shadow_table.c finds and makes
 * them, sets entries, and knows who refers to what. */
#ifndef VMM_DIRECT_SHADOW_TABLE_H
#define VMM_DIRECT_SHADOW_TABLE_H

#include "guest-pv/vmm/direct/shadow.h"

enum shadow_role { ROLE_KERNEL, ROLE_USER, NR_ROLES };

#define ENTRIES 512u
#define HOLE_FIRST 256u                 /* slots of an L4 that are the hypervisor's */
#define HOLE_LAST 271u
#define FRAME_SHIFT 12
#define FRAME_MASK 0x000ffffffffff000ull
#define NO_REF 0u
#define QUEUE 32u
#define GROUP 8u

/* Entry number table * ENTRIES + index is, while it leads somewhere, in the list of the frame or of
 * the table that it leads to. */
struct shadow_ref {
    uint32_t next, previous;
};

/* What a table stands for: a guest's table of that level, or (large) a page of 2 MiB, level 1,
 * or of 1 GiB, level 2. */
struct shadow_key {
    uint64_t frame;
    uint8_t level, role;
    bool large;
};

struct shadow {
    struct shadow_key key;
    bool used, stale;           /* stale: has entries of its last use, in the machine */
    uint8_t writes;             /* of the guest to the table since something was filled by it */
    uint8_t prefill;            /* so many entries were prefilled last, */
    uint16_t prefilled;         /* up to this one */
    shadow_t next_hash, next_same_frame;        /* next_hash: of a free one the next free one */
    uint32_t parents;           /* list of the entries that lead to it */
    uint64_t groups;            /* a bit for each 8 entries, set if one of them is not 0 */
    uint64_t entries[ENTRIES];  /* frame or table << 12 | SHADOW_* */
};

struct shadows {
    const struct shadow_host *host;
    struct shadow *tables;      /* by number; 0 is none, 1 an empty root */
    unsigned nr_tables, nr_free;
    shadow_t free, loaded;
    uint64_t loaded_for;        /* what shadow_load() made of CR3 and the rest; ~0: nothing */
    shadow_t region;            /* the level-3 table of the vmm's region, or 0 */
    unsigned region_slot;
    shadow_t *hash;
    shadow_t *of_frame;         /* by guest frame: the tables that stand for it */
    uint32_t *maps;             /* by guest frame: list of the leaf entries that map it */
    struct shadow_ref *refs;    /* of every entry of every table */
    struct shadow_update queue[QUEUE];
    unsigned queued;
    bool nxe;                   /* EFER.NXE, when the tables were filled */
    bool failed;                /* the host refused an update */
    uint64_t stored;            /* physical address of the entry that was last stored; 0: none */
    bool own_write;             /* a walk of ours is setting A or D */
    struct shadow_counters counters;
};

#define EMPTY_ROOT 1u
#define TABLES_FOR_A_FILL 8u    /* before a fill so many must be free */

bool shadow_same_key(const struct shadow_key *a, const struct shadow_key *b);
shadow_t shadow_find(struct shadows *s, const struct shadow_key *key);
/* There is one free. Write-protects the frame. 0: the host refused. */
shadow_t shadow_make(struct cpu *c, const struct shadow_key *key);
void shadow_set(struct shadows *s, shadow_t table, unsigned index, uint64_t entry);
void shadow_drop(struct cpu *c, shadow_t table);
void shadow_drop_all(struct cpu *c);
/* The entries that are queued reach the machine; false: the host refused one. */
bool shadow_send(struct shadows *s);
/* What a leaf of the table at this index is by the guest's table, or by the large page; 0: nothing
 * that may be there without a walk. */
uint64_t shadow_leaf(const struct cpu *c, const struct shadow *t, unsigned index);
/* The entry that the guest has stored last, in a table of level 1: its page is likely to be used
 * next. */
void shadow_fill_stored(struct cpu *c);
/* No leaf maps the frame writable. */
void shadow_make_read_only(struct cpu *c, uint64_t frame);

#endif
