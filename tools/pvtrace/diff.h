/* Between diff.c, which reads and reports, diff_lanes.c, which aligns, and diff_table.c, which counts
 * side by side. */
#ifndef PVTRACE_DIFF_H
#define PVTRACE_DIFF_H

#include "tools/pvtrace/account.h"

#define LANES 128u

struct step {
    uint64_t fingerprint, tsc;
};

/* A vCPU. The calls that one side has and the other has not reached yet are in `ahead`. */
struct lane {
    struct vcpu_id v;
    uint64_t calls[2], same;
    bool differs, late;         /* late: too far ahead, to be read alone */
    uint64_t tsc[2];            /* of the first difference; 0: the trace ended there */
    unsigned side, first, n, room;
    struct step *ahead;
};

struct side {
    struct diff *diff;
    unsigned number;
    struct source *source;
    struct model *model;
    bool ended;
    uint64_t pending;           /* its calls that are ahead */
};

struct diff {
    const struct output_options *o;
    const char *paths[2];
    struct side sides[2];
    struct clock_info clocks[2];
    uint64_t lost[2], left_out;
    bool faulty;
    struct lane lanes[LANES];
    unsigned nr_lanes;
    struct lane *only;          /* the vCPU that this reading is about; NULL: all */
    bool show;
    struct rows rows;           /* who: the side */
};

/* --- diff_lanes.c ----------------------------------------------------------------------------------- */
struct lane *lane_of(struct diff *d, struct vcpu_id v);         /* NULL: one vCPU too many */
void lane_align(struct diff *d, struct lane *l, unsigned side, struct step step);
/* They differ from here on. other_tsc 0: the other side has ended. */
void lane_parts(struct diff *d, struct lane *l, unsigned side, uint64_t tsc, uint64_t other_tsc);

/* --- diff_table.c ----------------------------------------------------------------------------------- */
void diff_table_add(struct rows *rows, unsigned side, const struct call *call);
/* clocks: of both sides. The rows are of no other use after it. */
void diff_table_print(struct rows *rows, const struct output_options *o, const struct clock_info clocks[2]);
/* What is compared of a call: its hypercall, sub-operation, place in a multicall, the arguments that are
 * the same in each run of the same guest, and the errno that it failed with. */
uint64_t diff_fingerprint(const struct call *call);

#endif
