/* The terminal while one guest has it in raw mode. The terminal_ functions are called under the
 * console's lock. */
#ifndef XEN_CONSOLE_TERMINAL_H
#define XEN_CONSOLE_TERMINAL_H

#include "xen/core/domain.h"

void terminal_begin(void);
void terminal_write(const char *s, size_t len);     /* bytes of the raw guest */
/* Before a line of the hypervisor or of another guest. */
void terminal_interrupt(void);
void terminal_end(void);                            /* resets it; no guest has it from now on */
/* With this console_raw= some guest has the terminal whenever a guest has the input. */
bool console_wants_raw(void);
/* Chooses the raw guest by console_raw=. input: the guest that has the input, or NULL.
 * keys_are_ours: the hypervisor reads the input, so no guest gets the terminal. */
void console_choose_raw(struct domain *input, bool keys_are_ours);

#endif
