/* The terminal while one guest has it; under the console's lock. */
#ifndef XEN_CONSOLE_TERMINAL_H
#define XEN_CONSOLE_TERMINAL_H

#include "xen/core/domain.h"

void terminal_begin(void);
void terminal_write(const char *s, size_t len);     /* of that guest */
void terminal_interrupt(void);                      /* somebody else's line begins */
void terminal_end(void);                            /* it is everybody's again */
bool console_wants_raw(void);                       /* by console_raw= some guest has the terminal, or would */
/* By console_raw=. input: the guest that got what was typed last, or NULL. Nobody has it while the keys are ours. */
void console_choose_raw(struct domain *input, bool keys_are_ours);

#endif
