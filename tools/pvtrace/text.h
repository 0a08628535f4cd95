/* Between text.c, which says what a line is, and text_order.c, which says when it is printed. */
#ifndef PVTRACE_TEXT_H
#define PVTRACE_TEXT_H

#include "tools/pvtrace/words.h"

#define MAX_QUEUE 256u
#define QUEUE_BYTES 16384u

/* A line in the queue, or the place of one. */
struct entry {
    struct call *call;        /* that has not ended, its line comes here; NULL: the line is there */
    uint64_t tsc;
    struct vcpu_id v;
    uint16_t cpu;
    const char *text;
    size_t len;
};

struct printer {
    struct output_options o;
    struct model *m;
    const struct clock_info *clock;
    struct text line;               /* what is to be printed next */
    struct text aside;              /* beginnings of calls, printed before it */
    uint64_t first_tsc, last_tsc;   /* of printed lines, for relative times */
    bool any;
    unsigned nr;                    /* entries of the queue */
    size_t used;
    struct entry queue[MAX_QUEUE];
    char bytes[QUEUE_BYTES];        /* their texts */
};

enum colour { PLAIN, DIM, ITEM, FAILED, LOST };
void set_colour(const struct printer *p, struct text *t, enum colour colour);

/* text.c: "name(arguments <unfinished ...>" of a call into p->aside; false: it is not wanted. */
bool text_beginning(struct printer *p, struct call *c);

/* text_order.c. A line is p->line, without time and vCPU. */
void order_open(struct printer *p, struct call *c);
/* Puts p->line in the place of this call's line, or takes the place away. False: it has none. */
bool order_close(struct printer *p, const struct call *c, bool with_line);
/* A line that begins now. */
void order_line(struct printer *p, uint64_t tsc, struct vcpu_id v, uint16_t cpu);
void order_flush(struct printer *p);

#endif
