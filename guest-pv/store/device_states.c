/* The states of devices, as they stand in the tree. A guest's ring is held back until its back ends
 * wait for it, because some front ends (PV GRUB's) look once and do not wait. States and what front
 * ends write are saved for a store after us (saved.c); of a device for which there was no room the
 * driver domain tells what state it is in. Called by domains.c and main.c. */
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "console.h"
#include "devices.h"
#include "store.h"

#define PATIENCE (5 * NS_PER_S)         /* for a back end that does not come */

/* A state has changed, or a guest waits anew. Guests make many requests while they wait for their
 * devices, and only few of those change a state. */
static bool changed = true;

XenbusState device_state(const char *path)
{
    const struct node *n = tree_find(path);

    return n && n->data->len_bytes == 1 && n->data->bytes[0] >= '0' &&
                   n->data->bytes[0] <= '0' + XenbusStateClosed
               ? (XenbusState)(n->data->bytes[0] - '0') : XenbusStateUnknown;
}

static bool is_below(const char *path, const char *top)
{
    size_t len = strlen(top);

    return !strncmp(path, top, len) && (path[len] == '/' || path[len] == '\0');
}

static void on_state(const char *path)
{
    changed = true;
    for (struct device *d = devices; d; d = d->next)
        if (!strcmp(path, d->back_state)) {
            d->awaited = false;
            ring_stale(d->domid);
        }
}

static void on_change(const char *path)
{
    size_t len = strlen(path);

    if (len >= 6 && !strcmp(path + len - 6, "/state"))
        on_state(path);
    if (!strstr(path, "/device"))
        return;
    for (struct device *d = devices; d; d = d->next)
        if (is_below(path, d->front))
            ring_stale(d->domid);
}

void device_states_init(void)
{
    tree_changed = on_change;
    watches_changed = ring_stale;
}

/* --- Guests that wait for their back ends ----------------------------------------------------- */

struct hold {
    struct hold *next;
    uint16_t domid;
};
static struct hold *holds;
/* Runs while guests wait, and begins anew with each that need not wait any longer: many guests that
 * start together take their time. */
static struct timer patience;
static bool is_late;

static void on_late(void *arg)
{
    (void)arg;
    is_late = changed = true;
    console_wake();
}

static void be_patient(void)
{
    timer_cancel(&patience);
    if (holds)
        timer_start(&patience, clock_ns() + PATIENCE, on_late, NULL);
}

/* The back end has told its nodes, and then its state. */
static bool is_waited_for(const struct device *d)
{
    return !d->awaited && device_state(d->back_state) > XenbusStateInitialising;
}

static bool is_ready(uint16_t domid)
{
    for (const struct device *d = devices; d; d = d->next)
        if (d->domid == domid && !is_waited_for(d))
            return false;
    return true;
}

void device_hold(uint16_t domid)
{
    struct hold *h = calloc(1, sizeof(*h));

    if (!h) {
        domain_connect(domid);
        return;
    }
    h->domid = domid;
    changed = true;
    h->next = holds;
    holds = h;
    be_patient();
}

static void end_hold(struct hold **at)
{
    struct hold *h = *at;

    *at = h->next;
    free(h);
    be_patient();
}

void device_hold_forget(uint16_t domid)
{
    struct hold **at = &holds;

    while (*at && (*at)->domid != domid)
        at = &(*at)->next;
    if (*at)
        end_hold(at);
}

static void serve_holds(void)
{
    struct hold **at = &holds, *h;
    bool late = is_late;
    uint16_t domid;

    is_late = false;
    while ((h = *at)) {
        domid = h->domid;
        if (!late && !is_ready(domid)) {
            at = &h->next;
            continue;
        }
        if (late && !is_ready(domid))
            kprintf("store: domain %u: its devices are not ready after %lu s: it begins "
                    "without\n", domid, PATIENCE / NS_PER_S);
        end_hold(at);
        domain_connect(domid);
    }
}

/* --- After a store before us ------------------------------------------------------------------ */

/* The driver domain has told its state to us, too. The guest will not: its own is what it must be
 * then. */
static void settle(struct device *d)
{
    static const XenbusState front_states[] = {
        [XenbusStateInitialising] = XenbusStateInitialising,
        [XenbusStateInitWait] = XenbusStateInitialising,
        [XenbusStateInitialised] = XenbusStateInitialising,
        [XenbusStateConnected] = XenbusStateConnected,
        [XenbusStateClosing] = XenbusStateClosed,
        [XenbusStateClosed] = XenbusStateClosed,
    };
    XenbusState state = device_state(d->back_state);

    if (state == XenbusStateUnknown)
        return;
    d->unsettled = false;
    node_set(d->front, "state", "%d", front_states[state]);
}

static void settle_all(void)
{
    for (struct device *d = devices; d; d = d->next)
        if (d->unsettled)
            settle(d);
}

void device_states_serve(void)
{
    if (!changed)
        return;
    changed = false;
    serve_holds();
    settle_all();
}
