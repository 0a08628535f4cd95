/* One device: its nodes, and its state, which follows that of the front end (public/io/xenbus.h).
 * Only the present state counts, because the front end may change it twice before it is read. What
 * a guest writes into its nodes is read up to a bound, and a wrong value closes that device only.
 * The list of devices is in pairs.c. Called by pairs.c and the back ends, in main.c's thread; the
 * data path's thread calls pair_stop() only. */
#include <stdarg.h>
#include <stdio.h>
#include "console.h"
#include "pair.h"
#include "thread.h"

#define MAX_TRIES 8u                    /* to read nodes that the guest does not change meanwhile */
#define MAX_LINES 24u                   /* about one device */
#define LAST_STATE XenbusStateReconfigured

bool pair_fail(struct pair *p, const char *problem)
{
    p->problem = problem;
    return false;
}

void pair_stop(struct pair *p, const char *problem)
{
    p->problem = problem;
    p->stopped = p->changed = true;
    thread_wake(p->control);
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

/* Another driver domain may have served the rings before it told that it does. */
void pair_find_state(struct pair *p)
{
    int state = read_state(back_node(p, "state"));

    p->again = state == XenbusStateInitWait || state == XenbusStateConnected;
    p->state = state < 0                      ? XenbusStateUnknown
               : state == XenbusStateInitWait ? XenbusStateInitialising
                                              : (XenbusState)state;
    if (p->state == XenbusStateUnknown) {
        p->problem = "driver domain and store have both died: its state is not known";
        refuse(p);
    }
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

/* --- What has changed ------------------------------------------------------------------------- */

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

bool pair_look_at(struct pair *p)
{
    int state;

    if (p->draining && !disconnect(p))
        return true;
    p->changed = false;
    if (p->stopped) {
        p->stopped = false;
        refuse(p);
    }
    if (p->untold)
        tell_again(p);
    state = front_state(p);
    if (state < 0)
        return !has_ended(p) || !disconnect(p);
    if (on_front[state] != NULL)
        on_front[state](p);
    return true;
}
