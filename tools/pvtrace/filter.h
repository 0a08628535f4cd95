/* Between filter.c, which understands what the user wants, and filter_match.c, which applies it. */
#ifndef PVTRACE_FILTER_H
#define PVTRACE_FILTER_H

#include "tools/pvtrace/pvtrace.h"

#define MAX_RULES 64u
#define MAX_GUESTS 64u
#define MAX_OPERATIONS 64u          /* of one rule */

#define KIND(k) (1u << (k))
#define KIND_CALL (KIND(ITEM_CALL_BEGIN) | KIND(ITEM_CALL_END))
#define KIND_PAGE_FAULT KIND(NR_ITEM_KINDS)             /* those ITEM_TRAPs */
#define KIND_GRANT KIND(NR_ITEM_KINDS + 1)              /* those ITEM_MEMs */
#define KIND_ALWAYS (KIND(ITEM_LOST) | KIND(ITEM_DOMAIN) | KIND(ITEM_CLASSES))
#define KIND_WHEN_NAMED (KIND(ITEM_RUNSTATE) | KIND(ITEM_COUNTER))
#define KIND_ALL ((KIND(NR_ITEM_KINDS + 2) - 1) & ~KIND_WHEN_NAMED)

struct rule {
    bool negative;
    bool unnamed;                   /* hypercalls by numbers that have no name */
    uint32_t kinds;                 /* of items that are no calls */
    uint64_t calls;                 /* by number */
    unsigned nr_operations;
    const char *operations[MAX_OPERATIONS];
};

struct guest {
    const char *name;               /* NULL: by number */
    bool any_vcpu;
    struct vcpu_id v;
};

struct filter {
    bool failed, successful;        /* only such calls */
    uint32_t named;
    unsigned nr_rules, nr_guests;
    bool some_cpus;                 /* only these: */
    bool cpus[MAX_CPUS];
    struct rule rules[MAX_RULES];
    struct guest guests[MAX_GUESTS];
};

void filter_help(FILE *out);        /* what -e knows */

#endif
