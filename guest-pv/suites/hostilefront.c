/* Suite "hostilefront" (only by name): a front end that does everything wrong. The driver domain
 * must answer with errors, or close the device; the device must work when the guest begins anew;
 * and the guests beside it must not notice, which their own suite (frontend.c) checks. Here are the
 * nodes of both kinds of devices; the rest is in hostilefront_blk*.c and hostilefront_net*.c. */
#include <stdio.h>
#include <string.h>
#include "clock.h"
#include "gnttab.h"
#include "hostilefront.h"
#include "suite.h"
#include "thread.h"
#include "xenstore.h"

#define HUGE 2000u
#define JUMPS 120u

const char huge_value[] = "(huge)";

static void set_huge(const struct front *f, const char *node)
{
    static char payload[HUGE + 128];
    int len = snprintf(payload, 128, "%s/%s", f->dir, node) + 1;

    memset(payload + len, '7', HUGE);
    xs_send(XS_WRITE, 0, payload, len + HUGE);
    OK(xs_receive(XS_WRITE, 0, xs_last_id));
}

static void set_value(const struct front *f, const struct hostile_value *v)
{
    if (v->value == NULL)
        front_remove(f, v->node);
    else if (v->value == huge_value)
        set_huge(f, v->node);
    else
        front_set(f, v->node, "%s", v->value);
}

bool hostile_given_up(const struct hostile *h)
{
    return front_wait(h->x, STATE(Closing));
}

/* The back end waits; what is offered is spoilt; the back end refuses, and closes with us. */
static void refused(const struct hostile *h, const char *what, const struct hostile_value *v,
                    void (*spoil)(void))
{
    ASSERT(front_begin(h->x));
    h->offer();
    if (v != NULL)
        set_value(h->x, v);
    else
        spoil();
    front_set_state(h->x, h->ready);
    ASSERT_MSG(front_wait(h->x, STATE(Closing)), "it is not refused: %s", what);
    front_set_state(h->x, XenbusStateClosed);
    ASSERT(front_wait(h->x, STATE(Closed)));
    h->withdraw();
}

void hostile_refused(const struct hostile *h, const char *what, void (*spoil)(void))
{
    refused(h, what, NULL, spoil);
}

void hostile_values(const struct hostile *h, const struct hostile_value *v, unsigned n)
{
    char what[64];

    for (unsigned i = 0; i < n; i++) {
        snprintf(what, sizeof(what), "%s '%.24s'", v[i].node,
                 v[i].value == NULL ? "(none)" : v[i].value);
        refused(h, what, &v[i], NULL);
    }
    EXPECT(h->works());
}

/* What is written to nodes of our own that the back end has read, or of no use to it. */
void hostile_changes(const struct hostile *h)
{
    static const struct hostile_value values[] = {
        { "ring-ref", "7" }, { "tx-ring-ref", "7" }, { "event-channel", "1" },
        { "backend", "/local/domain/0" }, { "backend-id", "0" }, { "mac", "ff:ff:ff:ff:ff:ff" },
        { "virtual-device", "1" }, { "handle", huge_value }, { "protocol", huge_value },
        { "ring-ref", huge_value }, { "state", "99" }, { "state", "" }, { "state", "connected" },
        { "state", "-1" }, { "state", "4 " }, { "state", "0" },
    };

    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        set_value(h->x, &values[i]);
    thread_sleep(20 * NS_PER_MS);
    EXPECT_EQ(front_back_state(h->x), XenbusStateConnected);
    front_set_state(h->x, XenbusStateConnected);
    thread_sleep(20 * NS_PER_MS);
    EXPECT_EQ(front_back_state(h->x), XenbusStateConnected);
    front_set(h->x, "backend", "%s", h->x->back);
    front_set(h->x, "backend-id", "%u", h->x->driver);
}

/* Good nodes stand there all the time, so the back end may connect at any of them. */
void hostile_states(const struct hostile *h, uint64_t seed)
{
    ASSERT(front_begin(h->x));
    h->offer();
    for (unsigned i = 0; i < JUMPS; i++) {
        seed = seed * 6364136223846793005ul + 1442695040888963407ul;
        front_set_state(h->x, (XenbusState)(seed >> 33) % 10);
        if (seed >> 40 & 1)
            thread_sleep((seed >> 41 & 3) * NS_PER_MS);
    }
    ASSERT(h->close());
    EXPECT(h->works());
}

void hostile_hidden(const struct hostile *h, bool hidden)
{
    char text[128];

    snprintf(text, sizeof(text), "%s/state|n%u|%c%u|", h->x->dir, own_domid(), hidden ? 'n' : 'r',
             h->x->driver);
    OK(xs_ask(XS_SET_PERMS, 0, text));
}

void hostile_removed(const struct hostile *h)
{
    uint64_t end = clock_ns() + FRONT_PATIENCE;

    front_remove(h->x, "backend");
    front_remove(h->x, "state");
    while (front_back_state(h->x) >= 0 && clock_ns() < end)
        thread_sleep(NS_PER_MS);
    EXPECT_EQ(front_back_state(h->x), -1);
    h->withdraw();
}
