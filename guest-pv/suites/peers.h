/* What the files of suite "peers" share: one side of the two, and the functions that both sides run
 * at the same time. peers.c has the meetings and the events, peers_grants.c the shared pages. */
#ifndef GUEST_PEERS_H
#define GUEST_PEERS_H

#include <stdbool.h>
#include <stdint.h>
#include "event.h"
#include "gnttab.h"

/* References that both sides know; below what grants.c uses. */
enum { REF_CONTROL = 16, REF_RW, REF_RO, REF_FOREIGN, REF_CLOSED };

struct control {
    uint32_t magic, port;                       /* written by side 0, magic last */
    uint32_t step[2];                           /* each side writes its own */
};

struct side {
    unsigned nr;                                /* 0 offers, 1 maps */
    domid_t other;
    volatile struct control *control;
    port_t port;
    uint32_t step;
    uint64_t *rw, *ro;                          /* the two pages; side 1 maps them there */
    bool joined;
};

/* Waits until both sides are here. Each sees what the other wrote before it. False: the other side
 * did not come in time, and the test has failed. */
bool meet(struct side *s);

/* Defined in peers_grants.c. */
void peers_shared_page(struct side *s);
void peers_read_only_page(struct side *s);
void peers_copies(struct side *s);
#endif
