/* What the machine exports (json, ctf, csv) share: the state that each begins with, and what they
 * all say of a call and of an item. */
#ifndef PVTRACE_EXPORT_H
#define PVTRACE_EXPORT_H

#include "tools/pvtrace/words.h"

/* More are a foreign or a broken file: what they recorded is left out, and said. */
#define EXPORT_MAX_CPUS 256u
#define EXPORT_TEXT 16384u          /* of one decoded text; the rest is cut */

/* Room for a decoded text. */
struct details {
    struct text t;
    char buf[EXPORT_TEXT];
};
struct text *details_begin(struct details *d);
const struct text *details_item(struct details *d, const struct item *item);
const struct text *details_arguments(struct details *d, const struct call *c);
/* "-22 EINVAL"; empty: none */
const struct text *details_outcome(struct details *d, const struct call *c);

/* The beginning of an export's state. */
struct export {
    struct output_options o;
    struct model *model;
    const struct clock_info *clock;
    struct text out;
    char room[1u << 16];
    struct details details, outcome;
};
void *export_open(size_t size, const struct output_options *o, struct model *m);
void export_idle(void *state);
int export_close(void *state, const char *what);        /* 0, or 1: said why */

/* When a call began, as far as the trace tells. */
uint64_t call_start(const struct item *item);
bool call_result_means(const struct call *c);           /* iret's is the guest's rax, no result */
const char *call_error(const struct call *c);           /* "EINVAL"; NULL: none */

#endif
