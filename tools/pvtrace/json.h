/* The JSON export: json.c turns items into events and writes them; json_tracks.c knows the tracks,
 * who runs on a CPU, a vCPU's runstate; json_handlers.c which traps and upcalls a guest is
 * handling, and the arrows to them. */
#ifndef PVTRACE_JSON_H
#define PVTRACE_JSON_H

#include "tools/pvtrace/export.h"

#define NR_HANDLERS 16u
#define NR_ARROWS 8u                /* that lead to a vCPU at a time */

struct track {
    uint32_t pid, tid;
};

struct arrow {
    struct track on;
    uint64_t tsc, id;
};

struct handler {
    uint64_t tsc, rip;              /* rip 0: of an upcall, returns nobody knows where */
    const char *category;
    unsigned nr_arrows;
    struct arrow arrows[NR_ARROWS];
    char name[32], details[160];
    size_t details_len;
};

struct json_vcpu {
    struct vcpu_id id;
    struct track track;
    uint64_t losses;                /* as of the last item */
    bool in_call, state_known;
    uint8_t state;
    uint64_t state_since;
    unsigned nr_handlers, nr_arrows;
    struct handler handlers[NR_HANDLERS];
    struct arrow arrows[NR_ARROWS];             /* to the next upcall */
};

struct json_cpu {
    bool named, runs;
    struct vcpu_id who;
    uint64_t since;
};

struct json {
    struct export x;
    bool any;                       /* an event was written: the next wants a comma */
    unsigned nr_args;               /* of the event being written */
    uint64_t lost;                  /* records, in all */
    uint32_t serial;                /* of the last vCPU */
    uint64_t losses, arrows;        /* counts */
    uint64_t last;                  /* the latest TSC */
    struct json_vcpu *vcpus[VCPU_PLACES];       /* some KiB each */
    struct json_cpu cpus[EXPORT_MAX_CPUS + 1];  /* the last: all that are above */
};

/* --- json.c ----------------------------------------------------------------------------------- */
/* An event of the trace event format is written from its beginning to event_end. phase: X a slice,
 * i an instant, s and f the ends of an arrow, M a name or an order of the track (category NULL, no
 * time). from, to: TSC; to is a slice's. */
void event_begin(struct json *j, char phase, const char *category, const char *name,
                 struct track on, uint64_t from, uint64_t to);
/* scope: t of the thread, p of the process, g of all. */
void event_instant(struct json *j, const char *category, const char *name, struct track on,
                   uint64_t tsc, const char *scope);
void event_text(struct json *j, const char *key, const char *text, size_t len);    /* an argument */
void event_number(struct json *j, const char *key, int64_t number);
void event_end(struct json *j);

/* --- json_tracks.c ---------------------------------------------------------------------------- */
/* NULL: no domain's. Names what is new, and forgets what was open if records were lost. */
struct json_vcpu *json_vcpu(struct json *j, struct vcpu_id id);
/* Where an item is shown: the vCPU's track, or the CPU's when nobody ran. */
struct track track_of(struct json *j, const struct item *item);
void runstate_change(struct json *j, const struct item *item);
void cpu_runs(struct json *j, const struct item *item, struct vcpu_id who);
/* What was open on them is not known to have ended. */
void tracks_lost(struct json *j, const struct item *item);
void tracks_end(struct json *j);

/* --- json_handlers.c -------------------------------------------------------------------------- */
/* A handler in the guest begins: of a trap or of an upcall. rip: where the trap was; 0: not known.
 * False: nobody knows whose, and nothing is kept. */
bool handler_begin(struct json *j, const struct item *item, const char *name,
                   const struct text *details, uint64_t rip);
/* A call of depth 0 ends: handlers that began in it begin now; an iret ends some that began before.
 */
void handlers_call_end(struct json *j, const struct item *item);
void handlers_forget(struct json *j, struct json_vcpu *v);
void arrow_from(struct json *j, const struct item *send);       /* to the receiver's next upcall */

#endif
