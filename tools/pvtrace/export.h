/* What the machine exports (json, ctf, csv) share: the state that each begins with, and what they
 * all say of a call. */
#ifndef PVTRACE_EXPORT_H
#define PVTRACE_EXPORT_H

#include "tools/pvtrace/words.h"

/* More are a foreign or a broken file: what they recorded is left out, and said. */
#define EXPORT_MAX_CPUS 256u
#define EXPORT_TEXT 16384u          /* of one decoded text; the rest is cut */

/* The beginning of an export's state. details and outcome: for decoded texts, one at a time. */
struct export {
    struct output_options o;
    struct model *model;
    const struct clock_info *clock;
    struct text out, details, outcome;
    char room[1u << 16], details_room[EXPORT_TEXT], outcome_room[EXPORT_TEXT];
};
void *export_open(size_t size, const struct output_options *o, struct model *m);
void export_idle(void *state);
int export_close(void *state, const char *what);        /* 0, or 1: said why */

/* Into x->details: nothing yet, an item, a call's arguments. */
struct text *export_details(struct export *x);
const struct text *export_item(struct export *x, const struct item *item);
const struct text *export_arguments(struct export *x, const struct call *c);
/* Into x->outcome: "-22 EINVAL"; empty: none */
const struct text *export_outcome(struct export *x, const struct call *c);

/* When a call began, as far as the trace tells. */
uint64_t call_start(const struct item *item);

#endif
