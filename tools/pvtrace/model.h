/* Between the parts of the model: model.c (what a record means), calls.c (hypercalls that are open), vcpus.c
 * (whose they are). Nobody else includes this.
 *
 *   M1  a call is open from its first record to its ITEM_CALL_END, belongs to one vCPU, and does not move
 *   M2  a vCPU has at most one open call of each depth; with any, it is in model->open
 *   M3  each call's ITEM_CALL_BEGIN comes once, before its END, unless the trace lacks its beginning */
#ifndef PVTRACE_MODEL_H
#define PVTRACE_MODEL_H

#include "common/compiler.h"
#include "common/list.h"
#include "tools/pvtrace/vcpu_table.h"

#define MAX_OPEN_CALLS 1024u    /* more: the vCPU whose calls are open for longest will not come back */
#define DEPTHS 2
#define NR_DOMIDS 32768u
#define DOMAIN_NAME 21

struct open_call {
    struct open_call *next_free;
    struct record first;
    bool announced;
    struct call call;
};

struct vcpu {
    struct vcpu_id id;
    uint16_t cpu;               /* where it ran last */
    struct open_call *calls[DEPTHS];
    struct list_head open;
};

/* A record that waits for the next one of its CPU, which may say more: a call for the rest of its arguments,
 * an emulated instruction for its bytes. */
struct waiting {
    struct open_call *call;
    struct record emulated;
    bool has_emulated;
};

struct cpu {
    struct vcpu *running;       /* NULL: not known; only right while its id is `who` */
    struct vcpu_id who;
    struct waiting waiting;
};

struct handler;

struct model {
    item_fn fn;
    void *state;
    struct clock_info clock;
    struct cpu cpus[MAX_CPUS];
    struct vcpu_table places;
    struct vcpu vcpus[VCPU_PLACES];
    struct list_head open;      /* vCPUs with open calls, those that have them for longest first */
    unsigned nr_calls;
    struct open_call *free_calls;
    uint64_t now;               /* TSC of the record at hand */
    const struct handler *handlers[256];
    char names[NR_DOMIDS][DOMAIN_NAME];
};

static inline uint64_t word64(const struct record *r, unsigned i)
{
    return r->w[i] | (uint64_t)r->w[i + 1] << 32;
}

/* --- vcpus.c ---------------------------------------------------------------------------------------- */
void vcpus_init(struct model *m);
/* Who runs on r's CPU. */
struct vcpu *vcpu_running(struct model *m, const struct record *r);
void vcpu_runs(struct model *m, uint16_t cpu, struct vcpu_id who);
void vcpu_unknown(struct model *m, uint16_t cpu);

static inline struct vcpu_id running(struct model *m, const struct record *r)
{
    return vcpu_running(m, r)->id;
}

/* --- calls.c ---------------------------------------------------------------------------------------- */
void call_begin(struct model *m, const struct record *r);
void call_arguments(struct model *m, const struct record *r);
void call_copy(struct model *m, const struct record *r);
void call_result(struct model *m, const struct record *r);
/* Announces what waited for the rest of its arguments. */
void calls_announce(struct model *m, struct cpu *cpu);
/* They do not return, as far as the trace knows. r: the record that says so, or NULL. */
void calls_abandon(struct model *m, struct vcpu *v, const struct record *r);
void calls_abandon_domain(struct model *m, uint16_t domid, const struct record *r);
void calls_abandon_cpu(struct model *m, uint16_t cpu, const struct record *r);
void calls_abandon_all(struct model *m);
void calls_free(struct model *m);

/* --- records_guest.c -------------------------------------------------------------------------------- */
void on_trap(struct model *m, const struct record *r);
void on_page_fault(struct model *m, const struct record *r);
void on_ptwr(struct model *m, const struct record *r);
void on_privop(struct model *m, const struct record *r);
void on_emulated(struct model *m, const struct record *r);
void on_send(struct model *m, const struct record *r);
void on_upcall(struct model *m, const struct record *r);
void on_mem(struct model *m, const struct record *r);
/* bytes: the record that has them, or NULL. */
void emit_emulated(struct model *m, const struct record *first, const struct record *bytes);

/* --- records_trace.c -------------------------------------------------------------------------------- */
void on_sched(struct model *m, const struct record *r);
void on_runstate(struct model *m, const struct record *r);
void on_continue(struct model *m, const struct record *r);
void on_nothing(struct model *m, const struct record *r);
void on_clock(struct model *m, const struct record *r);
void on_lost(struct model *m, const struct record *r);
void on_classes(struct model *m, const struct record *r);
void on_domain(struct model *m, const struct record *r);
void on_counter(struct model *m, const struct record *r);

/* --- model.c ---------------------------------------------------------------------------------------- */
void on_other(struct model *m, const struct record *r);
void emit(struct model *m, struct item *item, struct vcpu_id v, const struct record *r);

#endif
