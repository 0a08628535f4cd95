/* The watches of all connections, and which of them fire. An event that does not fit into the
 * connection's buffer is not lost: the watch is marked, and when there is room it fires once with
 * its own path, which tells the guest that anything below may have changed. Called by ops.c,
 * requests.c and transaction.c. */
#include <stdlib.h>
#include <string.h>
#include "store.h"

struct watch {
    struct watch *next;
    struct conn *conn;
    size_t rel, cost, len;              /* len: of path */
    bool owed;
    const char *token;                  /* behind the path */
    char path[];
};

void (*tree_changed)(const char *path);
void (*watches_changed)(uint16_t domid);

static void tell_change(const struct conn *c)
{
    if (watches_changed)
        watches_changed(c->domid);
}

static struct watch **find(struct conn *c, const char *path, const char *token)
{
    struct watch **at = &c->watches;

    while (*at && (strcmp((*at)->path, path) || strcmp((*at)->token, token)))
        at = &(*at)->next;
    return at;
}

enum xs_err watch_add(struct conn *c, const char *path, const char *token, size_t rel,
                      struct watch **made)
{
    struct watch **at = find(c, path, token), *w;
    size_t path_len = strlen(path) + 1, cost = sizeof(*w) + path_len + strlen(token) + 1;

    if (*at)
        return XS_EEXIST;
    if (strlen(token) > MAX_TOKEN || accounts[c->domid].watches >= limit_of(c->domid, MAX_WATCHES))
        return XS_E2BIG;
    if (!charge(c->domid, cost))
        return XS_ENOSPC;
    w = store_malloc(cost);
    if (!w) {
        uncharge(c->domid, cost);
        return XS_ENOMEM;
    }
    accounts[c->domid].watches++;
    *w = (struct watch){ .conn = c, .rel = rel, .cost = cost, .len = path_len - 1,
                         .token = w->path + path_len };
    strcpy(w->path, path);
    strcpy(w->path + path_len, token);
    *at = *made = w;
    tell_change(c);
    return XS_OK;
}

static void drop(struct watch **at)
{
    struct watch *w = *at;

    *at = w->next;
    uncharge(w->conn->domid, w->cost);
    accounts[w->conn->domid].watches--;
    tell_change(w->conn);
    free(w);
}

enum xs_err watch_remove(struct conn *c, const char *path, const char *token)
{
    struct watch **at = find(c, path, token);

    if (!*at)
        return XS_ENOENT;
    drop(at);
    return XS_OK;
}

void watch_remove_all(struct conn *c)
{
    while (c->watches)
        drop(&c->watches);
}

static bool send(struct watch *w, const char *path)
{
    const char *shown = path + w->rel;
    size_t len = strlen(shown) + 1;
    struct xsd_sockmsg h = { .type = XS_WATCH_EVENT, .len = len + strlen(w->token) + 1 };

    return !w->conn->held && conn_send(w->conn, &h, shown, len, w->token);
}

static void event(struct watch *w, const char *path)
{
    if (!send(w, path))
        w->owed = true;
}

void watch_event(struct watch *w)
{
    event(w, w->path);
}

void watch_owe(struct watch *w)
{
    w->owed = true;
}

void watch_each(const struct conn *c, bool (*fn)(void *arg, const char *path, const char *token),
                void *arg)
{
    for (const struct watch *w = c->watches; w; w = w->next)
        if (!fn(arg, w->path + w->rel, w->token))
            return;
}

void watch_pay(struct conn *c)
{
    for (struct watch *w = c->watches; w; w = w->next)
        if (w->owed && send(w, w->path))
            w->owed = false;
}

/* Most watches differ from most paths in the last byte, or are longer. */
static bool covers(const struct watch *w, const char *path, size_t len)
{
    if (w->len > len || w->path[w->len - 1] != path[w->len - 1] || memcmp(w->path, path, w->len))
        return false;
    return w->len == len || path[w->len] == '/' || w->len == 1;
}

void watch_fire(const char *path, const struct data *d)
{
    size_t len = strlen(path);

    if (tree_changed)
        tree_changed(path);
    for (struct conn *c = conn_list; c; c = c->next) {
        if (!data_allows(d, c->domid, PERM_READ))
            continue;
        for (struct watch *w = c->watches; w; w = w->next)
            if (covers(w, path, len))
                event(w, path);
    }
}

void watch_fire_special(const char *name)
{
    for (struct conn *c = conn_list; c; c = c->next)
        for (struct watch *w = c->watches; w; w = w->next)
            if (!strcmp(w->path, name))
                watch_event(w);
}
