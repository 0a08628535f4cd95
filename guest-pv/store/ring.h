/* The rings between the guests and the store (ring.c), the nodes that each guest finds at its start
 * (domains.c, devices.c), and the states of its devices (device_states.c). Called by main.c, which
 * reads the hypervisor's lines. */
#ifndef STORE_RING_H
#define STORE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;

/* ring.c: maps the ring, and restores what a store before us has saved in its page. False, after a
 * line in the log: the guest gets no store. */
bool ring_connect(uint16_t domid);
/* From now on its requests are read; connects it if that has not been done. */
bool ring_begin(uint16_t domid);
void ring_disconnect(uint16_t domid);
/* Moves bytes of all rings, at most one request of each guest. False: there was nothing to move. */
bool rings_serve(void);
unsigned rings_count(void);
/* What is saved in the guest's page is not true any more: saved_text() is asked for it again, and
 * saved_restore() gets it in another store. left_out: so many things found no room. */
#define SAVED_BYTES 1400u
void ring_stale(uint16_t domid);

#define NODE_PATH 96u                   /* of the paths that we make, with the NUL */

/* domains.c: a directory; the reader may be the owner. */
void node_make(const char *path, uint16_t owner, uint16_t reader);
/* The value of the node `name` below `top`, whose permissions it gets if it is new. */
void node_set(const char *top, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void domain_introduce(uint16_t domid, const char *name, unsigned long kib, unsigned vcpus,
                      bool again);
void domain_release(uint16_t domid);
void domain_connect(uint16_t domid);    /* from now on its requests are read */
void domain_shutdown(uint16_t domid, const char *how);
void domains_serve(void);

/* devices.c: a device of a guest that is not introduced yet, by its word. */
void device_add(uint16_t domid, uint16_t driver, const char *word);
/* Their nodes; false: it has none. again: they may be connected. */
bool devices_write(uint16_t domid, bool again);
void devices_close(uint16_t driver);    /* those of a driver domain that will not come back */
void devices_forget(uint16_t domid);    /* a guest's or a driver domain's */

/* saved.c: what a store after us needs of a guest, which ends with a NUL; and from one before. */
size_t saved_text(const struct conn *c, char text[SAVED_BYTES], unsigned *left_out);
void saved_restore(struct conn *c, const char *text, size_t len);

/* device_states.c: calls domain_connect() when all its back ends wait, or have not come in time. */
void device_hold(uint16_t domid);
void device_hold_forget(uint16_t domid);
void device_states_init(void);
void device_states_serve(void);

/* main.c: looks again at everything, as an event of the console would. */
void console_wake(void);
#endif
