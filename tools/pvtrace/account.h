/* What a trace comes to, for the outputs that count: account.c says whose time is whose, rows.c
 * keeps a row for each kind of call. summary.c makes tables of it, svg.c a picture; diff_table.c
 * uses the rows alone. */
#ifndef PVTRACE_ACCOUNT_H
#define PVTRACE_ACCOUNT_H

#include "tools/pvtrace/words.h"

/* --- rows.c ----------------------------------------------------------------------------------- */
#define MAX_ROWS 2048u              /* the last stands for all that found no place */
#define ROW_INDEX 4096u
#define OPERATION_BYTES 80u
#define NR_REST UINT32_MAX          /* hypercall number of that last row */

/* Time on the CPU and off it (asleep, or waiting for the CPU) are kept apart: the first is what a
 * call costs. */
struct tally {
    uint64_t calls, failed, unfinished;
    uint64_t gave;                  /* calls that gave the CPU away */
    /* on the CPU, of the calls that returned; without the members of a multicall */
    uint64_t timed, ticks, max;
    uint64_t whole;                 /* ticks, and with them */
    uint64_t away, away_ticks, away_max;
};

struct row {
    uint32_t who, nr;               /* who: a guest's index, or a side of a diff */
    bool member;                    /* of a multicall */
    char operation[OPERATION_BYTES];    /* "": it has none */
    struct tally t;
};

struct rows {
    unsigned n;
    struct row row[MAX_ROWS];
    uint16_t index[ROW_INDEX];      /* row + 1, by hash */
};

struct row *row_of(struct rows *rows, uint32_t who, const struct call *c, const char *operation);
/* What a call's row is called; "": it has no sub-operation. */
void row_operation(const struct call *c, char buf[OPERATION_BYTES]);
const char *row_name(uint32_t nr, struct label *buf);   /* of the hypercall */
void tally_add(struct tally *to, const struct tally *t);
typedef int row_order(const void *, const void *);      /* of two struct rows, for qsort */
row_order by_number, by_away;
extern row_order *const row_orders[];                   /* by enum sort_order */

/* --- account.c -------------------------------------------------------------------------------- */
#define MAX_GUESTS 64u              /* the last stands for all that have no other place */

enum count { COUNT_PAGE_FAULT, COUNT_TRAP, COUNT_PTWR, COUNT_EMULATED, COUNT_SENT, COUNT_UPCALL,
             COUNT_SWITCH, COUNT_MOVED, COUNT_MEM, COUNT_OTHER, NR_COUNTS };

enum spent { SPENT_GUEST, SPENT_CALLS, SPENT_WAITING, SPENT_BLOCKED, SPENT_UNKNOWN, NR_SPENT };

struct guest_account {
    uint16_t domid;
    bool others;                    /* no single guest */
    bool any_call;                  /* it made hypercalls, wanted or not */
    uint64_t calls, gave;           /* wanted ones, those that gave the CPU away apart */
    uint64_t counts[NR_COUNTS];
    unsigned vcpus;                 /* after account_spent */
    uint64_t spent[NR_SPENT];
};

struct account {
    struct output_options o;
    struct model *m;
    const struct clock_info *clock;
    uint64_t lost, first, last;     /* first, last: TSC */
    bool opened;                    /* a call has begun since records were lost */
    unsigned nr_guests;
    struct guest_account guests[MAX_GUESTS];
    uint8_t guest_of[1u << 16];     /* guest + 1, by domain */
    struct rows rows;
    struct vcpu_account *vcpus;
};

/* A state of `size` bytes that begins with an account, zero otherwise. */
void *account_open(size_t size, const struct output_options *o, struct model *m);
/* Wants every item, and asks the filter itself: time is split by calls that the user may not want
 * to see. */
void account_item(void *account, const struct item *item);
/* Adds up where the guests' vCPUs spent their time. */
void account_spent(struct account *a);
void account_close(struct account *a);

/* --- diff_table.c ----------------------------------------------------------------------------- */
/* In rows, who is the side: 0 for A, 1 for B. */
void diff_table_add(struct rows *rows, unsigned side, const struct call *call);
/* clocks: of both sides. The rows are of no other use after it. */
void diff_table_print(struct rows *rows, const struct output_options *o,
                      const struct clock_info clocks[2]);

/* --- summary_print.c -------------------------------------------------------------------------- */
void summary_print(const struct account *a);

#endif
