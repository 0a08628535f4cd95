/* Between search.c and death.c, which continues from the states that were found. */
#ifndef MODEL_SEARCH_H
#define MODEL_SEARCH_H

#include "model.h"

/* What leads from a state to another: a call, alone, with another vCPU's call in one of its
 * windows, or with its access at a point; or a domain's end. */
struct step {
    uint16_t op;                    /* index into ops; STEP_ENDS + domain; STEP_NONE */
    uint16_t inner;
    int16_t window;                 /* of a point of cpus.c: STEP_POINT - its number */
};
#define STEP_ENDS 0xfff0u
#define STEP_NONE 0xffffu
#define STEP_POINT (NO_WINDOW - 1)

struct node {
    uint32_t parent;
    struct step step;
    uint8_t renaming, depth;
};

extern struct node *nodes;
extern uint32_t at;                 /* the state from which a step is being tried, */
extern struct step trying;          /* and the step */

uint8_t *state_at(uint32_t i);
void visit(const uint8_t *state, unsigned renaming, const struct step *step, unsigned depth);
void judge(bool ok); /* checks the world after a step, and keeps its state if it is new */
void try_all(void);

#endif
