/* A device of a guest, from the back end's side: its two directories in the store, and the state
 * machine that connects them (pair.c). What a kind of device does at each step is struct backend:
 * vbd.c, vif.c. Which devices there are is in pairs.c. */
#ifndef DRIVER_PAIR_H
#define DRIVER_PAIR_H

#include <stdbool.h>
#include <stdint.h>
#include <public/xen.h>
#include <public/io/xenbus.h>
#include "xs.h"

struct pair;
struct thread;

struct backend {
    const char *type;                   /* vbd */
    /* Writes what the front end reads before it connects. False: this device cannot be served;
     * why is in pair->problem, as after connect(). */
    bool (*begin)(struct pair *p);
    bool (*connect)(struct pair *p);
    /* True: all that it began has come back, and nothing of the guest is mapped. Else it is called
     * again. */
    bool (*disconnect)(struct pair *p);
    void (*end)(struct pair *p);        /* the guest is gone: frees pair->device */
};
extern const struct backend vbd_backend, vif_backend;

struct pair {
    struct pair *next;
    const struct backend *backend;
    struct thread *control;             /* pair_stop() wakes it */
    unsigned number;                    /* in the token of its watch */
    domid_t domid;
    uint32_t handle;                    /* the name of its directory: 51712 */
    char front[XS_PATH], back[XS_PATH]; /* directories */
    XenbusState state;                  /* ours, as the store has it */
    bool connected;
    bool draining;                      /* to be disconnected, as soon as requests have ended */
    bool changed;                       /* the front end's state is to be looked at */
    bool stopped;                       /* by pair_stop() */
    unsigned lines;                     /* printed about it */
    bool again;                         /* one before us may have served its rings, and died */
    bool untold;                        /* the store is new, and has our nodes not yet */
    const char *problem;
    void *device;                       /* the back end's */
};

#define MAX_PORT ((1u << 17) - 1)      /* event channels that a front end may name */

/* For a back end: returns false, and p->problem says why. */
bool pair_fail(struct pair *p, const char *problem);
/* For the data thread: the device is served no more. The guest sees it close, and may begin
 * anew. */
void pair_stop(struct pair *p, const char *problem);
/* A line about the device. After some, no more: a guest can cause any number. */
void pair_print(struct pair *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Calls read() inside of a transaction, and again if the guest has changed something meanwhile.
 * False: it said so, or that happened too often. */
bool pair_read_front(const struct pair *p,
                     bool (*read)(const struct pair *p, uint32_t t, void *front), void *front);
/* Paths of nodes in the pair's directories, in a buffer that the next call overwrites. */
const char *front_node(const struct pair *p, const char *name);
const char *back_node(const struct pair *p, const char *name);

/* The state of a new one: as another driver domain has left it, or the store has made it. */
void pair_find_state(struct pair *p);
/* Does what is due. False: the guest has ended, and all of it has come back. */
bool pair_look_at(struct pair *p);

#endif
