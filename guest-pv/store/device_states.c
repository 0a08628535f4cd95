/* The states of devices, as they stand in the tree. A guest's ring is held back until its back ends
 * wait for it, because some front ends (PV GRUB's) look once and do not wait. What is connected is
 * saved for a store after us (saved.c); of others the driver domain tells what states they are in.
 * Called by domains.c and main.c. */
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

/* XenbusStateUnknown: it has none. */
static XenbusState state_of(const char *path)
{
    const struct node *n = tree_find(path);

    return n && n->data->len_bytes == 1 && n->data->bytes[0] >= '0' &&
                   n->data->bytes[0] <= '0' + XenbusStateClosed
               ? (XenbusState)(n->data->bytes[0] - '0') : XenbusStateUnknown;
}

/* At once, before the change is answered. */
static void save(struct device *d)
{
    bool connected = state_of(d->back_state) == XenbusStateConnected &&
                     state_of(d->front_state) == XenbusStateConnected;

    if (connected == d->connected)
        return;
    d->connected = connected;
    devices_save(d->domid);
}

static void on_change(const char *path)
{
    size_t len = strlen(path);

    if (len < 6 || strcmp(path + len - 6, "/state"))
        return;
    changed = true;
    for (struct device *d = devices; d; d = d->next)
        if (!strcmp(path, d->front_state) || !strcmp(path, d->back_state)) {
            save(d);
            return;
        }
}

void device_states_init(void)
{
    tree_changed = on_change;
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

static bool is_waited_for(const struct device *d)
{
    return state_of(d->back_state) > XenbusStateInitialising;
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
    XenbusState state = state_of(d->back_state);

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
