/* A connection: collects the bytes of a request, has it carried out (requests.c), and queues the
 * reply and the events. Everything that a guest sends is answered by a reply or an error; only a
 * length beyond the protocol's limit breaks the connection, as the next message cannot be found.
 * Called by ring.c with bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "request.h"

#define HEADER sizeof(struct xsd_sockmsg)

struct conn *conn_list;

static const char *const err_names[] = {
    [XS_EINVAL] = "EINVAL", [XS_EACCES] = "EACCES", [XS_EEXIST] = "EEXIST", [XS_ENOENT] = "ENOENT",
    [XS_ENOMEM] = "ENOMEM", [XS_ENOSPC] = "ENOSPC", [XS_ENOSYS] = "ENOSYS", [XS_EBUSY] = "EBUSY",
    [XS_EAGAIN] = "EAGAIN", [XS_E2BIG] = "E2BIG",   [XS_EPERM] = "EPERM",   [XS_EIO] = "EIO",
};
bool refuse_all;

/* --- Out -------------------------------------------------------------------------------------- */

bool conn_send(struct conn *c, const struct xsd_sockmsg *h, const void *a, size_t a_len,
               const char *b)
{
    size_t limit = h->type == XS_WATCH_EVENT ? EVENT_ROOM : sizeof(c->out), len = HEADER + h->len;
    uint8_t *to = c->out + c->out_len;

    if (c->out_len + len > limit)
        return false;
    memcpy(to, h, HEADER);
    memcpy(to + HEADER, a, a_len);
    if (b)
        memcpy(to + HEADER + a_len, b, h->len - a_len);
    c->out_len += len;
    return true;
}

void conn_sent(struct conn *c, size_t len)
{
    c->out_len -= len;
    memmove(c->out, c->out + len, c->out_len);
    if (c->out_len == 0)
        watch_pay(c);
}

/* --- In --------------------------------------------------------------------------------------- */

static void serve(struct conn *c, const struct xsd_sockmsg *h)
{
    struct request r = {
        .c = c, .x = { c->domid, NULL }, .payload = (char *)c->in + HEADER, .len = h->len,
    };
    struct xsd_sockmsg answer = { .type = h->type, .req_id = h->req_id, .tx_id = h->tx_id };
    enum xs_err err;

    r.payload[r.len] = 0;
    err = refuse_all && !accounts[c->domid].is_driver ? XS_EIO : carry_out(&r, h);
    if (!err && transaction_failed(r.x.t))
        err = XS_ENOSPC;
    if (err) {
        answer.type = XS_ERROR;
        r.out_len = sprintf(reply, "%s", err_names[err]) + 1;
    }
    answer.len = r.out_len;
    conn_send(c, &answer, reply, r.out_len, NULL);
    if (r.watched)
        watch_event(r.watched);
}

size_t conn_wants(const struct conn *c)
{
    struct xsd_sockmsg h;

    if (c->broken || c->out_len)
        return 0;
    if (c->in_len < HEADER)
        return HEADER - c->in_len;
    memcpy(&h, c->in, HEADER);
    return HEADER + h.len - c->in_len;
}

void conn_put(struct conn *c, const void *bytes, size_t len)
{
    struct xsd_sockmsg h;

    memcpy(c->in + c->in_len, bytes, len);
    c->in_len += len;
    if (c->in_len < HEADER)
        return;
    memcpy(&h, c->in, HEADER);
    if (h.len > XENSTORE_PAYLOAD_MAX) {
        c->broken = true;
    } else if (c->in_len == HEADER + h.len) {
        c->in_len = 0;
        serve(c, &h);
    }
}

struct conn *conn_new(uint16_t domid)
{
    struct conn *c = domid < MAX_DOMAINS ? store_malloc(sizeof(*c)) : NULL;

    if (!c)
        return NULL;
    memset(c, 0, sizeof(*c));
    c->domid = domid;
    c->next = conn_list;
    conn_list = c;
    return c;
}

void conn_free(struct conn *c)
{
    struct conn **at = &conn_list;

    conn_forget_all(c);
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    free(c);
}
