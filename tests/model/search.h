/* Between search.c and death.c, which goes on from the states that were found. */
#ifndef MODEL_SEARCH_H
#define MODEL_SEARCH_H

#include "model.h"

/* What leads from a state to another: a call, alone or with another vCPU's call in one of its
 * windows; or a domain's end. */
struct step {
    uint16_t op;                    /* index into ops; STEP_ENDS + domain; STEP_NONE */
    uint16_t inner;
    int16_t window;
};
#define STEP_ENDS 0xfff0u
#define STEP_NONE 0xffffu

struct node {
    uint32_t parent;
    struct step step;
    uint8_t renaming, depth;
};

extern struct node *nodes;
extern uint32_t at;                 /* from which state something is being tried, */
extern struct step trying;          /* and what */

uint8_t *state_at(uint32_t i);
void visit(const uint8_t *state, unsigned renaming, const struct step *step, unsigned depth);
void judge(bool ok); /* what the world is like after trying: checks it, and keeps it if it is new */
void try_all(void);

#endif
