/* Input from the machine's console: input.c. */
#ifndef XEN_INPUT_H
#define XEN_INPUT_H

#include "xen/core/domain.h"

void console_input_start(void);                     /* from now on a timer calls console_input */
/* Gives bytes from the serial line to the guest or the hypervisor; true: more may come soon. */
bool console_input(void);
/* Sets the timer to when the transmitter can take more. */
void console_poll_soon(void);
/* The first guest with a console gets what is typed. */
void console_input_offer(struct domain *d);
void console_input_withdraw(struct domain *d);      /* d can take no more: another gets it */

#endif
