/* The table of requests, and those about watches, transactions and domains: each parses its
 * payload, calls the watches or the transactions, and writes the reply. Requests about nodes are in
 * requests_nodes.c. Called by wire.c, which assembles the messages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "request.h"

char reply[XENSTORE_PAYLOAD_MAX];

/* --- Reading a request ------------------------------------------------------------------------ */

bool request_strings(const struct request *r, unsigned n, char **s)
{
    size_t at = 0;

    for (unsigned i = 0; i < n; i++) {
        if (at >= r->len)
            return false;
        s[i] = r->payload + at;
        at += strlen(s[i]) + 1;
    }
    return at == r->len;
}

bool request_absolute(const struct request *r, const char *name, char *path, size_t *rel)
{
    *rel = 0;
    if (name[0] != '/') {
        if (strlen(name) > XENSTORE_REL_PATH_MAX)
            return false;
        *rel = sprintf(path, "/local/domain/%u/", r->x.domid);
    } else if (strlen(name) > XENSTORE_ABS_PATH_MAX) {
        return false;
    }
    strcpy(path + *rel, name);
    return path_valid(path);
}

bool request_path(const struct request *r, char *path)
{
    size_t rel;

    return strlen(r->payload) < r->len && request_absolute(r, r->payload, path, &rel);
}

bool request_only_path(const struct request *r, char *path)
{
    return strlen(r->payload) + 1 == r->len && request_path(r, path);
}

enum xs_err request_ok(struct request *r, enum xs_err err)
{
    if (!err)
        r->out_len = sprintf(reply, "OK") + 1;
    return err;
}

/* --- The requests ----------------------------------------------------------------------------- */

static bool watch_path(const struct request *r, const char *name, char *path, size_t *rel)
{
    if (name[0] == '@') {
        *rel = 0;
        strcpy(path, strlen(name) < XENSTORE_REL_PATH_MAX ? name : "");
        return !strcmp(path, "@introduceDomain") || !strcmp(path, "@releaseDomain");
    }
    return request_absolute(r, name, path, rel);
}

static bool watch_args(const struct request *r, char **arg, char *path, size_t *rel)
{
    return request_strings(r, 2, arg) && watch_path(r, arg[0], path, rel);
}

bool conn_watch_again(struct conn *c, const char *name, const char *token)
{
    const struct request r = { .c = c, .x = { c->domid, NULL } };
    char path[PATH_BUFFER];
    struct watch *w;
    size_t rel;

    if (!watch_path(&r, name, path, &rel) || watch_add(c, path, token, rel, &w))
        return false;
    watch_owe(w);
    return true;
}

static enum xs_err do_watch(struct request *r)
{
    char path[PATH_BUFFER], *arg[2];
    enum xs_err err;
    size_t rel;

    if (!watch_args(r, arg, path, &rel))
        return XS_EINVAL;
    err = watch_add(r->c, path, arg[1], rel, &r->watched);
    return request_ok(r, err == XS_EEXIST && r->c->repeats ? XS_OK : err);
}

static enum xs_err do_unwatch(struct request *r)
{
    char path[PATH_BUFFER], *arg[2];
    enum xs_err err;
    size_t rel;

    if (!watch_args(r, arg, path, &rel))
        return XS_EINVAL;
    err = watch_remove(r->c, path, arg[1]);
    return request_ok(r, err == XS_ENOENT && r->c->repeats ? XS_OK : err);
}

static enum xs_err do_transaction_start(struct request *r)
{
    struct conn *c = r->c;
    struct transaction *t;
    char *arg[1];

    if (!request_strings(r, 1, arg) || arg[0][0])
        return XS_EINVAL;
    if (r->x.t)
        return XS_EBUSY;
    do
        c->last_transaction++;
    while (c->last_transaction == 0 || transaction_find(c->transactions, c->last_transaction));
    t = transaction_new(c->domid, c->last_transaction);
    if (!t)
        return XS_ENOSPC;
    *transaction_next(t) = c->transactions;
    c->transactions = t;
    r->out_len = sprintf(reply, "%u", (unsigned)c->last_transaction) + 1;
    return XS_OK;
}

static void unlink_transaction(struct conn *c, struct transaction *t)
{
    struct transaction **at = &c->transactions;

    while (*at != t)
        at = transaction_next(*at);
    *at = *transaction_next(t);
    transaction_free(t);
}

static enum xs_err do_transaction_end(struct request *r)
{
    struct transaction *t = r->x.t;
    enum xs_err err = XS_OK;
    char *arg[1];

    if (!request_strings(r, 1, arg) || (strcmp(arg[0], "T") && strcmp(arg[0], "F")))
        return XS_EINVAL;
    if (!t)
        return XS_ENOENT;
    if (arg[0][0] == 'T')
        err = transaction_commit(t);
    unlink_transaction(r->c, t);
    r->x.t = NULL;
    return request_ok(r, err);
}

static bool domain_arg(const struct request *r, unsigned long *domid)
{
    char *arg[1], *end;

    if (!request_strings(r, 1, arg) || arg[0][0] < '0' || arg[0][0] > '9')
        return false;
    *domid = strtoul(arg[0], &end, 10);
    return !*end && *domid < 0x7ff0;
}

static enum xs_err do_get_domain_path(struct request *r)
{
    unsigned long domid;

    if (!domain_arg(r, &domid))
        return XS_EINVAL;
    r->out_len = sprintf(reply, "/local/domain/%lu", domid) + 1;
    return XS_OK;
}

static enum xs_err do_is_domain_introduced(struct request *r)
{
    bool there = false;
    unsigned long domid;

    if (!domain_arg(r, &domid))
        return XS_EINVAL;
    for (struct conn *c = conn_list; c; c = c->next)
        there |= c->domid == domid;
    r->out_len = sprintf(reply, "%s", there ? "T" : "F") + 1;
    return XS_OK;
}

void conn_forget_all(struct conn *c)
{
    while (c->transactions)
        unlink_transaction(c, c->transactions);
    watch_remove_all(c);
}

static enum xs_err do_reset_watches(struct request *r)
{
    char *arg[1];

    if (!request_strings(r, 1, arg) || arg[0][0])
        return XS_EINVAL;
    conn_forget_all(r->c);
    return request_ok(r, XS_OK);
}

/* Only the hypervisor introduces and releases guests, so these requests do nothing. */
static enum xs_err do_refused(struct request *r)
{
    (void)r;
    return XS_EACCES;
}

static enum xs_err do_control(struct request *r)
{
    (void)r;
    return XS_EPERM;
}

static const struct {
    enum xs_err (*fn)(struct request *r);
    bool in_transaction;                /* tx_id means something */
} requests[XS_TYPE_COUNT] = {
    [XS_CONTROL] = { do_control, false },
    [XS_DIRECTORY] = { do_directory, true },
    [XS_READ] = { do_read, true },
    [XS_GET_PERMS] = { do_get_perms, true },
    [XS_WATCH] = { do_watch, false },
    [XS_UNWATCH] = { do_unwatch, false },
    [XS_TRANSACTION_START] = { do_transaction_start, true },
    [XS_TRANSACTION_END] = { do_transaction_end, true },
    [XS_INTRODUCE] = { do_refused, false },
    [XS_RELEASE] = { do_refused, false },
    [XS_GET_DOMAIN_PATH] = { do_get_domain_path, false },
    [XS_WRITE] = { do_write, true },
    [XS_MKDIR] = { do_mkdir, true },
    [XS_RM] = { do_rm, true },
    [XS_SET_PERMS] = { do_set_perms, true },
    [XS_IS_DOMAIN_INTRODUCED] = { do_is_domain_introduced, false },
    [XS_RESUME] = { do_refused, false },
    [XS_SET_TARGET] = { do_refused, false },
    [XS_RESET_WATCHES] = { do_reset_watches, false },
    [XS_DIRECTORY_PART] = { do_directory_part, true },
};

/* Of the store before us. To commit it fails, and the guest repeats it then; front ends take an
 * error inside of a transaction for their device's end. NULL: it is none, or there are too many. */
static struct transaction *transaction_before(struct conn *c, const struct xsd_sockmsg *h)
{
    struct transaction *t;

    if (!c->resumed || h->type == XS_TRANSACTION_START)
        return NULL;
    t = transaction_new(c->domid, h->tx_id);
    if (t) {
        transaction_doom(t);
        *transaction_next(t) = c->transactions;
        c->transactions = t;
    }
    return t;
}

enum xs_err carry_out(struct request *r, const struct xsd_sockmsg *h)
{
    if (h->type >= XS_TYPE_COUNT || !requests[h->type].fn)
        return XS_ENOSYS;
    if (requests[h->type].in_transaction && h->tx_id) {
        r->x.t = transaction_find(r->c->transactions, h->tx_id);
        if (!r->x.t)
            r->x.t = transaction_before(r->c, h);
        if (!r->x.t)
            return r->c->resumed && h->type == XS_TRANSACTION_END ? XS_EAGAIN : XS_ENOENT;
    }
    return requests[h->type].fn(r);
}
