/* Shared by text.c, which says what a line is, and text_order.c, which says when it is printed. */
#ifndef PVTRACE_TEXT_H
#define PVTRACE_TEXT_H

#include "tools/pvtrace/vcpu_table.h"
#include "tools/pvtrace/words.h"

#define MAX_DEPTH 2u                /* a multicall and its member */
#define MAX_SENT 8u

struct open_call {
    const struct call *call;        /* NULL: none */
    bool passed;                    /* nothing waits for it: its beginning was printed, or is not wanted */
    bool shown;                     /* its beginning was printed */
    size_t mark;                    /* where its line belongs among the kept ones */
};

/* A vCPU. It waits (is in the list) while it has a call open that has not passed; lines are kept only
 * then. */
struct thread {
    struct open_call open[MAX_DEPTH];
    struct thread *before, *after;
    bool waits;
    char *kept;
    size_t kept_bytes;
    unsigned nr_sent;               /* events that the youngest call sent, and where to */
    struct vcpu_id sent[MAX_SENT];
};

struct printer {
    struct output_options o;
    struct model *m;
    const struct clock_info *clock;
    struct text line;               /* what is to be printed next */
    struct text aside;              /* beginnings of calls, printed before it */
    uint64_t first_tsc, last_tsc;   /* of printed lines, for relative times */
    bool any;
    struct thread *oldest, *youngest;
    unsigned nr_keepers;            /* threads that have room for lines */
    struct vcpu_table places;
    struct thread threads[VCPU_PLACES];
};

enum look { LOOK_PLAIN, LOOK_DIM, LOOK_ITEM, LOOK_FAILED, LOOK_LOST };
void look(const struct printer *p, struct text *t, enum look l);

/* text.c: "name(arguments <unfinished ...>" of a call into p->aside; false: it is not wanted. */
bool text_beginning(struct printer *p, const struct call *c);

/* text_order.c. A line is p->line, without time and vCPU. */
struct thread *thread_find(struct printer *p, struct vcpu_id v);        /* NULL: has no state */
struct thread *thread_find_or_add(struct printer *p, struct vcpu_id v);
void order_open(struct printer *p, struct thread *th, unsigned depth, const struct call *c);
/* A line that begins now. th may be NULL. */
void order_line(struct printer *p, struct thread *th, uint64_t tsc, struct vcpu_id v);
/* The call at this depth has ended and has not passed; with_line: p->line is its line. */
void order_close(struct printer *p, struct thread *th, unsigned depth, bool with_line);
/* Shows everything that waits. */
void order_pass_all(struct printer *p);

#endif
