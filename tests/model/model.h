/* The small world whose every state is visited: some frames, places in page tables that may lead to
 * them, grants of them, and the calls that the kernels of one or two domains can make about them.
 * The hypervisor is the real one, on the fake machine.
 *
 *   main.c                      the scopes: what is looked at, how deep; the table of it
 *   search.c                    breadth first through the states; the shortest way to a violation
 *   preempt.c                   a call of another vCPU in the middle of one
 *   descriptors.c               GDTs and LDTs
 *   cpus.c stores.c             an access of the guest on another CPU in the middle of a call
 *   death.c                     a domain ends, and the other goes on
 *   world.c renaming.c          the making of a world, and its symmetries
 *   ops.c run.c run_grant.c     its calls
 *   state.c state_load.c state_grant.c free_list.c      a state as bytes
 *   check.c check_grant.c constant.c                    what must hold */
#ifndef MODEL_H
#define MODEL_H

#include "arch/arch.h"
#include "host.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/walk.h"

#define MAX_FRAMES 4u
#define MAX_ENTRIES 2u
#define MAX_PLACES 5u
#define MAX_CALLS 400u
#define MAX_REFS 2u
#define MAX_HANDLES 2u
#define MAX_ACTORS 3u
#define STATE_BYTES 112u

/* What one run covers. */
struct scope {
    const char *name;
    unsigned nr_frames;             /* that are distinguished */
    unsigned nr_entries;            /* the first entries of each frame, which may be other than 0 */
    unsigned places[4];             /* in the first domain's other tables, by level - 1: entries
                                     * that may lead to the frames */
    unsigned levels;                /* of tables that frames are made; 0: all four */
    /* free frames may be allocated again, and the hypervisor frees those that it took */
    bool comes_back;
    bool ends;                      /* from each state, each domain is ended; see death.c */
    unsigned after_end;             /* calls in a row that the other then makes */
    bool end_windows;               /* and the other makes calls meanwhile */
    bool preempted;                 /* a second vCPU calls in each window of each call: preempt.c */
    bool descriptors;               /* frames may be descriptor tables: descriptors.c */
    /* A second vCPU runs on a CPU of its own, or the second domain's does: cpus.c. */
    bool two_cpus;
    bool third_cpu;                 /* and on one more the second domain's second vCPU accesses */
    struct {
        unsigned version;           /* of their grant tables; 0: there is one domain only */
        unsigned frames, places;    /* the second's frames at first, and places in its L1s */
        unsigned refs[2];           /* entries of each domain's grant table that permit the other */
        unsigned handles[2];        /* that each domain may have at a time */
    } second;
    unsigned depth;                 /* calls in a row; 0: until no call leads to anything new */
};

/* An entry of a table outside the model's frames, and a page that is mapped through it and
 * entries 0 of the frames below. */
struct place {
    unsigned level;                 /* of its table */
    unsigned domain;
    uint64_t *slot, maddr, va;
    struct frame *table;
};

enum op_kind {
    OP_UPDATE_VA, OP_UPDATE_VA_INVLPG, OP_UPDATE_VA_ALL, OP_MMU_UPDATE_PLACE, OP_MMU_UPDATE,
    OP_PTWR,
    OP_PIN, OP_UNPIN, OP_USER_ROOT, OP_CLEAR, OP_DECREASE, OP_INCREASE, OP_EXCHANGE,
    OP_HV_TAKES, OP_HV_GIVES, OP_READ, OP_WRITE, OP_FLUSH, OP_FLUSH_ALL, OP_INVLPG,
    OP_SET_GDT, OP_SET_LDT, OP_LDT_FAULT,
    OP_GRANT, OP_MAP, OP_UNMAP, OP_REPLACE, OP_COPY_FROM, OP_COPY_TO, OP_END
};

struct op {
    uint8_t kind;                   /* enum op_kind */
    uint8_t actor;                  /* who makes it */
    uint8_t frame;                  /* as the model counts them */
    uint8_t place;
    uint8_t arg;                    /* entry of the frame, level, second place, or flags */
    uint8_t value;                  /* what is stored: see value_of() */
    uint8_t number;                 /* of a grant table's entry, or of a handle */
};
#define NOWHERE 0xffu               /* where a grant is mapped: entry 0 of the frame, or no entry */
#define VALUE_NONE 0u
#define VALUE_STRANGER 1u           /* read-only, to a frame of nobody */
#define VALUE_RO(frame) (2u + 2u * (frame))
#define VALUE_RW(frame) (3u + 2u * (frame))

/* A renaming of what is alike: frames, places in one domain's L1s, handles, CPUs. States that
 * differ only by a renaming are the same. */
struct renaming {
    uint8_t frame[MAX_FRAMES], place[MAX_PLACES], handle[MAX_HANDLES];          /* old to new */
    uint8_t frame_at[MAX_FRAMES], place_at[MAX_PLACES], handle_at[MAX_HANDLES]; /* new to old */
    uint8_t cpu[MAX_ACTORS];        /* both ways */
};

/* The world as it is. */
extern const struct scope *scope;
extern struct domain *domains[2];
extern unsigned nr_domains;
/* it has no tables, only the frames that others still map */
extern bool ended[2];
extern struct vcpu *actors[MAX_ACTORS];              /* vCPUs of different domains, or of one */
extern unsigned nr_actors;
extern mfn_t model_mfn[MAX_FRAMES];
extern struct place places[MAX_PLACES];
extern unsigned nr_places;
/* two places that may be exchanged; none if they are the same */
extern unsigned twins[2];
extern struct op ops[MAX_CALLS];
extern unsigned nr_ops;
/* of a state; of the part of it that no refused call may change */
extern unsigned state_bytes, core_bytes;
extern struct renaming renamings[64];
extern unsigned nr_renamings;

/* of each domain, its other frames in the ring, */
extern uint32_t ring_first[2], ring_last[2];
extern uint64_t other_frames[2];                    /* and their number */

#define MUST(cond) HOST_CHECK(cond, "%s:%d: the world cannot be made", __FILE__, __LINE__)

/* renaming.c */
void renamings_make(void);
void renaming_none(struct renaming *r);

/* world.c */
void world_make(const struct scope *s);
void world_end(void);
void end_domains_and_count(void);           /* every frame must come back; the world is over then */
/* The other domain goes on; memory that was freed is hidden, but for frames of the model. True:
 * nothing is left of the one that ended. */
bool end_domain(unsigned d);
/* whether a domain that ended without any frame left is gone */
bool reap_domain(unsigned d);
int frame_index(mfn_t mfn);                 /* of the model's; -1: another */
void lend_pages(void);                      /* two, which a call needs while it lasts */
void take_pages_back(void);
/* makes it current: on its own CPU, or it flushes the TLB of the only one if it was not */
void switch_to(unsigned actor);
unsigned domain_number(uint32_t mfn);       /* as its struct has it: 1 or 2; 0: no domain */
static inline unsigned actor_now(void)
{
    unsigned actor = 0;

    while (actor + 1 < nr_actors && current != actors[actor])
        actor++;
    return actor;
}
static inline unsigned nr_tlbs(void)
{
    return scope->third_cpu ? 3 : scope->two_cpus ? 2 : 1;
}
static inline unsigned domain_of_actor(unsigned actor)
{
    return nr_domains == 2 && actor != 0;
}
/* whose translations it caches */
static inline unsigned domain_of_cpu(unsigned cpu)
{
    return domain_of_actor(scope->two_cpus ? cpu : actor_now());
}

/* ops.c */
void ops_make(void);
int op_print(char *text, size_t len, const struct op *op, unsigned actor,
             const struct renaming *names);

/* run.c: false: refused */
void arguments_find(void);
bool op_run(const struct op *op, unsigned actor);
/* a mapping of the current actor's SCRATCH for the model itself */
void *argument(void);
extern mfn_t argument_mfn[MAX_ACTORS];
uint64_t value_of(unsigned value);
bool memory_op(unsigned cmd, mfn_t mfn);

/* run_grant.c */
bool op_run_grant(const struct op *op);

/* state.c: all that can change in the world, as bytes; the same bytes for two worlds of which
 * one is the other renamed. */
unsigned state_save(uint8_t *bytes);        /* the renaming that made it so, by its index */
unsigned state_left_of(const uint8_t *bytes, unsigned d);   /* frames of a domain that has ended */
bool state_is_without(const uint8_t *bytes, unsigned d);
unsigned state_save_as_is(uint8_t *bytes);  /* without a renaming; returns state_bytes */
/* How many bytes are the same as in the state that was loaded: core_bytes, if nothing has
 * changed but stamps, the CPU's caches, the last use of unused frames, and whether a grant is in
 * use. */
unsigned state_same_bytes(const uint8_t *before);
void state_load(const uint8_t *bytes);
unsigned code_of(uint32_t mfn);             /* of a frame, in the renaming in use */
uint32_t mfn_of(unsigned code);

/* free_list.c */
bool is_free(const struct frame *f);
uint8_t free_list_save(void);
void free_list_load(uint8_t b);
void hide_free_frames(void);                /* but for the model's frames */
void show_hidden_frames(void);

/* state_grant.c */
void grants_make(void);
uint8_t *grants_save(uint8_t *put, const struct renaming *r);
const uint8_t *grants_load(const uint8_t *b);
uint8_t *grants_save_tail(uint8_t *put);
const uint8_t *grants_load_tail(const uint8_t *b);
uint32_t handle_key(unsigned handle);       /* the part of it that a renaming does not change */
grant_ref_t ref_of(unsigned number);

/* descriptors.c */
bool set_gdt_op(mfn_t mfn);                 /* 0: none */
bool set_ldt_op(uint64_t va);               /* 0: none */
uint8_t *descriptors_save(uint8_t *put, const struct renaming *r);
const uint8_t *descriptors_load(const uint8_t *b);
unsigned descriptor_uses(mfn_t mfn);        /* as such tables of vCPUs */
/* NULL, or what is wrong with the tables that the CPU uses */
const char *check_windows(unsigned cpu, bool in_a_call);

/* constant.c */
void constant_keep(void);
void constant_check(void);

/* check.c: NULL, or what is wrong. in_a_call: there may be references that no entry accounts
 * for. */
struct found {
    unsigned refs, types, writable, tables, linear_entries, linear_uses;
    unsigned foreign[2];                    /* entries of the other domain: read-only, writable */
    unsigned mapped;                        /* L1 entries */
};
extern struct found found[MAX_FRAMES];
const char *world_check(bool in_a_call);
/* what that CPU has cached, at any time */
const char *check_caches(unsigned cpu);

/* check_grant.c */
const char *check_grants(void);             /* adds what devices hold to found[] */
/* by the other domain */
bool is_granted(unsigned to, mfn_t mfn, bool writable, bool in_a_call);

/* search.c */
extern uint32_t nr_states;
extern uint64_t nr_transitions, nr_refused, nr_waits;
extern bool succeeded[MAX_CALLS];             /* the call was not refused in some state */
void search_init(void);
void search(void);                          /* the world that was made */
void search_end(void);
/* prints the calls that lead there, and ends the program */
_Noreturn void violation(const char *what);
double seconds(void);                       /* of CPU time, as other programs may be running */

/* preempt.c */
#define NO_WINDOW (-1)
/* How many windows there are. */
unsigned run_in_windows(unsigned outer, int window, unsigned inner, bool *ok);
void windows_init(void);

/* After a flush on all CPUs: none has cached what the place's entry was before. */
void check_flushed_everywhere(const struct place *p);
/* After a flush of this CPU: it has cached nothing. */
void check_flushed_here(void);

/* cpus.c. A call of one CPU; at this point of it, an access of the other, op `inner`. */
#define NO_POINT (-1)
#define MAX_POINTS 256u
void run_to_point(unsigned outer, int point, unsigned inner, bool *ok);
unsigned accessor_of(unsigned outer);       /* who then accesses */
/* Of the run before, with NO_POINT: the accesses that do something new at a point. */
enum accesses { ACCESS_NONE, ACCESS_WRITES, ACCESS_ALL };
unsigned nr_points(void);
enum accesses accesses_at(unsigned point);
void cpus_make(void);
void cpus_end(void);
void cpu_go_to(unsigned cpu);
void cpu_take_interrupts(unsigned cpu);
const struct host_translation *translation(unsigned cpu, unsigned level, uint64_t va);
void store_begins(const volatile void *p);  /* the hypervisor will store there */

/* stores.c */
extern bool stores_are_seen;                /* in a program compiled for it */

/* death.c */
void deaths_init(void);
void search_deaths(void);                   /* of two domains, from the states that were found */
void try_end_of_all(void);                  /* of one domain, from the state that search() is at */

/* main.c */
void print_more(const char *name, uint32_t states, uint64_t transitions, unsigned depth,
                bool closed, double start);

#endif
