/* One request, between wire.c, which turns bytes into requests and answers into bytes, and
 * requests.c, which carries them out. */
#ifndef STORE_REQUEST_H
#define STORE_REQUEST_H

#include "store.h"

/* Only one exists at a time: the request as received, and its reply. */
struct request {
    struct conn *c;
    struct ctx x;
    char *payload;                      /* a NUL is behind it */
    size_t len;
    struct watch *watched;              /* gets an event behind the reply */
    size_t out_len;                     /* of reply */
};
extern char reply[XENSTORE_PAYLOAD_MAX];

enum xs_err carry_out(struct request *r, const struct xsd_sockmsg *h);
void conn_forget_all(struct conn *c);   /* its transactions and watches */
#endif
