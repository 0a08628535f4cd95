/* Between state.c and state_load.c: how a frame is called in a state. Others are 1 + the model's
 * number for it. */
#ifndef MODEL_STATE_H
#define MODEL_STATE_H

#define NIL (~0u)
#define CODE_NIL 15u
#define CODE_STRANGER 12u
#define TOP 56                          /* of a frame's words: the byte that has their flags */

#endif
