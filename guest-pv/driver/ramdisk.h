/* Disks in the driver domain's own memory: its ramdisk module. */
#ifndef DRIVER_RAMDISK_H
#define DRIVER_RAMDISK_H

#include <stddef.h>
#include "disk.h"

/* Makes disks ram0, ram1, ... of the module: the files of a newc archive in its order, or else one
 * image. A rest of less than a sector is left out. Returns how many; a damaged archive ends at its
 * first damaged file. */
unsigned ramdisk_find(struct disk *disks, unsigned max, void *module, size_t bytes);

#endif
