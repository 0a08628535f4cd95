/* Registers the calls from lower rooms of xen/ to higher ones. */
#ifndef XEN_HOOKS_H
#define XEN_HOOKS_H

void hooks_register(void);      /* the first call at boot, also on the tests' fake machine */

#endif
