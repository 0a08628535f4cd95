/* The JSON export: json_event.c writes one event; json_tracks.c knows the tracks, who runs on a CPU, a
 * vCPU's runstate, arrows; json_handlers.c which traps and upcalls a guest is handling; json.c turns
 * items into all these. */
#ifndef PVTRACE_JSON_H
#define PVTRACE_JSON_H

#include "tools/pvtrace/words.h"

/* --- json_event.c ----------------------------------------------------------------------------------- */
struct track {
    uint32_t pid, tid;
};

struct json {
    struct text out;
    char room[1u << 16];
    struct output_options o;
    struct model *model;
    const struct clock_info *clock;
    bool any;                       /* an event was written: the next wants a comma */
    bool any_args;                  /* of the event being written */
    uint64_t lost;                  /* records, in all */
    struct tracks *tracks;
    struct details details;
};

/* "phase" and the rest are the trace event format's words. An event is event_begin, then what is special
 * about it, then arguments, then event_end. */
void event_begin(struct json *j, char phase, const char *category, const char *name, struct track on,
                 uint64_t tsc);
void event_duration(struct json *j, uint64_t from, uint64_t to);
void event_word(struct json *j, const char *key, const char *value);    /* beside the arguments */
void event_number(struct json *j, const char *key, uint64_t value);
void event_end(struct json *j);
void argument_text(struct json *j, const char *key, const char *s, size_t len);
void argument_word(struct json *j, const char *key, const char *s);
void argument_number(struct json *j, const char *key, int64_t n);       /* beyond 2^53: as a string */
void argument_details(struct json *j, const char *key, const struct text *t);   /* nothing when empty */

/* An event of the name's kind "M": process_name, thread_name (text), or *_sort_index (number). */
void metadata_name(struct json *j, const char *what, struct track on, const char *name, size_t len);
void metadata_order(struct json *j, const char *what, struct track on, int64_t order);
void json_string(struct json *j, const char *s, size_t len);

/* --- json_tracks.c ---------------------------------------------------------------------------------- */
struct tracks *tracks_new(void);
void tracks_free(struct tracks *t);
void tracks_time(struct json *j, const struct item *item);      /* for every item, first */
/* Where an item is shown: the vCPU's track, or the CPU's when nobody ran. Names it when it is new. */
struct track track_of(struct json *j, const struct item *item);

/* --- json_handlers.c -------------------------------------------------------------------------------- */
/* A handler in the guest begins: of a trap or of an upcall. rip: where the trap was; 0: not known. False:
 * nobody knows whose, and nothing is kept. */
bool handler_begin(struct json *j, const struct item *item, const char *name, const struct text *details,
                   uint64_t rip);
void handlers_call_begin(struct json *j, const struct item *item);
/* A call of depth 0 ends: handlers that began in it begin now; an iret ends some that began before. */
void handlers_call_end(struct json *j, const struct item *item);

/* --- json_tracks.c again ---------------------------------------------------------------------------- */
void arrow_from(struct json *j, const struct item *send);   /* to the receiver's next upcall */
void runstate_change(struct json *j, const struct item *item);
void cpu_runs(struct json *j, const struct item *item, struct vcpu_id who);
/* what was open on them is not known to have ended */
void tracks_lost(struct json *j, const struct item *item);
void tracks_end(struct json *j);

#endif
