/* One function per type of request: it parses the payload, calls the tree, the transactions and
 * the watches, and writes the reply. Called by wire.c, which assembles the messages. Permissions
 * are checked in ops.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "request.h"

char reply[XENSTORE_PAYLOAD_MAX];

/* --- Reading a request ------------------------------------------------------------------------ */

/* The payload as exactly n strings, each with its NUL. */
static bool strings(const struct request *r, unsigned n, char **s)
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

/* The absolute path for the one in the request, which may be relative; *rel: how many bytes were
 * put before it. */
static bool absolute(const struct request *r, const char *name, char *path, size_t *rel)
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

/* The payload is one path, or begins with one. */
static bool path_of(const struct request *r, char *path)
{
    size_t rel;

    return strlen(r->payload) < r->len && absolute(r, r->payload, path, &rel);
}

static bool only_path(const struct request *r, char *path)
{
    return strlen(r->payload) + 1 == r->len && path_of(r, path);
}

#define PATH_BUFFER (XENSTORE_ABS_PATH_MAX + 32)

/* --- The requests ----------------------------------------------------------------------------- */

struct listing {
    size_t skip, len, start, end;       /* where in reply: [start, end) */
    bool cut;
};

static bool list_name(void *arg, const char *name)
{
    struct listing *l = arg;
    size_t len = strlen(name) + 1;

    if (l->skip) {
        l->skip -= len < l->skip ? len : l->skip;
        return true;
    }
    if (len > l->end - l->start - l->len) {
        l->cut = true;
        return false;
    }
    memcpy(reply + l->start + l->len, name, len);
    l->len += len;
    return true;
}

/* Reads the node named by the request's only argument, if the sender may read it; path: PATH_BUFFER
 * bytes. */
static enum xs_err get_node(struct request *r, char *path, struct data **d)
{
    return only_path(r, path) ? op_get(&r->x, path, PERM_READ, d) : XS_EINVAL;
}

static enum xs_err do_directory(struct request *r)
{
    struct listing l = { .end = sizeof(reply) };
    char path[PATH_BUFFER];
    struct data *d;
    enum xs_err err = get_node(r, path, &d);

    if (err)
        return err;
    view_list(r->x.t, path, list_name, &l);
    r->out_len = l.len;
    return l.cut ? XS_E2BIG : XS_OK;
}

/* A part of the list from a byte offset on, preceded by a number that changes with the list; an
 * empty name marks the end. */
static enum xs_err do_directory_part(struct request *r)
{
    struct listing l = { .end = sizeof(reply) - 1 };    /* one byte is for the empty name */
    char path[PATH_BUFFER], *arg[2], *end;
    struct data *d;
    enum xs_err err;

    if (!strings(r, 2, arg) || !path_of(r, path))
        return XS_EINVAL;
    l.skip = strtoul(arg[1], &end, 10);
    if (arg[1][0] < '0' || arg[1][0] > '9' || *end)
        return XS_EINVAL;
    err = op_get(&r->x, path, PERM_READ, &d);
    if (err)
        return err;
    l.start = sprintf(reply, "%llu", (unsigned long long)view_kids(r->x.t, path)) + 1;
    view_list(r->x.t, path, list_name, &l);
    r->out_len = l.start + l.len;
    if (!l.cut)
        reply[r->out_len++] = 0;
    return XS_OK;
}

static enum xs_err do_read(struct request *r)
{
    char path[PATH_BUFFER];
    struct data *d;
    enum xs_err err = get_node(r, path, &d);

    if (err)
        return err;
    memcpy(reply, d->bytes, d->len_bytes);
    r->out_len = d->len_bytes;
    return XS_OK;
}

static enum xs_err ok(struct request *r, enum xs_err err)
{
    if (!err)
        r->out_len = sprintf(reply, "OK") + 1;
    return err;
}

static enum xs_err do_write(struct request *r)
{
    char path[PATH_BUFFER];
    size_t at = strlen(r->payload) + 1;

    if (!path_of(r, path))
        return XS_EINVAL;
    return ok(r, op_write(&r->x, path, r->payload + at, r->len - at));
}

static enum xs_err do_mkdir(struct request *r)
{
    char path[PATH_BUFFER];

    return only_path(r, path) ? ok(r, op_mkdir(&r->x, path)) : XS_EINVAL;
}

static enum xs_err do_rm(struct request *r)
{
    char path[PATH_BUFFER];

    return only_path(r, path) ? ok(r, op_rm(&r->x, path)) : XS_EINVAL;
}

static const char perm_letters[] = "nrwb";      /* by PERM_READ | PERM_WRITE */

static enum xs_err do_get_perms(struct request *r)
{
    char path[PATH_BUFFER];
    struct data *d;
    enum xs_err err = get_node(r, path, &d);

    for (unsigned i = 0; !err && i < d->nr_perms; i++)
        r->out_len += sprintf(reply + r->out_len, "%c%u", perm_letters[d->perms[i].bits],
                              d->perms[i].domid) + 1;
    return err;
}

static bool parse_perm(const char *s, struct perm *p)
{
    const char *letter = *s ? strchr(perm_letters, *s) : NULL;
    char *end;
    unsigned long domid;

    if (!letter || s[1] < '0' || s[1] > '9')
        return false;
    domid = strtoul(s + 1, &end, 10);
    *p = (struct perm){ .domid = domid, .bits = letter - perm_letters };
    return !*end && domid < 0x7ff0;     /* the numbers above are no domains */
}

static enum xs_err do_set_perms(struct request *r)
{
    struct perm perms[MAX_PERMS];
    char path[PATH_BUFFER];
    unsigned n = 0;
    size_t at = strlen(r->payload) + 1;

    if (!path_of(r, path) || at >= r->len || r->payload[r->len - 1])
        return XS_EINVAL;
    for (; at < r->len; at += strlen(r->payload + at) + 1) {
        if (n == MAX_PERMS)
            return XS_ENOSPC;
        if (!parse_perm(r->payload + at, &perms[n++]))
            return XS_EINVAL;
    }
    return ok(r, op_set_perms(&r->x, path, perms, n));
}

static bool watch_args(const struct request *r, char **arg, char *path, size_t *rel)
{
    if (!strings(r, 2, arg))
        return false;
    if (arg[0][0] == '@') {
        *rel = 0;
        strcpy(path, strlen(arg[0]) < XENSTORE_REL_PATH_MAX ? arg[0] : "");
        return !strcmp(path, "@introduceDomain") || !strcmp(path, "@releaseDomain");
    }
    return absolute(r, arg[0], path, rel);
}

static enum xs_err do_watch(struct request *r)
{
    char path[PATH_BUFFER], *arg[2];
    size_t rel;

    if (!watch_args(r, arg, path, &rel))
        return XS_EINVAL;
    return ok(r, watch_add(r->c, path, arg[1], rel, &r->watched));
}

static enum xs_err do_unwatch(struct request *r)
{
    char path[PATH_BUFFER], *arg[2];
    size_t rel;

    return watch_args(r, arg, path, &rel) ? ok(r, watch_remove(r->c, path, arg[1])) : XS_EINVAL;
}

static enum xs_err do_transaction_start(struct request *r)
{
    struct conn *c = r->c;
    struct transaction *t;
    char *arg[1];

    if (!strings(r, 1, arg) || arg[0][0])
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

    if (!strings(r, 1, arg) || (strcmp(arg[0], "T") && strcmp(arg[0], "F")))
        return XS_EINVAL;
    if (!t)
        return XS_ENOENT;
    if (arg[0][0] == 'T')
        err = transaction_commit(t);
    unlink_transaction(r->c, t);
    r->x.t = NULL;
    return ok(r, err);
}

static bool domain_arg(const struct request *r, unsigned long *domid)
{
    char *arg[1], *end;

    if (!strings(r, 1, arg) || arg[0][0] < '0' || arg[0][0] > '9')
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

    if (!strings(r, 1, arg) || arg[0][0])
        return XS_EINVAL;
    conn_forget_all(r->c);
    return ok(r, XS_OK);
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

enum xs_err carry_out(struct request *r, const struct xsd_sockmsg *h)
{
    if (h->type >= XS_TYPE_COUNT || !requests[h->type].fn)
        return XS_ENOSYS;
    if (requests[h->type].in_transaction && h->tx_id) {
        r->x.t = transaction_find(r->c->transactions, h->tx_id);
        /* EAGAIN: the transaction was lost when the previous store ended; the guest repeats it */
        if (!r->x.t)
            return r->c->resumed && h->type == XS_TRANSACTION_END ? XS_EAGAIN : XS_ENOENT;
    }
    return requests[h->type].fn(r);
}
