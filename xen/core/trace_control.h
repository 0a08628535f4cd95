/* Which domains are traced for which classes. */
#ifndef XEN_TRACE_CONTROL_H
#define XEN_TRACE_CONTROL_H

#include "xen/core/domain.h"

struct trace_config {
    uint64_t size;                      /* bytes of all rings together, trace_size= */
    uint32_t classes;                   /* trace=: for each domain whose module has no trace= */
    bool wanted;                        /* trace= was given, even if as trace=off */
    unsigned lines;                     /* printed at a crash, trace_lines= */
};
extern struct trace_config trace_config;
/* Parses "hypercall,args,-sched", "all" or "off" into *classes. False: an unknown word. */
bool trace_parse(const char *words, uint32_t *classes);
void trace_init(void);                  /* before any guest */
/* Allocates the rings if there are none; the builder calls it before it divides the memory. False:
 * tracing is off. */
bool trace_ready(void);
/* Sets the classes that are recorded for d. This and trace_toggle are called by the first CPU, and
 * wait until all others have noted it. */
void trace_domain(struct domain *d, uint32_t classes);
void trace_toggle(void);                /* the console key */
/* The frames of rings that were allocated after trace_init(), for the key or for a module's trace=;
 * 0: none. */
uint64_t trace_late_frames(void);
/* After the last guest, or in a panic: writes the counters, ends the trace. */
void trace_end(void);

/* The counters that trace_end() writes: calls by hypercall number. Set once. */
void trace_register_counts(uint64_t (*count_calls)(unsigned nr), unsigned nr);

#endif
