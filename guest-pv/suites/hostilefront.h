/* What the files of the suite "hostilefront" share: a device of either kind, and what every test
 * does to it. A test begins and ends with a device that is closed; that the back end then keeps no
 * grant is checked when it closes. */
#ifndef GUEST_HOSTILEFRONT_H
#define GUEST_HOSTILEFRONT_H

#include <stdbool.h>
#include <stdint.h>
#include "front.h"

struct hostile {
    struct front *x;
    XenbusState ready;                  /* the front end's state when its nodes are there */
    void (*offer)(void);                /* writes good nodes, with new rings */
    void (*withdraw)(void);             /* takes them back; the back end has closed */
    bool (*close)(void);
    bool (*works)(void);                /* connects, does something, closes */
};

struct hostile_value {
    const char *node, *value;
};
extern const char huge_value[];         /* stands for 2000 characters */

/* With each of these values, one at a time, the back end refuses to connect; then it works. */
void hostile_values(const struct hostile *h, const struct hostile_value *v, unsigned n);
/* The same for what offer() of a copy of *h does wrong. */
void hostile_refused(const struct hostile *h, const char *what, void (*spoil)(void));
/* Values change while it is connected, and it works on. */
void hostile_changes(const struct hostile *h);
/* All states in any order. */
void hostile_states(const struct hostile *h, uint64_t seed);
/* The back end may read our state no more, or again. */
void hostile_hidden(const struct hostile *h, bool hidden);
/* Our nodes are gone, as if the guest had ended: the device is gone, too, for its life. */
void hostile_removed(const struct hostile *h);
/* After senseless indices: the back end closes. */
bool hostile_given_up(const struct hostile *h);

/* --- hostilefront_blk.c ----------------------------------------------------------------------- */
extern struct blkfront hostile_disk;
extern const struct hostile hostile_blk;
/* The index-th disk becomes hostile_disk; ends the test if there is none. */
void hostile_connect(unsigned index);
bool hostile_reads(void);               /* a request is answered well */

/* --- hostilefront_net.c ----------------------------------------------------------------------- */
#define HOSTILE_LEN 100u                /* of the packets that it sends */
extern struct netfront hostile_nets[2]; /* that which does wrong, and the one that it sends to */
extern const struct hostile hostile_vif;
extern bool hostile_has_peer;           /* the second is connected */
void hostile_need_devices(void);        /* ends the test if there are not two */
void hostile_connect_both(void);
bool hostile_sends(void);               /* a packet arrives at the second one */
bool hostile_nothing_arrives(const char *what);

#endif
