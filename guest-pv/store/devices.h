/* The devices of guests, as the store knows them from the hypervisor's lines: devices.c makes and
 * frees them and writes their nodes, device_states.c follows their states. */
#ifndef STORE_DEVICES_H
#define STORE_DEVICES_H

#include <stdbool.h>
#include <stdint.h>
#include <public/io/xenbus.h>
#include "ring.h"

struct device {
    struct device *next;
    uint16_t domid, driver;
    const char *type;                   /* vbd, vif */
    uint32_t handle;
    char spec[16], name[16], mode;      /* of a disk: ram0, xvda1, r or w */
    char mac[18];                       /* of a network device */
    bool strict;
    bool unsettled;                     /* its states were in the tree of a store before us */
    bool awaited;                       /* the back end has not told another store its nodes */
    char front[NODE_PATH], back[NODE_PATH];     /* directories of nodes */
    char front_state[NODE_PATH + 8], back_state[NODE_PATH + 8];     /* nodes */
};
extern struct device *devices;          /* of all guests */

XenbusState device_state(const char *path);     /* XenbusStateUnknown: it has none */

#endif
