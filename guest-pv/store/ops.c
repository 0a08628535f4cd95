/* What a domain may do with the tree: permissions and answers are those of Xen's xenstored. A
 * missing node is ENOENT only for a domain that has the same right on the nearest node above;
 * missing parents of a new node are made with it; a node belongs to the domain that created it.
 * Watches fire for every change, at once or when the transaction ends. Called by requests.c for
 * guests and by domains.c for domain 0. The nodes themselves are in tree.c. */
#include <string.h>
#include "store.h"

static bool is_path_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '/' || c == '_' || c == '@';
}

/* In one pass, as every request has a path. */
bool path_valid(const char *path)
{
    size_t len = 0;

    if (path[0] != '/')
        return false;
    for (; path[len]; len++)
        if (len == XENSTORE_ABS_PATH_MAX || !is_path_char(path[len]) ||
            (path[len] == '/' && path[len + 1] == '/'))
            return false;
    return len == 1 || path[len - 1] != '/';
}

/* The nearest node above, whose path goes to buf. Only a failed transaction has no root. */
static struct data *ancestor(const struct ctx *x, char *buf, const char *path)
{
    struct data *d;

    strcpy(buf, path);
    do {
        parent_path(buf, buf);
        d = view_get(x->t, buf);
    } while (!d && buf[1]);
    return d;
}

static bool allowed(const struct ctx *x, const struct data *d, unsigned want)
{
    return data_allows(d, x->domid, want);
}

enum xs_err op_get(const struct ctx *x, const char *path, unsigned want, struct data **d)
{
    char above[XENSTORE_ABS_PATH_MAX + 1];
    struct data *a;

    *d = view_get(x->t, path);
    if (*d)
        return allowed(x, *d, want) ? XS_OK : XS_EACCES;
    a = ancestor(x, above, path);
    if (transaction_failed(x->t))
        return XS_ENOSPC;
    return a && allowed(x, a, want & ~PERM_OWNER) ? XS_ENOENT : XS_EACCES;
}

static void changed(const struct ctx *x, const char *path, const struct data *d)
{
    if (!x->t)
        watch_fire(path, d);
}

static enum xs_err put(const struct ctx *x, const char *path, const struct perm *perms,
                       unsigned nr_perms, const void *bytes, size_t len)
{
    enum xs_err err;
    struct data *d = data_new(path, perms, nr_perms, bytes, len, &err);

    if (d && !view_set(x->t, path, d))
        err = x->t ? XS_ENOSPC : XS_ENOMEM;
    return err;
}

/* Creates the node and its missing parents, from the top down; after a failure, none of them. */
static enum xs_err create(const struct ctx *x, const char *path, const void *bytes, size_t len)
{
    char buf[XENSTORE_ABS_PATH_MAX + 1];
    struct data *a = ancestor(x, buf, path);
    size_t top = strlen(buf) == 1 ? 1 : strlen(buf) + 1, end = top;
    struct perm perms[MAX_PERMS];
    unsigned nr_perms;
    enum xs_err err;
    bool last;

    if (transaction_failed(x->t))
        return XS_ENOSPC;
    if (!allowed(x, a, PERM_WRITE))
        return XS_EACCES;
    nr_perms = a->nr_perms;
    memcpy(perms, a->perms, sizeof(perms));
    if (x->domid != 0)
        perms[0].domid = x->domid;
    do {
        end += strcspn(path + end, "/");
        memcpy(buf, path, end);
        buf[end] = 0;
        last = !path[end++];
        err = put(x, buf, perms, nr_perms, last ? bytes : NULL, last ? len : 0);
    } while (!err && !last);
    if (!err) {
        changed(x, path, view_get(x->t, path));
        return XS_OK;
    }
    for (parent_path(buf, buf); strlen(buf) > top; parent_path(buf, buf))
        view_set(x->t, buf, NULL);
    return err;
}

enum xs_err op_write(const struct ctx *x, const char *path, const void *bytes, size_t len)
{
    struct data *d;
    enum xs_err err = op_get(x, path, PERM_WRITE, &d);

    if (err == XS_ENOENT)
        return create(x, path, bytes, len);
    if (!err)
        err = put(x, path, d->perms, d->nr_perms, bytes, len);
    if (!err)
        changed(x, path, view_get(x->t, path));
    return err;
}

enum xs_err op_mkdir(const struct ctx *x, const char *path)
{
    struct data *d;
    enum xs_err err = op_get(x, path, PERM_WRITE, &d);

    return err == XS_ENOENT ? create(x, path, NULL, 0) : err;
}

/* Names of children, one after the other, each with its NUL. */
struct names {
    size_t len;
    char text[4096];
};

static bool add_name(void *arg, const char *name)
{
    struct names *n = arg;
    size_t size = strlen(name) + 1;

    if (n->len + size > sizeof(n->text))
        return false;
    memcpy(n->text + n->len, name, size);
    n->len += size;
    return true;
}

static void list_names(const struct ctx *x, const char *path, struct names *names)
{
    names->len = 0;
    view_list(x->t, path, add_name, names);
}

static enum xs_err remove_leaf(const struct ctx *x, const char *path)
{
    struct data *d = data_get(view_get(x->t, path));
    enum xs_err err = XS_OK;

    if (transaction_failed(x->t) || !view_set(x->t, path, NULL))
        err = XS_ENOSPC;
    else
        changed(x, path, d);
    data_put(d);
    return err;
}

/* Removes those children of path that have no children themselves. The first that has some is
 * appended to path: the next call removes its children. */
static enum xs_err remove_children(const struct ctx *x, char *path, const struct names *names)
{
    static struct names below;
    size_t len = strlen(path);
    enum xs_err err = XS_OK;

    for (size_t at = 0; at < names->len && !err; at += strlen(names->text + at) + 1) {
        path[len] = '/';
        strcpy(path + len + 1, names->text + at);
        list_names(x, path, &below);
        if (below.len)
            return XS_OK;
        err = remove_leaf(x, path);
    }
    path[len] = 0;
    return err;
}

/* Removes what is below the node first. Depth and number of children are chosen by a guest: so
 * there is no recursion, and one listing serves for as many children as fit into it. */
static enum xs_err remove_tree(const struct ctx *x, const char *path)
{
    static struct names names;
    char buf[XENSTORE_ABS_PATH_MAX + 1];
    enum xs_err err = XS_OK;

    strcpy(buf, path);
    while (!err && strlen(buf) >= strlen(path)) {
        list_names(x, buf, &names);
        if (names.len) {
            err = remove_children(x, buf, &names);
            continue;
        }
        err = remove_leaf(x, buf);
        parent_path(buf, buf);
    }
    return err;
}

enum xs_err op_rm(const struct ctx *x, const char *path)
{
    char above[XENSTORE_ABS_PATH_MAX + 1];
    struct data *d;
    enum xs_err err;

    if (!strcmp(path, "/"))
        return XS_EINVAL;
    err = op_get(x, path, PERM_WRITE, &d);
    if (err == XS_ENOENT) {
        parent_path(above, path);
        return view_get(x->t, above) ? XS_OK : XS_ENOENT;   /* not there: nothing to remove */
    }
    return err ? err : remove_tree(x, path);
}

enum xs_err op_set_perms(const struct ctx *x, const char *path, const struct perm *perms,
                         unsigned nr_perms)
{
    struct data *d;
    enum xs_err err = op_get(x, path, PERM_OWNER | PERM_WRITE, &d);

    if (err)
        return err;
    if (x->domid != 0 && perms[0].domid != d->perms[0].domid)
        return XS_EPERM;
    d = data_get(d);
    err = put(x, path, perms, nr_perms, d->bytes, d->len_bytes);
    data_put(d);
    if (!err)
        changed(x, path, view_get(x->t, path));
    return err;
}

static struct node *next_node(struct node *n)
{
    if (n->children)
        return n->children;
    while (n && !n->next)
        n = n->parent;
    return n ? n->next : NULL;
}

static void path_of(char *buf, const struct node *n)
{
    size_t at = XENSTORE_ABS_PATH_MAX;

    buf[at] = 0;
    for (; n->parent; n = n->parent) {
        at -= strlen(n->name);
        memcpy(buf + at, n->name, strlen(n->name));
        buf[--at] = '/';
    }
    memmove(buf, buf + at, XENSTORE_ABS_PATH_MAX - at + 1);
}

void op_forget_domain(uint16_t domid)
{
    static const struct ctx ours = { 0, NULL };
    char path[XENSTORE_ABS_PATH_MAX + 1];
    struct node *n = tree_find("/");

    while (n) {
        struct node *up = n->parent;

        if (up && n->data->perms[0].domid == domid) {
            path_of(path, n);
            if (!remove_tree(&ours, path))
                /* If that failed, the rest of it is skipped, so that the loop ends. */
                n = up;
        }
        n = next_node(n);
    }
}
