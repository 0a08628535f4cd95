/* What a store that takes our place needs of a guest, which does not say it twice: its watches, the
 * states of its devices' two ends, and the values that a front end has written, as ring-ref and
 * event-channel. It is kept in the page of the guest's ring, where a guest can change it as well as
 * its nodes. If the driver domain dies with us, its successor finds the states and values in the
 * next store. Called by ring.c. */
#include <string.h>
#include "devices.h"
#include "store.h"

/* Lists of names and values, each string with its NUL: the list's name, the pairs, and an empty
 * name. A list is that of a device, whose name is its directory's; the value of "state" has both
 * ends' numbers:
 *
 *     vbd/51712 state 34 ring-ref 8 event-channel 5 ""
 *
 * or that of the watches: path and token. */
#define WATCHES "watches"

struct text {
    size_t len;
    char *bytes;
    unsigned left_out;
};

/* Those are ours, and are written anew. */
static bool is_ours(const char *name)
{
    static const char *const ours[] = {
        "backend", "backend-id", "trusted", "virtual-device", "device-type", "handle", "mac",
        "state",
    };

    for (unsigned i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (!strcmp(name, ours[i]))
            return true;
    return false;
}

/* There is always room for the empty name of one list. */
static bool add(struct text *t, const char *bytes, size_t len)
{
    if (memchr(bytes, 0, len) || t->len + len + 2 > SAVED_BYTES)
        return false;
    memcpy(t->bytes + t->len, bytes, len);
    t->bytes[t->len + len] = '\0';
    t->len += len + 1;
    return true;
}

static void end_list(struct text *t)
{
    t->bytes[t->len++] = '\0';
}

/* The directory's name is that of the type and of the number in it. */
static const char *short_name(const struct device *d)
{
    const char *name = strrchr(d->front, '/') - 1;

    while (*name != '/')
        name--;
    return name + 1;
}

/* Of what is closed only the states are needed. */
static bool add_values(struct text *t, const struct device *d, XenbusState state)
{
    const struct node *front = tree_find(d->front);

    if (state == XenbusStateClosed)
        return true;
    for (const struct node *n = front ? front->children : NULL; n; n = n->next)
        if (!is_ours(n->name) && (n->children || !add(t, n->name, strlen(n->name)) ||
                                  !add(t, n->data->bytes, n->data->len_bytes)))
            return false;
    return true;
}

/* As a whole, or not: then it is closed if it comes to that. A store that has not yet learned the
 * states has nothing to tell. */
static void add_device(struct text *t, const struct device *d)
{
    XenbusState front = device_state(d->front_state), back = device_state(d->back_state);
    const char states[] = { (char)('0' + front), (char)('0' + back) };
    size_t before = t->len;

    if (d->unsettled)
        return;
    if (add(t, short_name(d), strlen(short_name(d))) && add(t, "state", strlen("state")) &&
        add(t, states, 2) && add_values(t, d, front)) {
        end_list(t);
    } else {
        t->len = before;
        t->left_out++;
    }
}

static bool add_watch(void *arg, const char *path, const char *token)
{
    struct text *t = arg;
    size_t before = t->len;

    if (!add(t, path, strlen(path)) || !add(t, token, strlen(token))) {
        t->len = before;
        t->left_out++;
    }
    return true;
}

/* A driver domain looks for another store, and makes its watches anew. */
static void add_watches(struct text *t, const struct conn *c)
{
    if (!c->watches || accounts[c->domid].is_driver)
        return;
    if (add(t, WATCHES, strlen(WATCHES))) {
        watch_each(c, add_watch, t);
        end_list(t);
    } else {
        t->left_out++;
    }
}

size_t saved_text(const struct conn *c, char text[SAVED_BYTES], unsigned *left_out)
{
    struct text t = { .bytes = text };

    for (const struct device *d = devices; d; d = d->next)
        if (d->domid == c->domid)
            add_device(&t, d);
    add_watches(&t, c);
    *left_out = t.left_out;
    return t.len;
}

/* --- From a store before us ------------------------------------------------------------------- */

/* The next string, or NULL: there is none. The text ends with a NUL. */
static const char *next(const char **at, const char *end)
{
    const char *s = *at;

    if (s >= end)
        return NULL;
    *at += strlen(s) + 1;
    return s;
}

static struct device *find_device(uint16_t domid, const char *name)
{
    struct device *d = devices;

    while (d && (d->domid != domid || !d->unsettled || strcmp(short_name(d), name)))
        d = d->next;
    return d;
}

/* As the guest would write it: with its rights, and out of its account. */
static bool write_value(const struct device *d, const char *name, const char *value)
{
    const struct ctx guest = { d->domid, NULL };
    char path[XENSTORE_ABS_PATH_MAX + 1];

    if (strlen(d->front) + strlen(name) + 1 > XENSTORE_ABS_PATH_MAX || strchr(name, '/'))
        return false;
    strcpy(path, d->front);
    strcat(path, "/");
    strcat(path, name);
    return path_valid(path) && !is_ours(name) &&
           op_write(&guest, path, value, strlen(value)) == XS_OK;
}

static bool are_states(const char *states)
{
    const char last = '0' + XenbusStateClosed;

    return states && strlen(states) == 2 && states[0] >= '0' && states[0] <= last &&
           states[1] >= '0' && states[1] <= last;
}

/* While a back end waits or serves, a front end may read its nodes, which are not there yet. */
static void write_states(struct device *d, const char *states)
{
    XenbusState back = (XenbusState)(states[1] - '0');

    if (states[0] != '0')
        node_set(d->front, "state", "%c", states[0]);
    if (states[1] != '0')
        node_set(d->back, "state", "%c", states[1]);
    d->unsettled = back == XenbusStateUnknown;
    d->awaited = back == XenbusStateInitWait || back == XenbusStateConnected;
}

static void restore_device(struct device *d, const char **at, const char *end)
{
    const char *name, *value, *states = NULL;
    bool good = d;

    while ((name = next(at, end)) && *name && (value = next(at, end)))
        if (!strcmp(name, "state"))
            states = value;
        else
            good = good && write_value(d, name, value);
    if (good && are_states(states))
        write_states(d, states);
}

/* Not if all requests are refused: of what it is told a guest could read nothing. */
static void restore_watches(struct conn *c, const char **at, const char *end)
{
    const char *path, *token;

    while ((path = next(at, end)) && *path && (token = next(at, end)))
        if (!refuse_all)
            conn_watch_again(c, path, token);
}

void saved_restore(struct conn *c, const char *text, size_t len)
{
    const char *at = text, *end = text + len, *name;

    while ((name = next(&at, end)))
        if (!strcmp(name, WATCHES))
            restore_watches(c, &at, end);
        else
            restore_device(find_device(c->domid, name), &at, end);
}
