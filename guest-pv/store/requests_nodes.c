/* The requests about nodes: each parses its payload, calls the tree (ops.c), and writes the reply.
 * Called by requests.c, which has the other requests. Permissions are checked in ops.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "request.h"

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
    return request_only_path(r, path) ? op_get(&r->x, path, PERM_READ, d) : XS_EINVAL;
}

enum xs_err do_directory(struct request *r)
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
enum xs_err do_directory_part(struct request *r)
{
    struct listing l = { .end = sizeof(reply) - 1 };    /* one byte is for the empty name */
    char path[PATH_BUFFER], *arg[2], *end;
    struct data *d;
    enum xs_err err;

    if (!request_strings(r, 2, arg) || !request_path(r, path))
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

enum xs_err do_read(struct request *r)
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

enum xs_err do_write(struct request *r)
{
    char path[PATH_BUFFER];
    size_t at = strlen(r->payload) + 1;

    if (!request_path(r, path))
        return XS_EINVAL;
    return request_ok(r, op_write(&r->x, path, r->payload + at, r->len - at));
}

enum xs_err do_mkdir(struct request *r)
{
    char path[PATH_BUFFER];

    return request_only_path(r, path) ? request_ok(r, op_mkdir(&r->x, path)) : XS_EINVAL;
}

enum xs_err do_rm(struct request *r)
{
    char path[PATH_BUFFER];

    return request_only_path(r, path) ? request_ok(r, op_rm(&r->x, path)) : XS_EINVAL;
}

static const char perm_letters[] = "nrwb";      /* by PERM_READ | PERM_WRITE */

enum xs_err do_get_perms(struct request *r)
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

enum xs_err do_set_perms(struct request *r)
{
    struct perm perms[MAX_PERMS];
    char path[PATH_BUFFER];
    unsigned n = 0;
    size_t at = strlen(r->payload) + 1;

    if (!request_path(r, path) || at >= r->len || r->payload[r->len - 1])
        return XS_EINVAL;
    for (; at < r->len; at += strlen(r->payload + at) + 1) {
        if (n == MAX_PERMS)
            return XS_ENOSPC;
        if (!parse_perm(r->payload + at, &perms[n++]))
            return XS_EINVAL;
    }
    return request_ok(r, op_set_perms(&r->x, path, perms, n));
}
