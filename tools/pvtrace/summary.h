/* Shared by summary.c, which counts, and summary_print.c, which writes the tables. */
#ifndef PVTRACE_SUMMARY_H
#define PVTRACE_SUMMARY_H

#include "common/abi_names.h"
#include "tools/pvtrace/put.h"

#define NR_VCPUS 8192u              /* with state of their own; far more give each other up */
#define MAX_GUESTS 64u              /* the last stands for all that have no other place */
#define MAX_ROWS 2048u
#define ROW_INDEX 4096u
#define OPERATION_BYTES 80u
#define EVERY_GUEST MAX_GUESTS

/* Time on the CPU and off it (asleep, or waiting for the CPU) are kept apart: the first is what a call
 * costs. */
struct tally {
    uint64_t calls, failed, unfinished;
    uint64_t timed, ticks, max;     /* on the CPU, of the calls that returned */
    uint64_t away, away_ticks, away_max;
};

struct row {
    uint32_t guest, nr;             /* guest: index */
    char operation[OPERATION_BYTES];    /* "": it has none */
    struct tally t;
};

#define COUNTS(X)                                                                              \
    X(PAGE_FAULT, "page faults given to the guest")                                            \
    X(TRAP,       "other traps given to the guest")                                            \
    X(PTWR,       "page-table writes emulated")                                                \
    X(EMULATED,   "instructions emulated")                                                     \
    X(SENT,       "events sent")                                                               \
    X(UPCALL,     "upcalls")                                                                   \
    X(SWITCH,     "switches to a vCPU of it")                                                  \
    X(MEM,        "grants mapped or unmapped, memory given back")                              \
    X(OTHER,      "other records")
enum count {
#define X(name, text) COUNT_##name,
    COUNTS(X)
#undef X
    NR_COUNTS
};

struct guest_counts {
    uint16_t domid;
    bool others;                    /* no single guest */
    bool calls;                     /* it made hypercalls, wanted or not */
    uint64_t counts[NR_COUNTS];
};

/* A vCPU's open calls, by depth, and the time it was off the CPU. */
struct vcpu_time {
    bool off;
    uint64_t off_since, away;
    struct {
        bool began;
        uint64_t away;              /* of the vCPU, when the call began */
    } open[2];
    uint64_t member_ticks, member_away;     /* of the members of the open multicall */
};

struct summary {
    struct output_options o;
    struct model *m;
    const struct clock_info *clock;
    unsigned nr_rows, nr_guests;
    struct row rows[MAX_ROWS];
    uint16_t index[ROW_INDEX];      /* row + 1, by hash */
    struct guest_counts guests[MAX_GUESTS];
    uint8_t guest_of[1u << 16];     /* guest + 1, by domain */
    struct vcpu_id keys[NR_VCPUS];
    struct vcpu_time vcpus[NR_VCPUS];
    uint64_t lost, first_tsc, last_tsc;
    bool any, any_runstate;
    /* All of the trace, whatever the filter, to hold against the hypervisor's counters. */
    uint64_t seen[ABI_HYPERCALLS + 1], counters[ABI_HYPERCALLS + 1];    /* the last: of all other numbers */
    bool have_counters, recording, late, paused;
};

uint32_t summary_guest(struct summary *s, uint16_t domid);
/* What a call's row is called; "": it has no sub-operation. */
void summary_operation(const struct call *c, char buf[OPERATION_BYTES]);
struct row *summary_row(struct summary *s, uint32_t guest, uint32_t nr, const char *operation);
typedef int row_order(const void *, const void *);      /* of two struct rows, for qsort */
row_order by_number, by_away;
row_order *order_of(const char *word);                  /* time, calls, errors, name */
const char *row_name(uint32_t nr, char buf[32]);
void tally_add(struct tally *to, const struct tally *t);
void summary_print(const struct summary *s);
/* Whether the counts agree with the hypervisor's own; nothing, if the trace does not have those. */
void summary_check(const struct summary *s);

#endif
