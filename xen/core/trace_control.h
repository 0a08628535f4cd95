/* Who is traced for what. */
#ifndef XEN_TRACE_CONTROL_H
#define XEN_TRACE_CONTROL_H

#include "xen/core/domain.h"

struct trace_config {
    uint64_t size;                      /* bytes of a CPU's ring, trace_size= */
    uint32_t classes;                   /* trace=: of every domain that has no word of its own */
    bool wanted;                        /* trace= was given, if only as trace=off */
    unsigned lines;                     /* shown at a crash, trace_lines= */
};
extern struct trace_config trace_config;
/* "hypercall,args,-sched", "all", "off": the classes; false: a word that is none. */
bool trace_parse(const char *words, uint32_t *classes);
void trace_init(void);                  /* before any guest */
bool trace_ready(void);                 /* makes the ring if there is none: who shares out memory asks before */
void trace_domain(struct domain *d, uint32_t classes);  /* what is recorded of d */
void trace_toggle(void);                /* key */
uint64_t trace_late_frames(void);       /* of a ring that was made after trace_init(): the key, a module's word */
void trace_end(void);                   /* after the last guest, or at a panic: the counters, and no more */

/* What trace_end() writes as the counters: calls by hypercall number. Set once. */
void trace_register_counts(const uint64_t *call_counts, unsigned nr);

#endif
