/* The devices that the store has given to this back end: found when a directory of the store
 * changes, and dropped when their guest has ended. What is done about one is pair.c's. Called by
 * main.c's thread alone; the data path is another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "console.h"
#include "pair.h"
#include "pairs.h"
#include "thread.h"

#define LIST_BYTES 4096u                /* as much as the store sends */

static const struct backend *const backends[] = { &vbd_backend, &vif_backend };
static struct pair *pairs;
static unsigned last_number;
static bool list_changed = true;

/* --- One of them ------------------------------------------------------------------------------ */

static void token_of(const struct pair *p, char token[16])
{
    snprintf(token, 16, "p%u", p->number);
}

static bool has_pairs(const struct backend *b, domid_t domid)
{
    const struct pair *p = pairs;

    while (p != NULL && (p->backend != b || p->domid != domid))
        p = p->next;
    return p != NULL;
}

/* With the last device of its kind the guest's own directories go. */
static void remove_nodes(const struct pair *p)
{
    char path[2 * XS_PATH];
    const char *slash = has_pairs(p->backend, p->domid) ? NULL : strrchr(p->back, '/');
    int len = slash != NULL ? (int)(slash - p->back) : (int)strlen(p->back);

    snprintf(path, sizeof(path), "error/%.*s", len, p->back);
    xs_remove(path + strlen("error/"));
    xs_remove(path);
}

static void watch(const struct pair *p)
{
    char token[16];

    token_of(p, token);
    xs_watch(front_node(p, "state"), token);
}

static void drop(struct pair *p)
{
    struct pair **at = &pairs;
    char token[16];

    p->backend->end(p);
    token_of(p, token);
    xs_unwatch(front_node(p, "state"), token);
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    remove_nodes(p);
    free(p);
}

static struct pair *find(const struct backend *b, domid_t domid, uint32_t handle)
{
    struct pair *p = pairs;

    while (p != NULL && (p->backend != b || p->domid != domid || p->handle != handle))
        p = p->next;
    return p;
}

static void add(const struct backend *b, domid_t domid, uint32_t handle)
{
    struct pair *p = calloc(1, sizeof(*p));

    if (p == NULL) {
        kprintf("driver: d%u %s/%u: no memory\n", domid, b->type, (unsigned)handle);
        return;
    }
    p->control = current;
    p->backend = b;
    p->number = ++last_number;
    p->domid = domid;
    p->handle = handle;
    p->changed = true;
    snprintf(p->front, sizeof(p->front), "/local/domain/%u/device/%s/%u", domid, b->type,
             (unsigned)handle);
    snprintf(p->back, sizeof(p->back), "backend/%s/%u/%u", b->type, domid, (unsigned)handle);
    p->next = pairs;
    pairs = p;
    watch(p);
    pair_find_state(p);
}

/* --- The list of them ------------------------------------------------------------------------- */

/* Calls fn for each child of path whose name is a number. */
static void each_number(const char *path, void (*fn)(const struct backend *, domid_t, uint32_t),
                        const struct backend *b, domid_t domid)
{
    char names[LIST_BYTES], *end;
    int len = xs_list(path, names, sizeof(names));

    for (char *name = names; name < names + len; name += strlen(name) + 1) {
        unsigned long n = strtoul(name, &end, 10);

        if (*end == '\0' && end != name && n <= UINT32_MAX)
            fn(b, domid, (uint32_t)n);
    }
}

static void scan_device(const struct backend *b, domid_t domid, uint32_t handle)
{
    if (find(b, domid, handle) == NULL)
        add(b, domid, handle);
}

static void scan_domain(const struct backend *b, domid_t unused, uint32_t domid)
{
    char path[XS_PATH];

    (void)unused;
    if (domid >= DOMID_FIRST_RESERVED)
        return;
    snprintf(path, sizeof(path), "backend/%s/%u", b->type, (unsigned)domid);
    each_number(path, scan_device, b, (domid_t)domid);
}

static void scan(void)
{
    char path[XS_PATH];

    for (unsigned i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
        snprintf(path, sizeof(path), "backend/%s", backends[i]->type);
        each_number(path, scan_domain, backends[i], 0);
    }
}

/* --- Events ----------------------------------------------------------------------------------- */

static bool is_below(const char *path, const char *top)
{
    size_t len = strlen(top);

    return strncmp(path, top, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* Of our own writes below a pair that is known, nothing is to be learned. */
static void on_backend(const char *path)
{
    for (struct pair *p = pairs; p != NULL; p = p->next)
        if (is_below(path, p->back)) {
            p->changed |= p->untold;
            return;
        }
    list_changed = true;
}

void pairs_event(const char *path, const char *token)
{
    unsigned number = token[0] == 'p' ? strtoul(token + 1, NULL, 10) : 0;

    if (token[0] == 'b')
        on_backend(path);
    for (struct pair *p = pairs; p != NULL; p = p->next)
        p->changed |= token[0] == 'r' || p->number == number;
}

/* Each pair once: a guest that changes its state all the time holds up no other. */
bool pairs_serve(void)
{
    struct pair *p, *next;
    bool moved = list_changed;

    if (list_changed) {
        list_changed = false;
        scan();
    }
    for (p = pairs; p != NULL; p = next) {
        next = p->next;
        if (!p->changed && !p->draining)
            continue;
        moved |= p->changed && !p->draining;
        if (!pair_look_at(p))
            drop(p);
    }
    return moved;
}

unsigned pairs_count(void)
{
    unsigned n = 0;

    for (const struct pair *p = pairs; p != NULL; p = p->next)
        n++;
    return n;
}

bool pairs_drain(void)
{
    for (const struct pair *p = pairs; p != NULL; p = p->next)
        if (p->draining)
            return true;
    return false;
}

void pairs_watch(void)
{
    xs_watch("backend", "b");
    xs_watch("@releaseDomain", "r");
    for (struct pair *p = pairs; p != NULL; p = p->next) {
        p->untold = p->changed = true;
        watch(p);
    }
}
