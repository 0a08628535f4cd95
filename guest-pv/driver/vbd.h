/* Block devices: the back end of vbd (vbd.c). */
#ifndef DRIVER_VBD_H
#define DRIVER_VBD_H

#include <stdbool.h>
#include "disk.h"

void vbd_init(struct disk *disks, unsigned n);
bool vbds_serve(void);                  /* all connected rings once; false: nothing to do */

#endif
