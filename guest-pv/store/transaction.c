/* Transactions: each records the data of the nodes it read and the data it will write. While it
 * runs, its reads see one unchanging tree, and nobody sees its writes. It commits if every node
 * that it read still has the same data (S2), and otherwise changes nothing: the result is always
 * that of the transactions in some order, one after the other. Two that touch different nodes
 * never conflict, not even when they make children of one parent. Called by ops.c and requests.c;
 * the committed tree is in tree.c. */
#include <stdlib.h>
#include <string.h>
#include "store.h"

#define BUCKETS 128u   /* a guest may well make a transaction of a thousand changes */

struct change {
    struct change *next;                /* of all, the last one first */
    struct change *same_bucket;
    struct data *base, *now;   /* as found in the tree; as seen by the transaction. NULL: no node */
    bool written, listed;
    uint64_t kids;                      /* view_kids() when first listed; 0: no such node then */
    struct node *spare;                 /* for the commit */
    uint32_t hash;
    unsigned len;                       /* of path */
    char path[];
};

struct transaction {
    struct transaction *next;
    uint32_t id;
    uint16_t domid;
    bool failed, doomed;
    unsigned nr_changes, nr_writes;
    struct change *changes;
    struct change *buckets[BUCKETS];    /* the same, by the hash of their paths */
};

struct transaction *transaction_new(uint16_t domid, uint32_t id)
{
    struct transaction *t;

    if (accounts[domid].transactions >= limit_of(domid, MAX_TRANSACTIONS))
        return NULL;
    t = store_malloc(sizeof(*t));
    if (t) {
        *t = (struct transaction){ .id = id, .domid = domid };
        accounts[domid].transactions++;
    }
    return t;
}

void transaction_doom(struct transaction *t)
{
    t->doomed = true;
}

void transaction_free(struct transaction *t)
{
    struct change *c, *next;

    for (c = t->changes; c; c = next) {
        next = c->next;
        data_put(c->base);
        data_put(c->now);
        uncharge(t->domid, sizeof(*c) + c->len);
        free(c->spare);
        free(c);
    }
    accounts[t->domid].transactions--;
    free(t);
}

struct transaction **transaction_next(struct transaction *t)
{
    return &t->next;
}

struct transaction *transaction_find(struct transaction *list, uint32_t id)
{
    while (list && list->id != id)
        list = list->next;
    return list;
}

bool transaction_failed(const struct transaction *t)
{
    return t && t->failed;
}

/* --- What it sees ----------------------------------------------------------------------------- */

static uint32_t hash_of(const char *s)
{
    uint32_t h = 2166136261u;

    while (*s)
        h = (h ^ (uint8_t)*s++) * 16777619u;
    return h;
}

static struct change *find_change(struct transaction *t, const char *path, uint32_t hash)
{
    struct change *c = t->buckets[hash % BUCKETS];

    while (c && (c->hash != hash || strcmp(c->path, path)))
        c = c->same_bucket;
    return c;
}

static struct data *tree_data(const char *path)
{
    struct node *n = tree_find(path);

    return n ? n->data : NULL;
}

/* The transaction's record of a path, made at the first access. */
static struct change *change_of(struct transaction *t, const char *path)
{
    uint32_t hash = hash_of(path);
    struct change *c = find_change(t, path, hash);
    size_t len = strlen(path);

    if (c || t->failed)
        return c;
    if (charge(t->domid, sizeof(*c) + len)) {
        c = store_malloc(sizeof(*c) + len + 1);
        if (!c)
            uncharge(t->domid, sizeof(*c) + len);
    }
    if (!c) {
        t->failed = true;
        return NULL;
    }
    *c = (struct change){ .next = t->changes, .same_bucket = t->buckets[hash % BUCKETS],
                          .hash = hash, .len = len, .base = data_get(tree_data(path)) };
    memcpy(c->path, path, len + 1);
    c->now = data_get(c->base);
    t->changes = t->buckets[hash % BUCKETS] = c;
    t->nr_changes++;
    return c;
}

struct data *view_get(struct transaction *t, const char *path)
{
    struct change *c;

    if (!t)
        return tree_data(path);
    c = change_of(t, path);
    return c ? c->now : NULL;
}

bool view_set(struct transaction *t, const char *path, struct data *d)
{
    struct change *c;
    struct node *spare = NULL;

    if (t) {
        c = change_of(t, path);
        if (!c) {
            data_put(d);
            return false;
        }
        data_put(c->now);
        c->now = d;
        c->written = true;
        t->nr_writes++;
        return true;
    }
    if (!d) {
        tree_remove(path);
        return true;
    }
    if (!tree_find(path) && !(spare = tree_node(path))) {
        data_put(d);
        return false;
    }
    tree_set(path, d, spare);
    return true;
}

static bool is_parent(const char *path, size_t len, const struct change *c)
{
    const char *slash = strrchr(c->path, '/');

    if (len == 1)
        return slash == c->path && c->len > 1;
    return (size_t)(slash - c->path) == len && !memcmp(path, c->path, len);
}

/* The children in the tree, without those that the transaction removed, then those that it
 * added. */
static void list_in(struct transaction *t, const char *path, bool (*fn)(void *, const char *),
                    void *arg)
{
    char child[XENSTORE_ABS_PATH_MAX + 1];
    size_t len = strlen(path), at = len == 1 ? 1 : len + 1;
    const struct node *n = tree_find(path);
    struct change *c = change_of(t, path);

    if (!c)
        return;
    if (!c->listed) {
        c->listed = true;
        c->kids = n ? n->kids : 0;
    }
    memcpy(child, path, len);
    child[at - 1] = '/';
    for (const struct node *k = n ? n->children : NULL; k; k = k->next) {
        strcpy(child + at, k->name);
        c = find_change(t, child, hash_of(child));
        if ((!c || c->now) && !fn(arg, k->name))
            return;
    }
    for (c = t->changes; c; c = c->next)
        if (c->now && !c->base && is_parent(path, len, c) && !tree_find(c->path) &&
            !fn(arg, strrchr(c->path, '/') + 1))
            return;
}

void view_list(struct transaction *t, const char *path, bool (*fn)(void *, const char *), void *arg)
{
    const struct node *n;

    if (t) {
        list_in(t, path, fn, arg);
        return;
    }
    n = tree_find(path);
    for (const struct node *k = n ? n->children : NULL; k; k = k->next)
        if (!fn(arg, k->name))
            return;
}

uint64_t view_kids(struct transaction *t, const char *path)
{
    const struct node *n = tree_find(path);

    return (n ? n->kids : 0) + (t ? t->nr_writes : 0);
}

/* --- The end ---------------------------------------------------------------------------------- */

static bool still_true(const struct change *c)
{
    const struct node *n = tree_find(c->path);

    return (n ? n->data : NULL) == c->base && (!c->listed || (n ? n->kids : 0) == c->kids);
}

static int by_length(const void *a, const void *b)
{
    const struct change *x = *(struct change *const *)a, *y = *(struct change *const *)b;

    return (x->len > y->len) - (x->len < y->len);
}

/* All changes sorted by the length of their paths, so that parents come before their children, with
 * the memory for new nodes allocated; NULL: no memory. After this, nothing can fail. */
static struct change **prepare(struct transaction *t)
{
    struct change **all = store_malloc((t->nr_changes + 1) * sizeof(struct change *));
    unsigned n = 0;

    if (!all)
        return NULL;
    for (struct change *c = t->changes; c; c = c->next) {
        all[n++] = c;
        if (c->written && c->now && !c->base && !c->spare && !(c->spare = tree_node(c->path))) {
            free(all);
            return NULL;
        }
    }
    qsort(all, n, sizeof(struct change *), by_length);
    return all;
}

enum xs_err transaction_commit(struct transaction *t)
{
    struct change **all;

    if (t->failed)
        return XS_ENOSPC;
    if (t->doomed)
        return XS_EAGAIN;
    for (struct change *c = t->changes; c; c = c->next)
        if (!still_true(c))
            return XS_EAGAIN;
    all = prepare(t);
    if (!all)
        return XS_ENOMEM;
    for (unsigned i = t->nr_changes; i-- > 0;)
        if (all[i]->written && !all[i]->now)
            tree_remove(all[i]->path);
    for (unsigned i = 0; i < t->nr_changes; i++)
        if (all[i]->written && all[i]->now &&
            tree_set(all[i]->path, data_get(all[i]->now), all[i]->spare))
            all[i]->spare = NULL;
    for (unsigned i = 0; i < t->nr_changes; i++)
        if (all[i]->written && (all[i]->now || all[i]->base))
            watch_fire(all[i]->path, all[i]->now ? all[i]->now : all[i]->base);
    free(all);
    return XS_OK;
}
