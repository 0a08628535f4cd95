/* Block devices: the back end of vbd (vbd.c). */
#ifndef DRIVER_VBD_H
#define DRIVER_VBD_H

#include <stdbool.h>
#include <stdint.h>
#include "disk.h"

void vbd_init(struct disk *disks, unsigned n);
/* All disks and connected rings once. False: nothing more to do until an event comes. */
bool vbds_serve(void);
/* Changes when requests of guests have been done. */
uint64_t vbds_done(void);

#endif
