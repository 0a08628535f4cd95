/* Between state.c and state_load.c: the byte that stands for a frame in a state. For a frame of
 * the model it is 1 + its number. */
#ifndef MODEL_STATE_H
#define MODEL_STATE_H

#define NIL (~0u)
#define CODE_NIL 15u
#define CODE_STRANGER 12u
#define TOP 56                          /* of a frame's word: the byte with its type and flags */
#define CODE_HYPERVISOR 63u             /* in the place of a frame's references */

#endif
