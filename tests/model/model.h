/* The small world whose every state is visited: some frames of one domain, places in its page tables that may lead to them,
 * and the calls that its kernel can make about them. The hypervisor is the real one, on the fake machine. */
#ifndef MODEL_H
#define MODEL_H

#include "host.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"

#define MAX_FRAMES 4u
#define MAX_ENTRIES 2u
#define MAX_PLACES 5u
#define MAX_OPS 400u
#define STATE_BYTES 96u

/* What one run looks at. */
struct scope {
    const char *name;
    unsigned nr_frames;             /* that are told apart */
    unsigned nr_entries;            /* of each frame that may be other than 0: the first */
    unsigned places[4];             /* in the domain's other tables, by level - 1: entries that may lead to the frames */
    bool comes_back;                /* frames that are free may become the domain's again, and are given back to the lists */
    bool ends;                      /* from each state, the domain is ended in a process of its own */
    unsigned depth;                 /* calls in a row; 0: until no call leads to anything new */
};

/* An entry of a table that is no frame of the model's, and a page that it, and entries 0 of the frames below, lead to. */
struct place {
    unsigned level;                 /* of its table */
    uint64_t *slot, maddr, va;
    struct frame *table;
};

enum op_kind {
    OP_UPDATE_VA, OP_UPDATE_VA_INVLPG, OP_MMU_UPDATE_PLACE, OP_MMU_UPDATE, OP_PTWR, OP_PIN, OP_UNPIN, OP_USER_ROOT, OP_CLEAR,
    OP_DECREASE, OP_INCREASE, OP_HV_TAKES, OP_HV_GIVES, OP_READ, OP_WRITE, OP_FLUSH, OP_INVLPG
};

struct op {
    enum op_kind kind;
    uint8_t frame;                  /* NR_NONE: none, else as the model counts them */
    uint8_t place;
    uint8_t arg;                    /* entry of the frame, or level */
    uint8_t value;                  /* what is stored: see value_of() */
};
#define VALUE_NONE 0u
#define VALUE_STRANGER 1u           /* read-only, to a frame of nobody */
#define VALUE_RO(frame) (2u + 2u * (frame))
#define VALUE_RW(frame) (3u + 2u * (frame))

/* A renaming of the frames, and of the places in L1s, which are alike: states that differ by one only are the same. */
struct renaming {
    uint8_t frame[MAX_FRAMES], place[MAX_PLACES];       /* old to new */
    uint8_t frame_at[MAX_FRAMES], place_at[MAX_PLACES]; /* new to old */
};

/* The world as it is. */
extern const struct scope *scope;
extern struct domain *model_domain;
extern mfn_t model_mfn[MAX_FRAMES];
extern struct place places[MAX_PLACES];
extern unsigned nr_places;
extern struct op ops[MAX_OPS];
extern unsigned nr_ops;
extern unsigned state_bytes, core_bytes;    /* of a state; before its part that a refused call may change */
extern struct renaming renamings[64];
extern unsigned nr_renamings;

extern uint32_t ring_first, ring_last;      /* frames beside the model's in the ring of the domain's */

/* world.c */
void world_make(const struct scope *s);
void world_end(void);
void end_domain_and_count(void);            /* every frame must come back; the world is over then */
int frame_index(mfn_t mfn);                 /* of the model's; -1: another */

/* ops.c */
void ops_make(void);
bool op_run(const struct op *op);           /* false: refused */
int op_print(char *text, size_t len, const struct op *op, const struct renaming *names);

/* state.c: what can change of the world, as bytes; the same for two worlds of which one is the other renamed. */
unsigned state_save(uint8_t *bytes);        /* answers with the renaming that made it so, an index into renamings */
/* How many bytes are as they were in the state that was loaded: core_bytes, if nothing has changed but stamps, what the CPU
 * remembers, and what unused frames were last. */
unsigned state_same_bytes(const uint8_t *before);
void state_load(const uint8_t *bytes);

/* constant.c */
void constant_keep(void);
void constant_check(void);

/* check.c: NULL, or what is wrong. */
const char *world_check(void);

#endif
