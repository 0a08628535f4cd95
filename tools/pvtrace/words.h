/* What the outputs share: what vCPUs, hypercalls and items are called, and when a call began. */
#ifndef PVTRACE_WORDS_H
#define PVTRACE_WORDS_H

#include "tools/pvtrace/pvtrace.h"

/* more are a foreign or a broken file: what they recorded is left out, and said */
#define EXPORT_MAX_CPUS 256u
#define EXPORT_TEXT 16384u          /* of one decoded text; the rest is cut */

struct label {
    char s[32];
};
/* "hypercall_77" where the number has no name */
const char *hypercall_label(uint32_t nr, struct label *buf);
void text_hypercall(struct text *t, uint32_t nr);
void text_vcpu(struct text *t, struct vcpu_id v);       /* d1v0, idle, ? */
/* by Xen's name, with its words */
void text_record(struct text *t, uint32_t event, const struct record *rec);
void text_classes(struct text *t, uint32_t classes, const char *between);       /* "hypercall,trap" */

extern const char *const item_kind_names[NR_ITEM_KINDS];
extern const char *const runstate_names[4], *const domain_states[3];
/* One or two words for an item that is not a call: #PF, wake, port, built. */
const char *item_label(const struct item *item, struct label *buf);

/* When a call began, as far as the trace tells. */
uint64_t call_start(const struct item *item);
bool call_result_means(const struct call *c);           /* iret's is the guest's rax, no result */

/* Room for the decoded text of an item or of a call's arguments. */
struct details {
    struct text t;
    char buf[EXPORT_TEXT];
};
struct text *details_begin(struct details *d);
const struct text *details_item(struct details *d, const struct item *item);
const struct text *details_arguments(struct details *d, const struct call *c);
/* "-22 EINVAL"; empty: none */
const struct text *details_outcome(struct details *d, const struct call *c);

#endif
