/* Finds the devices that the store has given to this back end, and follows the state of each front
 * end (public/io/xenbus.h). Only the state as it is now counts: values in between may never be
 * seen. Whatever a guest writes into its nodes is read with a bound, and nonsense closes its own
 * device. Called by main.c's thread alone; the data path is another. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "console.h"
#include "pair.h"
#include "thread.h"

#define LIST_BYTES 4096u                /* as much as the store sends */
#define MAX_TRIES 8u                    /* to read nodes that the guest does not change meanwhile */
#define MAX_LINES 24u                   /* about one device */
#define LAST_STATE XenbusStateReconfigured

static const struct backend *const backends[] = { &vbd_backend, &vif_backend };
static struct pair *pairs;
static unsigned last_number;
static bool list_changed = true;

static struct thread *control;

bool pair_fail(struct pair *p, const char *problem)
{
    p->problem = problem;
    return false;
}

void pair_stop(struct pair *p, const char *problem)
{
    p->problem = problem;
    p->stopped = p->changed = true;
    thread_wake(control);
}

void pair_print(struct pair *p, const char *fmt, ...)
{
    char line[192];
    va_list ap;

    if (p->lines > MAX_LINES)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (p->lines++ < MAX_LINES)
        kprintf("driver: d%u: %s\n", p->domid, line);
    else
        kprintf("driver: d%u: %s/%u: its further lines are left out\n", p->domid,
                p->backend->type, (unsigned)p->handle);
}

/* --- Nodes ------------------------------------------------------------------------------------ */

static const char *node(const char *top, const char *name)
{
    static char path[2 * XS_PATH];

    snprintf(path, sizeof(path), "%s/%s", top, name);
    return path;
}

const char *front_node(const struct pair *p, const char *name)
{
    return node(p->front, name);
}

const char *back_node(const struct pair *p, const char *name)
{
    return node(p->back, name);
}

bool pair_read_front(const struct pair *p,
                     bool (*read)(const struct pair *p, uint32_t t, void *front), void *front)
{
    for (unsigned i = 0; i < MAX_TRIES; i++) {
        uint32_t t = xs_transaction();
        bool there = t != NO_TRANSACTION && read(p, t, front);

        if (t == NO_TRANSACTION || xs_transaction_end(t))
            return there;
    }
    return false;
}

static void set_state(struct pair *p, XenbusState state)
{
    if (p->state == state)
        return;
    p->state = state;
    xs_write_number(back_node(p, "state"), state);
}

/* -1: it cannot be read. What is no number of a state is XenbusStateUnknown. */
static int read_state(const char *path)
{
    char text[24];

    if (!xs_read(NO_TRANSACTION, path, text, sizeof(text)))
        return -1;
    return text[0] >= '0' && text[0] <= '0' + LAST_STATE && text[1] == '\0'
               ? text[0] - '0' : XenbusStateUnknown;
}

static int front_state(const struct pair *p)
{
    return read_state(front_node(p, "state"));
}

/* As another driver domain has left it, or the store has made it. That one may have served the
 * rings before it told that it does. */
static void set_state_before(struct pair *p)
{
    int state = read_state(back_node(p, "state"));

    p->again = state == XenbusStateInitWait || state == XenbusStateConnected;
    p->state = state < 0                      ? XenbusStateUnknown
               : state == XenbusStateInitWait ? XenbusStateInitialising
                                              : (XenbusState)state;
}

/* --- States ----------------------------------------------------------------------------------- */

/* The device is closed until the guest begins anew; the error stands where Xen's tools look. */
static void refuse(struct pair *p)
{
    char path[2 * XS_PATH];

    pair_print(p, "%s/%u: %s", p->backend->type, (unsigned)p->handle, p->problem);
    snprintf(path, sizeof(path), "error/%s/error", p->back);
    xs_write(path, p->problem);
    set_state(p, XenbusStateClosing);
}

/* A driver domain before us served it and died; the front end does not know, and its state stays as
 * it is. The nodes are written once more, and so is ours at the end: front ends take that as a
 * change of size or place. */
static void go_on(struct pair *p)
{
    if (p->backend->begin(p))
        p->state = XenbusStateInitWait;
    else
        refuse(p);
}

static void begin(struct pair *p)
{
    if (p->backend->begin(p))
        set_state(p, XenbusStateInitWait);
    else
        refuse(p);
}

/* False: requests are still under way; what is to be done then is found out anew afterwards, from
 * the front end's state. */
static bool disconnect(struct pair *p)
{
    p->draining = p->connected && !p->backend->disconnect(p);
    p->again &= !p->connected;
    p->connected = p->draining;
    return !p->draining;
}

/* The front end starts, perhaps again after PV GRUB or a crash kernel has closed it. */
static void on_initialising(struct pair *p)
{
    if (disconnect(p) && p->state != XenbusStateInitWait)
        begin(p);
}

static void on_connecting(struct pair *p)
{
    if (p->connected)
        return;
    if (p->state == XenbusStateInitialising)
        begin(p);                       /* PV GRUB does not wait */
    else if (p->state == XenbusStateConnected)
        go_on(p);
    if (p->state != XenbusStateInitWait)
        return;
    p->connected = p->backend->connect(p);
    if (p->connected)
        set_state(p, XenbusStateConnected);
    else
        refuse(p);
}

static void on_closing(struct pair *p)
{
    if (disconnect(p))
        set_state(p, XenbusStateClosing);
}

static void on_closed(struct pair *p)
{
    if (disconnect(p))
        set_state(p, XenbusStateClosed);
}

static void (*const on_front[LAST_STATE + 1])(struct pair *p) = {
    [XenbusStateInitialising] = on_initialising,
    [XenbusStateInitialised] = on_connecting,
    [XenbusStateConnected] = on_connecting,
    [XenbusStateClosing] = on_closing,
    [XenbusStateClosed] = on_closed,
};

/* --- Pairs ------------------------------------------------------------------------------------ */

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

    if (!disconnect(p))
        return;
    p->backend->end(p);
    token_of(p, token);
    xs_unwatch(front_node(p, "state"), token);
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    remove_nodes(p);
    free(p);
}

static bool is_there(const char *path)
{
    char value[XS_PATH];

    return xs_read(NO_TRANSACTION, path, value, sizeof(value));
}

/* The guest's nodes are gone, but ours are there: it has ended. Without ours, or without an answer,
 * it is the store that has gone or begun anew, and the guest may be well. */
static bool has_ended(const struct pair *p)
{
    return is_there(back_node(p, "frontend")) && !is_there(front_node(p, "backend"));
}

/* What another store has lost. Later, if it has not yet been told of this guest. */
static void tell_again(struct pair *p)
{
    if (!is_there(back_node(p, "frontend")))
        return;
    p->untold = false;
    if (p->state == XenbusStateInitWait || p->state == XenbusStateConnected)
        p->backend->begin(p);
    xs_write_number(back_node(p, "state"), p->state);
}

static void look_at(struct pair *p)
{
    int state;

    if (p->draining && !disconnect(p))
        return;
    p->changed = false;
    if (p->stopped) {
        p->stopped = false;
        refuse(p);
    }
    if (p->untold)
        tell_again(p);
    state = front_state(p);
    if (state < 0) {
        if (has_ended(p))
            drop(p);
    } else if (on_front[state] != NULL) {
        on_front[state](p);
    }
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
    set_state_before(p);
    if (p->state == XenbusStateUnknown) {
        p->problem = "driver domain and store have both died: its state is not known";
        refuse(p);
    }
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
        next = p->next;                 /* look_at() may free p, and adds none */
        if (!p->changed && !p->draining)
            continue;
        moved |= p->changed && !p->draining;
        look_at(p);
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
    control = current;
    xs_watch("backend", "b");
    xs_watch("@releaseDomain", "r");
    for (struct pair *p = pairs; p != NULL; p = p->next) {
        p->untold = p->changed = true;
        watch(p);
    }
}
