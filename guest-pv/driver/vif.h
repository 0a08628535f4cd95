/* Network devices: the back end of vif (vif.c). */
#ifndef DRIVER_VIF_H
#define DRIVER_VIF_H

#include <stdbool.h>
#include <stdint.h>

bool vifs_serve(uint64_t seconds);      /* all connected ones, a turn each; false: nothing to do */

#endif
