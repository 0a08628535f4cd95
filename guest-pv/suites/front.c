/* The front ends' half of xenstore: where a device's two directories are, values, states. Called by
 * front_blk.c, front_net.c and the suites. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "front.h"
#include "gnttab.h"
#include "hypercall.h"
#include "suite.h"
#include "thread.h"
#include "xenstore.h"

#define FIRST_REF 16u

grant_ref_t front_refs(unsigned n)
{
    static grant_ref_t next = FIRST_REF;
    grant_ref_t first = next;

    ASSERT(gnttab() != NULL);
    ASSERT(n <= gnttab_entries() - next);
    next += n;
    return first;
}

void front_sleep(int port)
{
    evtchn_port_t p = (evtchn_port_t)port;
    struct sched_poll poll = { .nr_ports = 1, .timeout = clock_ns() + NS_PER_MS };

    set_xen_guest_handle(poll.ports, &p);
    xen_sched_op(SCHEDOP_poll, &poll);
}

/* --- Values ----------------------------------------------------------------------------------- */

static const char *read_node(const char *top, const char *name)
{
    char path[192];

    snprintf(path, sizeof(path), "%s/%s|", top, name);
    return *xs_ask(XS_READ, 0, path) == '\0' ? xs_body : "";
}

void front_set(const struct front *f, const char *name, const char *fmt, ...)
{
    char text[224];
    va_list ap;
    int len = snprintf(text, sizeof(text), "%s/%s|", f->dir, name);

    va_start(ap, fmt);
    vsnprintf(text + len, sizeof(text) - len, fmt, ap);
    va_end(ap);
    OK(xs_ask(XS_WRITE, 0, text));
}

void front_remove(const struct front *f, const char *name)
{
    char text[128];

    snprintf(text, sizeof(text), "%s/%s|", f->dir, name);
    xs_ask(XS_RM, 0, text);
}

void front_set_state(const struct front *f, XenbusState state)
{
    front_set(f, "state", "%d", state);
}

const char *front_back(const struct front *f, const char *name)
{
    return read_node(f->back, name);
}

/* --- The device ------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    const unsigned *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* The numbers of the devices, sorted; there may be up to `max`. */
static unsigned devices_of(const char *type, unsigned *handles, unsigned max)
{
    char text[32];
    unsigned n = 0;

    snprintf(text, sizeof(text), "device/%s|", type);
    if (*xs_ask(XS_DIRECTORY, 0, text) != '\0')
        return 0;
    for (const char *name = xs_body; name < xs_body + xs_head.len && n < max;
         name += strlen(name) + 1)
        handles[n++] = strtoul(name, NULL, 10);
    qsort(handles, n, sizeof(handles[0]), by_number);
    return n;
}

bool front_find(struct front *f, const char *type, unsigned index)
{
    unsigned handles[16], n = devices_of(type, handles, 16);

    if (index >= n)
        return false;
    f->handle = handles[index];
    snprintf(f->dir, sizeof(f->dir), "device/%s/%u", type, f->handle);
    f->driver = (domid_t)atoi(read_node(f->dir, "backend-id"));
    snprintf(f->back, sizeof(f->back), "%s", read_node(f->dir, "backend"));
    return EXPECT(f->back[0] == '/');
}

/* --- States ----------------------------------------------------------------------------------- */

int front_back_state(const struct front *f)
{
    const char *state = front_back(f, "state");

    return state[0] >= '0' && state[0] <= '9' ? atoi(state) : -1;
}

bool front_wait(const struct front *f, unsigned states)
{
    uint64_t end = clock_ns() + FRONT_PATIENCE;
    int state;

    for (;;) {
        state = front_back_state(f);
        if (state >= 0 && (states & 1u << state))
            return true;
        if (clock_ns() > end)
            return EXPECT_MSG(false, "%s: the back end is in state %d, not one of %#x", f->dir,
                              state, states);
        thread_sleep(NS_PER_MS);
    }
}

bool front_begin(const struct front *f)
{
    front_set_state(f, XenbusStateInitialising);
    return front_wait(f, STATE(InitWait));
}

bool front_end(const struct front *f)
{
    front_set_state(f, XenbusStateClosing);
    if (!front_wait(f, STATE(Closing) | STATE(Closed)))
        return false;
    front_set_state(f, XenbusStateClosed);
    return front_wait(f, STATE(Closed));
}
