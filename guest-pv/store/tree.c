/* The nodes, their data, and the accounts of the domains. A data is the unit of both change and
 * charge: it costs its owner one node, its bytes and the bytes of its path. No permission is
 * checked here but in ops.c. */
#include <stdlib.h>
#include <string.h>
#include "store.h"

#define DATA_OVERHEAD (sizeof(struct data) + sizeof(struct node))

struct account accounts[MAX_DOMAINS];
void *(*store_malloc)(size_t bytes) = malloc;
static struct node *root;
static uint64_t kids_clock;

/* --- Accounts --------------------------------------------------------------------------------- */

size_t limit_of(uint16_t domid, size_t limit)
{
    return domid == 0 ? SIZE_MAX : accounts[domid].is_driver ? limit * DRIVER_FACTOR : limit;
}

bool charge(uint16_t domid, size_t bytes)
{
    struct account *a = &accounts[domid];
    size_t limit = limit_of(domid, MAX_BYTES);

    if (bytes > limit || a->bytes > limit - bytes)
        return false;
    a->bytes += bytes;
    return true;
}

void uncharge(uint16_t domid, size_t bytes)
{
    accounts[domid].bytes -= bytes;
}

/* --- Data ------------------------------------------------------------------------------------- */

struct data *data_new(const char *path, const struct perm *perms, unsigned nr_perms,
                      const void *bytes, size_t len_bytes, enum xs_err *err)
{
    uint16_t owner = perms[0].domid;
    size_t cost = DATA_OVERHEAD + strlen(path) + len_bytes;
    struct data *d;

    *err = XS_ENOSPC;
    if (len_bytes > MAX_VALUE || nr_perms > MAX_PERMS || owner >= MAX_DOMAINS)
        return NULL;
    if (accounts[owner].nodes >= limit_of(owner, MAX_NODES) || !charge(owner, cost))
        return NULL;
    *err = XS_ENOMEM;
    d = store_malloc(sizeof(*d) + len_bytes);
    if (!d) {
        uncharge(owner, cost);
        return NULL;
    }
    accounts[owner].nodes++;
    *d = (struct data){ .refs = 1, .charge = cost, .len_bytes = len_bytes, .nr_perms = nr_perms };
    memcpy(d->perms, perms, nr_perms * sizeof(*perms));
    if (len_bytes)
        memcpy(d->bytes, bytes, len_bytes);
    *err = XS_OK;
    return d;
}

struct data *data_get(struct data *d)
{
    if (d)
        d->refs++;
    return d;
}

void data_put(struct data *d)
{
    if (!d || --d->refs)
        return;
    uncharge(d->perms[0].domid, d->charge);
    accounts[d->perms[0].domid].nodes--;
    free(d);
}

bool data_allows(const struct data *d, uint16_t domid, unsigned want)
{
    unsigned bits = d->perms[0].bits;

    if (domid == 0 || domid == d->perms[0].domid)
        return true;
    for (unsigned i = 1; i < d->nr_perms; i++)
        if (d->perms[i].domid == domid) {
            bits = d->perms[i].bits;
            break;
        }
    return (bits & want) == want;
}

/* --- Nodes ------------------------------------------------------------------------------------ */

void parent_path(char *buf, const char *path)
{
    size_t len = strrchr(path, '/') - path;

    memmove(buf, path, len);
    if (len == 0)
        buf[len++] = '/';
    buf[len] = 0;
}

/* The length of a name that ends at a slash or a NUL, and its hash. */
static unsigned name_hash(const char *name, uint32_t *hash)
{
    unsigned len = 0;

    for (*hash = 2166136261u; name[len] && name[len] != '/'; len++)
        *hash = (*hash ^ (uint8_t)name[len]) * 16777619u;
    return len;
}

struct node *tree_find(const char *path)
{
    struct node *n = root;

    while (n && *path == '/' && path[1]) {
        uint32_t hash;
        unsigned len = name_hash(++path, &hash);
        struct node *c = n->children;

        while (c && (c->hash != hash || c->len != len || memcmp(c->name, path, len)))
            c = c->next;
        n = c;
        path += len;
    }
    return n;
}

struct node *tree_node(const char *path)
{
    const char *name = strrchr(path, '/') + 1;
    uint32_t hash;
    unsigned len = name_hash(name, &hash);
    struct node *n = store_malloc(sizeof(*n) + len + 1);

    if (n) {
        *n = (struct node){ .kids = ++kids_clock, .hash = hash, .len = len };
        memcpy(n->name, name, len + 1);
    }
    return n;
}

/* At the end of the list: a listing shows children in the order they came. */
static void link_node(struct node *n, const char *path)
{
    char above[XENSTORE_ABS_PATH_MAX + 1];
    struct node **at;

    parent_path(above, path);
    n->parent = tree_find(above);
    for (at = &n->parent->children; *at; at = &(*at)->next)
        ;
    *at = n;
    n->parent->kids = ++kids_clock;
}

bool tree_set(const char *path, struct data *d, struct node *spare)
{
    struct node *n = tree_find(path);
    bool used = !n;

    if (used) {
        n = spare;
        link_node(n, path);
    }
    data_put(n->data);
    n->data = d;
    return used;
}

void tree_remove(const char *path)
{
    struct node *n = tree_find(path), **at;

    if (!n || n->children || !n->parent)
        return;
    for (at = &n->parent->children; *at != n; at = &(*at)->next)
        ;
    *at = n->next;
    n->parent->kids = ++kids_clock;
    data_put(n->data);
    free(n);
}

bool tree_init(void)
{
    static const struct perm everybody = { 0, PERM_READ };
    enum xs_err err;

    root = tree_node("/");
    if (root)
        root->data = data_new("/", &everybody, 1, NULL, 0, &err);
    return root && root->data;
}

/* Leaves first, without recursion, because guests choose the depth. */
void tree_destroy(void)
{
    struct node *n = root;

    while (n) {
        struct node *up = n->parent;

        if (n->children) {
            n = n->children;
            continue;
        }
        if (up)
            up->children = n->next;
        data_put(n->data);
        free(n);
        n = up;
    }
    root = NULL;
}
