/* The state behind json_tracks.c and json_handlers.c; nobody else includes this. */
#ifndef PVTRACE_JSON_TRACKS_H
#define PVTRACE_JSON_TRACKS_H

#include "tools/pvtrace/json.h"
#include "tools/pvtrace/vcpu_table.h"

#define NR_VCPUS 1024u              /* a vCPU is some KiB here */
#define NR_HANDLERS 16u
#define NR_ARROWS 8u

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

struct vcpu {
    struct track track;
    uint64_t losses;                /* as of the last item */
    bool in_call;
    bool state_known;
    uint8_t state;
    uint64_t state_since;
    unsigned nr_handlers, nr_arrows;
    struct handler handlers[NR_HANDLERS];
    struct arrow arrows[NR_ARROWS];             /* to the next upcall */
};

struct cpu {
    bool named, runs;
    struct vcpu_id who;
    uint64_t since;
};

struct tracks {
    uint32_t serial;                /* of the last vCPU */
    uint64_t losses, arrows;        /* counts */
    uint64_t last;                  /* the latest TSC */
    struct vcpu_table places;
    struct vcpu *vcpus[NR_VCPUS];
    struct cpu cpus[EXPORT_MAX_CPUS + 1];       /* the last: all that are above */
};

/* NULL: no domain's, or no memory. Names what is new, and forgets what was open if records were lost. */
struct vcpu *vcpu_of(struct json *j, struct vcpu_id id);
void slice_begin(struct json *j, const char *category, const char *name, struct track on, uint64_t from,
                 uint64_t to);
void handlers_forget(struct json *j, struct vcpu *v);

#endif
