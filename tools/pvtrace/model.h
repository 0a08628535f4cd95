/* Between the parts of the model: model.c (who runs, and what waits), records.c (what a record
 * means), calls.c (hypercalls that are open). Nobody else includes this.
 *
 *   M1  a call is open from its first record to its ITEM_CALL_END, belongs to one vCPU, and does
 *       not move
 *   M2  a vCPU has at most one open call of each depth
 *   M3  each call's ITEM_CALL_BEGIN comes once, before its END, unless the trace lacks its
 *       beginning */
#ifndef PVTRACE_MODEL_H
#define PVTRACE_MODEL_H

#include "common/compiler.h"
#include "tools/pvtrace/pvtrace.h"

#define DEPTHS 2
#define NR_DOMIDS 32768u
#define DOMAIN_NAME 21

struct open_call {
    struct record first;
    bool announced;
    struct call call;
};

struct vcpu {
    struct vcpu_id id;
    uint16_t cpu;               /* where it ran last */
    struct open_call *calls[DEPTHS];    /* NULL: none is open */
    struct open_call *room[DEPTHS]; /* for them: a call is some KiB, so one that has ended is used
                                     * for the next */
};

/* A record that waits for the next one of its CPU, which may say more: a call for the rest of its
 * arguments, an emulated instruction for its bytes. */
struct waiting {
    struct open_call *call;
    struct record emulated;
    bool has_emulated;
};

struct cpu {
    bool known;                 /* who runs */
    struct vcpu_id who;
    struct waiting waiting;
};

struct model {
    item_fn fn;
    void *state;
    struct clock_info clock;
    bool several_cpus;
    uint32_t classes;           /* of the last ITEM_CLASSES */
    bool has_classes;
    struct cpu cpus[MAX_CPUS];
    struct vcpu vcpus[VCPU_PLACES];
    struct open_call alone;     /* of which only the result is known */
    uint64_t now;               /* TSC of the record at hand */
    char names[NR_DOMIDS][DOMAIN_NAME];
};

static inline uint64_t word64(const struct record *r, unsigned i)
{
    return r->w[i] | (uint64_t)r->w[i + 1] << 32;
}

/* --- model.c ---------------------------------------------------------------------------------- */
/* Who runs on r's CPU. */
struct vcpu *vcpu_running(struct model *m, const struct record *r);
/* Returns the CPU where it ran before. */
uint16_t vcpu_runs(struct model *m, uint16_t cpu, struct vcpu_id who);
void vcpu_unknown(struct model *m, uint16_t cpu);
void emit(struct model *m, struct item *item, struct vcpu_id v, const struct record *r);

/* --- records.c, calls.c: of each kind of record ----------------------------------------------- */
typedef void record_fn(struct model *m, const struct record *r);
record_fn on_trap, on_page_fault, on_ptwr, on_privop, on_emulated, on_send, on_upcall, on_mem,
    on_sched, on_runstate, on_continue, on_nothing, on_clock, on_lost, on_classes, on_domain,
    on_counter, on_other, call_begin, call_arguments, call_copy, call_result;
/* bytes: the record that has them, or NULL. */
void emit_emulated(struct model *m, const struct record *first, const struct record *bytes);

/* --- calls.c ---------------------------------------------------------------------------------- */
/* The youngest that is open; NULL: none. */
struct call *call_of(const struct vcpu *v);
/* Announces what waited for the rest of its arguments. */
void calls_announce(struct model *m, struct cpu *cpu);
/* They do not return, as far as the trace knows. r: the record that says so, or NULL. */
void calls_abandon(struct model *m, struct vcpu *v, const struct record *r);
void calls_abandon_domain(struct model *m, uint16_t domid, const struct record *r);
void calls_abandon_cpu(struct model *m, uint16_t cpu, const struct record *r);

#endif
