/* The calls from lower rooms to higher ones. */
#ifndef XEN_HOOKS_H
#define XEN_HOOKS_H

void hooks_register(void);      /* first of all; the tests' machine does it too */

#endif
