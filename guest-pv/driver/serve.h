/* What the data thread has to do (main.c). */
#ifndef DRIVER_SERVE_H
#define DRIVER_SERVE_H

enum part { DISKS, NETWORK, NR_PARTS };

/* Has the thread serve all rings and devices of that kind once more; also from event handlers. */
void serve_soon(enum part part);

#endif
