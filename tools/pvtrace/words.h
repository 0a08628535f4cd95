/* What the outputs share: what vCPUs, hypercalls and items are called. */
#ifndef PVTRACE_WORDS_H
#define PVTRACE_WORDS_H

#include "tools/pvtrace/pvtrace.h"

struct label {
    char s[32];
};
/* "hypercall_77" where the number has no name */
const char *hypercall_label(uint32_t nr, struct label *buf);
void text_hypercall(struct text *t, uint32_t nr);
void text_vcpu(struct text *t, struct vcpu_id v);       /* d1v0, idle, ? */
/* What a record is called, all NULL when nothing is known: by Xen's name; in words, where an output
 * shows only that; and what its own words are: v two words, domain and vCPU; w one word with both;
 * d domain; u a number; what has no letter comes in hexadecimal. See record_table.c. */
struct record_words {
    const char *name, *label, *words;
};
const struct record_words *record_words(uint32_t event);
/* by Xen's name, with its words */
void text_record(struct text *t, const struct record *rec);
void text_classes(struct text *t, uint32_t classes, const char *between);     /* "hypercall,trap" */

extern const char *const item_kind_names[NR_ITEM_KINDS];
extern const char *const runstate_names[4], *const domain_states[3];
/* One or two words for an item that is not a call: #PF, wake, port, built. */
const char *item_label(const struct item *item, struct label *buf);

#endif
