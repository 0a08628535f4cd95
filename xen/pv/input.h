/* What is typed. */
#ifndef XEN_INPUT_H
#define XEN_INPUT_H

#include "xen/core/domain.h"

void console_input_start(void);                     /* from now on a timer calls console_input */
/* the line's bytes to whom they are for; true: more may come soon */
bool console_input(void);
/* the timer comes when the transmitter may take more */
void console_poll_soon(void);
/* the first guest with a console gets what is typed */
void console_input_offer(struct domain *d);
void console_input_withdraw(struct domain *d);      /* d can take no more: another gets it */

#endif
