/* All devices of guests that this back end has been given (pairs.c). Called by main.c's thread. */
#ifndef DRIVER_PAIRS_H
#define DRIVER_PAIRS_H

#include <stdbool.h>

/* Called at the start, and again when the store has died and another one has started. */
void pairs_watch(void);
void pairs_event(const char *path, const char *token);  /* from the store; makes no request */
/* Looks at what has changed. False: nothing had. */
bool pairs_serve(void);
bool pairs_drain(void);                 /* some are to be looked at again soon */
unsigned pairs_count(void);

#endif
